"""``gnomon diagnose``: find why online and offline differ."""

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
        Path | None,
        typer.Option(
            "--table",
            metavar="FILE",
            help="The offline side: CSV or Parquet, as for compare. Default: the artifact "
            "itself, run again.",
        ),
    ] = None,
    on: Keys = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            metavar="COLUMN",
            help="The table's column with the label (ground truth). A feature that predicts it "
            "offline but not online is leakage.",
        ),
    ] = None,
    known_at: KnownAt = None,
    python: Annotated[
        str | None,
        typer.Option(
            "--python",
            metavar="PATH",
            help="The interpreter of another environment, to run the artifact in too. Without a "
            "table, that is the offline side.",
        ),
    ] = None,
    role: AsRole = None,
    start: Start = None,
    end: End = None,
    policy: PolicyFile = None,
    report: ReportPath = None,
    as_json: AsJson = False,
) -> None:
    """Find what differs, since when and why, and confirm it.

    Which feature, at which step, on which rows: a sample is run one by one, in batches and in other
    batches, then traced through the pipeline. Every cause that is named was confirmed by undoing
    it.

    Exit code 0: the sides agree. 1: they diverge beyond the policy, or it is inconclusive.
    """
    from gnomon.api import skew_checks
    from gnomon.cli.reporting import counting, show
    from gnomon.cli.rollout_target import settings_here
    from gnomon.policy import find_policy

    settings_here()
    rules = find_policy(policy)
    if table is None and (on or label or known_at):
        raise typer.BadParameter("--on, --label and --known-at are columns of --table")
    with counting("rows read") as advance:
        check = skew_checks.diagnose(
            which,
            table,
            on=on or (),
            role=role,
            start=start,
            end=end,
            policy=rules,
            label=label,
            known_at=known_at,
            python=python,
            save_as=report,
            progress=advance,
        )
    show(check, as_json)
