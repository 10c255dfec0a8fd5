"""Live and a shadow by one metric: the difference of their losses, and how sure it is."""

from __future__ import annotations

import numpy as np

from gnomon.compare.mean_interval import difference_interval, units_needed_to_tell
from gnomon.compare.sequential import Interval, rate_interval
from gnomon.policy import Metric
from gnomon.rollout.quality.metric_comparison import MetricComparison
from gnomon.rollout.quality.pair_sums import PairSums

__all__ = ["compare"]


def compare(
    metric: Metric,
    bound: float,
    sums: PairSums,
    confidence: float,
    *,
    limit: float | None = None,
    worst_case: bool = True,
) -> MetricComparison:
    """Compare by one metric.

    Args:
        metric: its name.
        bound: see `gnomon.rollout.quality.losses.largest_loss`.
        sums: the losses.
        confidence: of each interval.
        limit: how large the difference may be, if that is to be decided.
        worst_case: whether to compute that too.
    """
    found = sums.of(metric)
    # Each loss is within the bound, a mean of them only up to rounding.
    units, least, most = (
        np.clip(found.units(part), -bound, bound) for part in ("difference", "least", "most")
    )
    better, worse = sums.better.get(metric, 0), sums.worse.get(metric, 0)
    live_clipped, shadow_clipped = (
        counts.get(metric, 0) for counts in (sums.live_clipped, sums.shadow_clipped)
    )
    needed = None
    interval = difference_interval(units, bound, confidence)
    if limit is not None and interval.low <= limit < interval.high:
        more = units_needed_to_tell(units, bound, limit, confidence)
        each = found.rows / len(units) if len(units) else 1.0
        needed = None if more is None else max(round(more * each), 1)
    return MetricComparison(
        metric=metric,
        bound=bound,
        rows=found.rows,
        missing=found.missing,
        units=len(units),
        live=found.live,
        shadow=found.shadow,
        difference=found.difference,
        interval=interval,
        worst_case=Interval(
            difference_interval(least, bound, confidence).low,
            difference_interval(most, bound, confidence).high,
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
