"""``gnomon compare``: compare the log with a table of offline predictions and features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.join_options import Keys, KnownAt
from gnomon.cli.options import AsJson
from gnomon.cli.ranges import AsRole, End, PolicyFile, Start, Which
from gnomon.cli.reporting import ReportPath

__all__ = ["command"]


def command(
    which: Which,
    table: Annotated[
        Path,
        typer.Option(
            "--table",
            metavar="FILE",
            help="CSV or Parquet: keys, and any of the outputs, the features, and transformed "
            "columns as step/column.",
        ),
    ],
    on: Keys = None,
    known_at: KnownAt = None,
    role: AsRole = None,
    start: Start = None,
    end: End = None,
    policy: PolicyFile = None,
    report: ReportPath = None,
    as_json: AsJson = False,
) -> None:
    """Compare the log with a table of offline predictions.

    Where they differ, rows are run again step by step: the first column that differs is named, and
    its cause tested by undoing it.

    Exit code 0: they agree. 1: they diverge beyond the policy, or it is inconclusive.
    """
    from gnomon.api import skew_checks
    from gnomon.cli.reporting import counting, show
    from gnomon.cli.rollout_target import settings_here
    from gnomon.policy import find_policy

    settings_here()
    with counting("rows compared") as advance:
        check = skew_checks.compare_offline(
            which,
            table,
            on=on or (),
            known_at=known_at,
            role=role,
            start=start,
            end=end,
            policy=find_policy(policy),
            save_as=report,
            progress=advance,
        )
    show(check, as_json)
