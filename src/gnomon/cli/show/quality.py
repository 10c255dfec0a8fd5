"""Print the quality of shadows beside live's."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from gnomon.cli.console import columns, local, out
from gnomon.quantities import percent, plural
from gnomon.rollout.quality.metric_comparison import MetricComparison
from gnomon.rollout.quality.quality_report import QualityReport
from gnomon.rollout.quality.shadow_quality import Cohort, ShadowQuality

__all__ = ["show_quality"]


def show_quality(report: QualityReport) -> None:
    """Print each shadow: which rows count, the metrics, and what may bias them."""
    if not report.shadows:
        _say(f"No shadow of {report.model} is running.")
    for shadow in report.shadows:
        _say(f"{shadow.artifact} beside {shadow.live}")
        _say(_cohort(shadow.cohort))
        out.print(_metrics(shadow.metrics, shadow.unit))
        for line in _notes(shadow):
            _say(line)
        for feature in dict.fromkeys(segment.feature for segment in shadow.segments):
            out.print(_segments(shadow, feature))


def _say(line: str) -> None:
    out.print(line, markup=False, soft_wrap=True)


def _cohort(cohort: Cohort) -> str:
    age = f" at least {cohort.maturity_days:g} days old" if cohort.maturity_days else ""
    pending = f"; {plural(cohort.pending, 'row')} pending, after {local(cohort.until)}"
    return (
        f"{cohort.labelled:,} of {plural(cohort.matured, 'row')}{age} that both answered have a "
        f"label{pending if cohort.pending else ''}"
    )


def _metrics(metrics: Iterable[MetricComparison], unit: str) -> Table:
    units = "entities" if unit == "entity" else f"{unit}s"
    table = columns("metric", "live", "shadow", "difference", "interval", "worst case", units)
    for metric in metrics:
        worst = metric.worst_case if metric.missing else None
        table.add_row(
            escape(metric.metric), _number(metric.live), _number(metric.shadow),
            _number(metric.difference, sign=True), _ends(metric.interval) if metric.rows else "",
            _ends(worst) if worst and metric.rows else "", f"{metric.units:,}",
        )  # fmt: skip
    return table


def _segments(shadow: ShadowQuality, feature: str) -> Table:
    table = columns(feature, "metric", "live", "shadow", "difference", "interval", "rows")
    for segment in shadow.segments:
        if segment.feature != feature:
            continue
        for metric in segment.metrics:
            table.add_row(
                escape(segment.value), escape(metric.metric), _number(metric.live),
                _number(metric.shadow), _number(metric.difference, sign=True),
                _ends(metric.interval) if metric.rows else "", f"{metric.rows:,}",
            )  # fmt: skip
    return table


def _notes(shadow: ShadowQuality) -> Iterable[str]:
    for metric in shadow.metrics:
        if metric.better_interval is not None and metric.better + metric.worse:
            low, high = (percent(end, 1) for end in metric.better_interval)
            yield (
                f"{metric.metric}: the shadow is better on {plural(metric.better, 'row')} and "
                f"worse on {metric.worse:,}; of those that differ it is better on {low} to {high}"
            )
        if metric.clipped:
            live, shadow_ = (f"{n:,}" for n in (metric.live_clipped, metric.shadow_clipped))
            yield (
                f"{metric.metric}: {live} of live's losses and {shadow_} of the shadow's are above "
                f"{metric.bound:.4g} and count as that, also in the means"
            )
    if shadow.auc is not None:
        auc = shadow.auc
        yield (
            f"AUC {auc.shadow:.4f}, live {auc.live:.4f}: {_ends(auc.interval)} (for one look, no "
            "gate rests on it)"
        )
    shares = [
        f"{share.decided}: {percent(share.labelled / share.rows, 1)} of {plural(share.rows, 'row')}"
        for share in shadow.by_decision
        if share.rows
    ]
    if len(shares) > 1:
        yield "labelled, by live's decision: " + ", ".join(shares)


def _number(value: float | None, *, sign: bool = False) -> str:
    if value is None:
        return ""
    return f"{value:+.4g}" if sign else f"{value:.4g}"


def _ends(interval: tuple[float, float]) -> str:
    return f"{interval[0]:+.4g} to {interval[1]:+.4g}"
