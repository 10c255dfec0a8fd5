"""``gnomon compare``: hold the log against a table of offline predictions and features."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gnomon.cli.options import AsJson
from gnomon.cli.ranges import AsRole, End, PolicyFile, Start, Which
from gnomon.cli.reporting import ReportPath
from gnomon.cli.tables import Keys, KnownAt

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

    Where they part, rows are run again step by step: the first column that differs is named, and
    its cause tested by undoing it.

    Exit code 0: they agree. 1: they diverge beyond the policy, or it is inconclusive.
    """
    from gnomon.cli.deployment import find_policy
    from gnomon.cli.ranges import choose_artifact, choose_role
    from gnomon.cli.reporting import counting, deliver
    from gnomon.log import InferenceLog
    from gnomon.settings import Settings
    from gnomon.skew.offline import compare_offline

    settings = Settings.read()
    artifact = choose_artifact(settings, which)
    chosen = choose_role(settings, artifact, role)
    with counting("rows compared") as advance:
        found = compare_offline(
            InferenceLog(settings, artifact.name),
            artifact,
            table,
            on=on or (),
            policy=find_policy(policy),
            role=chosen,
            start=start,
            end=end,
            settings=settings,
            known_at=known_at,
            progress=advance,
        )
    deliver(found, settings, report, as_json)
