"""The gates of quality: one for each metric with a limit, on rows whose label is known."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gnomon.compare.sequential import Interval
from gnomon.compare.units import counted_units
from gnomon.policy import Metric, QualityRules
from gnomon.quantities import percent, plural, rough_duration
from gnomon.rollout.evidence.outlook import (
    LONGEST_SECONDS,
    MissingEvidence,
    about_when,
    action,
    when_entities_come,
)
from gnomon.rollout.gate import Gate, Verdict
from gnomon.rollout.quality.metric_comparison import MetricComparison
from gnomon.rollout.quality.shadow_quality import Cohort, ShadowQuality

__all__ = ["gate_name", "quality_gates", "undecidable"]

_LABELS = "give labels with `gnomon labels import FILE` or POST /labels"
_PREFIX = "quality_"


def gate_name(metric: Metric) -> str:
    """Return the name of the gate of a metric."""
    return f"{_PREFIX}{metric}"


def undecidable(rules: QualityRules, reason: str) -> Iterator[Gate]:
    """Yield the gates if quality cannot be measured, which is neither good nor bad.

    Args:
        rules: of the policy.
        reason: the true reason, with what to do.
    """
    for metric, limit in rules.limits.items():
        yield Gate(
            name=gate_name(metric),
            verdict="unknown",
            says=reason,
            limit=limit,
            awaits=action("no number of labels decides it before that is mended"),
        )


def quality_gates(
    rules: QualityRules, quality: ShadowQuality, *, is_past: bool = False
) -> Iterator[Gate]:
    """Judge how much larger the shadow's loss is than live's, on the same rows.

    A gate is decided if the interval of the mean over units, and the mean over rows, are on one
    side of the limit. With ``missing = "worst_case"`` both cover what the missing labels might
    be.

    Args:
        rules: has the limits.
        quality: what was measured.
        is_past: whether the rows are those of a range that is over, to which time adds none.
    """
    found = {comparison.metric: comparison for comparison in quality.metrics}
    for metric, limit in rules.limits.items():
        yield _gate(limit, found[metric], quality, rules, is_past)


def _gate(
    limit: float,
    found: MetricComparison,
    quality: ShadowQuality,
    rules: QualityRules,
    is_past: bool,
) -> Gate:
    worst = rules.missing == "worst_case" and found.worst_case is not None
    interval = _interval(found, worst)
    value = found.difference
    verdict: Verdict = "no_data" if value is None else "unknown"
    if value is not None:
        least, most = (found.possible_difference if worst else None) or (value, value)
        if max(interval.high, most) <= limit:
            verdict = "pass"
        elif min(interval.low, least) > limit:
            verdict = "fail"
    return Gate(
        name=gate_name(found.metric),
        verdict=verdict,
        says=_sentence(limit, found, quality, worst),
        limit=limit,
        value=value,
        interval=interval,
        count=found.worse,
        rows=found.rows,
        units=None if quality.unit == "row" else found.units,
        awaits=None
        if verdict in ("pass", "fail")
        else _awaits(limit, found, quality, worst, is_past),
    )


def _interval(found: MetricComparison, worst: bool) -> Interval:
    return found.worst_case if worst and found.worst_case is not None else found.interval


def _sentence(limit: float, found: MetricComparison, quality: ShadowQuality, worst: bool) -> str:
    cohort = quality.cohort
    age = f" at least {cohort.maturity_days:g} days old" if cohort.maturity_days else ""
    if found.difference is None or found.live is None or found.shadow is None:
        return f"none of {plural(cohort.matured, 'row')}{age} that both answered has a label"
    interval = _interval(found, worst)
    units = "" if quality.unit == "row" else f" ({counted_units(found.units, quality.unit)})"
    if found.requests is not None:
        units = f"{units.removesuffix(')')}; {plural(found.requests, 'request')})"
    missing = (
        f", {plural(found.missing, 'row')} without a label taken at their worst" if worst else ""
    )
    return (
        f"{found.metric} {found.shadow:.4g}, live {found.live:.4g}, on "
        f"{plural(found.rows, 'labelled row')}{age}{units}{missing}: "
        f"{interval.low:+.4g} to {interval.high:+.4g}; limit {f'{limit:+.4g}' if limit else '0'}"
    )


def _awaits(
    limit: float, found: MetricComparison, quality: ShadowQuality, worst: bool, is_past: bool
) -> MissingEvidence:
    cohort = quality.cohort
    if not found.rows:
        return _first_labels(cohort)
    if not -found.bound < limit < found.bound:
        return action(
            f"no number of labels decides it, because no loss is above {found.bound:.4g}: change "
            "the limit in the policy"
        )
    if worst and found.missing and found.interval.high <= limit:
        return action(
            f"needs labels of the {plural(found.missing, 'row')} without one: `gnomon labels "
            "wanted` lists those that decide most"
        )
    return _more_labels(found, quality, is_past)


def _first_labels(cohort: Cohort) -> MissingEvidence:
    if cohort.matured:
        return action(f"needs labels of them: {_LABELS}")
    if cohort.pending:
        return action(
            f"needs {plural(cohort.pending, 'row')} to become {cohort.maturity_days:g} days old, "
            f"and their labels: {_LABELS}"
        )
    return action(f"needs rows that the shadow scores, and their labels: {_LABELS}")


def _more_labels(found: MetricComparison, quality: ShadowQuality, is_past: bool) -> MissingEvidence:
    cohort = quality.cohort
    if found.still_needed is None:
        return action(
            "no number of labels may decide it, because the difference is at the limit: change the "
            "limit in the policy, or the artifact"
        )
    apart = (found.better + found.worse) / found.rows
    of = {"entity": " of other entities", "request": " of other requests"}.get(quality.unit, "")
    more = plural(found.still_needed, "more labelled row")
    needs = f"needs about {more}{of} if the difference stays"
    if apart < 0.5:
        needs += f" (only the {percent(apart, 2)} where the losses differ tell them apart)"
    if is_past:
        return MissingEvidence(says=needs, rows=found.still_needed)
    if not cohort.recently_labelled:
        says = f"{needs}; no label of a row of the last week came"
        return MissingEvidence(says=says, rows=found.still_needed)
    expected, seconds = _when(found, found.still_needed, cohort)
    return MissingEvidence(says=f"{needs}{expected}", rows=found.still_needed, seconds=seconds)


def _when(found: MetricComparison, rows: int, cohort: Cohort) -> tuple[str, float | None]:
    """Say when so many labelled rows are expected, at the rate of the last week or what it has."""
    if cohort.new_entities is not None:
        entities = math.ceil(rows * found.units / found.rows)
        of_how_many = f": about {counted_units(entities, 'entity')}" if entities != rows else ""
        expected, seconds = when_entities_come(cohort.new_entities, entities, labelled=True)
        return f"{of_how_many}{expected}", seconds
    span = cohort.rate_days * 86_400
    seconds = rows / cohort.recently_labelled * span
    return (
        f", {about_when(seconds)} at the {cohort.recently_labelled:,} of the last "
        f"{rough_duration(span)}"
    ), seconds if seconds < LONGEST_SECONDS else None
