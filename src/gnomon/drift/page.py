"""A drift report as one HTML page that needs nothing else."""

from __future__ import annotations

from markupsafe import Markup

from gnomon.drift import plots
from gnomon.drift.findings import METRICS, amount, ranked
from gnomon.drift.model import Column, DriftReport
from gnomon.drift.terminal import SIGNS
from gnomon.report import numbers
from gnomon.report.html import environment, source

__all__ = ["to_html"]

_MOST_SHAPES = 8


def to_html(report: DriftReport) -> str:
    """The page. It names no other file and no address."""
    drifted = ranked(report.columns)
    changed = {(alert.kind, alert.name) for alert in report.alerts}
    others = [c for c in report.columns if (c.kind, c.name) in changed or c.kind == "output"]
    shown = list({(c.kind, c.name): c for c in [*drifted, *others]}.values())[:_MOST_SHAPES]
    shapes = [(c, plots.laid_over(c), plots.labelled(c), plots.effects(c, report)) for c in shown]
    sign, word = SIGNS[report.verdict]
    template = environment().get_template("drift.html")
    return template.render(
        report=report,
        sign=sign,
        word=word.lower(),
        signs={verdict: each for verdict, (each, _) in SIGNS.items()},
        style=Markup(source("style.css")),
        summary=report.summary.lines,
        figures=_figures(report, drifted),
        shapes=shapes,
        metrics=METRICS,
        amount=amount,
        split=[c for c in shown if len(c.segments) > 1][:3],
        identity=_identity(report),
    )


def _figures(report: DriftReport, drifted: list[Column]) -> list[tuple[str, str]]:
    judged = sum(column.judged for column in report.columns)
    return [
        (numbers.count(report.rows), "rows counted"),
        (f"{len(drifted)} of {judged}", "judged columns drifted from training"),
        (str(len(report.alerts)), "changes within the range"),
        (numbers.duration(report.seconds), "is one bucket of time"),
    ]


def _identity(report: DriftReport) -> list[tuple[str, str]]:
    subject = report.subject
    found = [
        ("Model", subject.model),
        ("Artifact", f"{subject.artifact}, {subject.role}"),
        ("Digest", subject.digest[:12]),
        ("Policy", report.policy),
        ("Run again for steps", numbers.rows(report.traced)),
        ("Made", f"{numbers.moment(report.created)} UTC"),
    ]
    if report.start and report.end:
        ends = (numbers.moment(at, report.seconds) for at in (report.start, report.end))
        found.insert(3, ("Range", f"{' to '.join(ends)}, {numbers.axis(report.axis)}"))
    return found
