"""Live and a shadow by one metric: the difference of their losses, and how sure it is."""

from __future__ import annotations

import numpy as np

from gnomon.compare.mean_interval import difference_interval, units_needed_to_tell
from gnomon.compare.sequential import Interval, rate_interval
from gnomon.policy import Metric
from gnomon.rollout.quality.metric_comparison import MetricComparison
from gnomon.rollout.quality.pair_sums import MetricSums, PairSums

__all__ = ["compare"]


def compare(
    metric: Metric,
    bound: float,
    sums: PairSums,
    confidence: float,
    *,
    requests: PairSums | None = None,
    limit: float | None = None,
    worst_case: bool = True,
) -> MetricComparison:
    """Compare by one metric.

    Args:
        metric: its name.
        bound: see `gnomon.rollout.quality.losses.largest_loss`.
        sums: the losses.
        confidence: of each interval.
        requests: the losses by request, where requests have rows of several entities.
        limit: how large the difference may be, if that is to be decided.
        worst_case: whether to compute that too.
    """
    found = sums.of(metric)
    units = found.units()
    sent = None if requests is None else requests.of(metric)
    better, worse = sums.better.get(metric, 0), sums.worse.get(metric, 0)
    live_clipped, shadow_clipped = (
        counts.get(metric, 0) for counts in (sums.live_clipped, sums.shadow_clipped)
    )
    needed = None
    interval = _interval(found, sent, "difference", bound, confidence)
    if limit is not None and interval.low <= limit < interval.high:
        needed = _rows_needed([found, *([] if sent is None else [sent])], bound, limit, confidence)
    return MetricComparison(
        metric=metric,
        bound=bound,
        rows=found.rows,
        missing=found.missing,
        units=len(units),
        requests=None if sent is None else len(sent.units()),
        live=found.live,
        shadow=found.shadow,
        difference=found.difference,
        interval=interval,
        worst_case=Interval(
            _interval(found, sent, "least", bound, confidence).low,
            _interval(found, sent, "most", bound, confidence).high,
        )
        if worst_case
        else None,
        possible_difference=found.possible_difference,
        better=better,
        worse=worse,
        better_interval=rate_interval(better, better + worse, confidence)
        if found.one_row_each
        else None,
        clipped=live_clipped + shadow_clipped,
        live_clipped=live_clipped,
        shadow_clipped=shadow_clipped,
        still_needed=needed,
    )


def _interval(
    found: MetricSums, sent: MetricSums | None, part: str, bound: float, confidence: float
) -> Interval:
    # Each loss is within the bound, a mean of them only up to rounding.
    units = np.clip(found.units(part), -bound, bound)
    requests = None if sent is None else np.clip(sent.units(part), -bound, bound)
    return difference_interval(units, bound, confidence, clusters=requests)


def _rows_needed(
    kinds: list[MetricSums], bound: float, limit: float, confidence: float
) -> int | None:
    """Estimate how many more rows decide it, by the units of each kind; None if none do."""
    most = 1
    for kind in kinds:
        units = np.clip(kind.units(), -bound, bound)
        more = units_needed_to_tell(units, bound, limit, confidence)
        if more is None:
            return None
        most = max(most, round(more * (kind.rows / len(units) if len(units) else 1.0)))
    return most
