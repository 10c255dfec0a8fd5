"""``gnomon drift``: measure how far served data has drifted from training."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson
from gnomon.cli.ranges import AsRole, End, PolicyFile, Start, Which
from gnomon.cli.reporting import ReportPath

__all__ = ["command"]


def command(
    which: Which,
    split_by: Annotated[
        str | None,
        typer.Option(
            "--split-by", "--by", metavar="FEATURE", help="Split the rows by this feature too."
        ),
    ] = None,
    step_rows: Annotated[
        int,
        typer.Option(
            "--step-rows",
            "--steps",
            metavar="ROWS",
            min=0,
            help="How many rows to run again, step by step, for the transformed columns.",
        ),
    ] = 10_000,
    role: AsRole = None,
    start: Start = None,
    end: End = None,
    policy: PolicyFile = None,
    report: ReportPath = None,
    as_json: AsJson = False,
) -> None:
    """Measure how far logged requests have drifted from training.

    Each feature, transformed column and output is counted in the bins of the training profile:
    over the range, over time and by segment. Sudden and slow changes are named with example rows.

    Exit code 0: as in training, within the policy's [drift]. 1: drifted, or inconclusive.
    """
    from gnomon.api.data_checks import measure_drift
    from gnomon.cli.console import out
    from gnomon.cli.reporting import counting
    from gnomon.cli.rollout_target import settings_here
    from gnomon.drift import print_report
    from gnomon.policy import find_policy

    with counting("rows counted") as advance:
        check = measure_drift(
            which,
            split_by=split_by,
            step_rows=step_rows,
            role=role,
            start=start,
            end=end,
            policy=find_policy(policy),
            settings=settings_here(),
            save_as=report,
            progress=advance,
        )
    drift_report = check.report
    if as_json:
        out.print(drift_report.to_json().decode(), markup=False, soft_wrap=True, end="")
    else:
        print_report(drift_report, out)
        out.print(f"\nReport: {check.page}", markup=False, soft_wrap=True)
    raise typer.Exit(0 if drift_report.verdict == "ok" else 1)
