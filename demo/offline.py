"""Parts 2 and 3: what the candidates said online against what training said offline."""

from __future__ import annotations

import gnomon
from demo.stage import CANDIDATE, OFFLINE, SKEWED, Stage

__all__ = ["online_against_offline", "skewed_code"]


def online_against_offline(stage: Stage, rows: int) -> None:
    """Show in part 2 that the healthy candidate's answers are the same."""
    stage.output.heading("2. Shadow online against offline predictions of the same artifact")
    report = compare(stage, CANDIDATE, "match", expect=0)
    stage.output.claim(
        report.verdict == "ok" and report.coverage.compared == rows and not report.divergence.rows,
        f"all {rows:,} rows match, {report.exact:,} of them bit for bit; the tolerance is 1e-12, "
        "or 1e-9 of the value",
    )


def skewed_code(stage: Stage, rows: int) -> None:
    """Show in part 3 that the second candidate's differ, and that Gnomon finds where."""
    stage.output.heading("3. The same weights, served by code that takes the hour from UTC")
    report = compare(stage, SKEWED, "skew", expect=1)
    change = report.impact.mean_change if report.impact else None
    stage.output.claim(
        report.verdict == "diverged"
        and report.coverage.compared == rows
        and report.divergence.share > 0.95
        and change is not None,
        f"{report.divergence.rows:,} of {rows:,} rows diverge ({report.divergence.share:.1%}); "
        f"the probability moves by {change or 0:.3f} on average",
    )
    found = report.diagnosis
    stage.output.claim(
        found is not None
        and found.verdict == "confirmed"
        and (found.column or "").endswith("/hour"),
        f"the first column to differ is {found and found.column}, and undoing the cause repairs it",
    )


def compare(stage: Stage, artifact: str, name: str, *, expect: int) -> gnomon.Report:
    """Run ``gnomon compare`` as a user would, and read the report it keeps."""
    table = stage.place.shown(stage.place.offline / OFFLINE)
    report = stage.place.shown(stage.place.reports / name)
    stage.gnomon("compare", artifact, "--table", table, "--report", report, expect=expect)
    return gnomon.Report.from_json(stage.place.reports.joinpath(f"{name}.json").read_bytes())
