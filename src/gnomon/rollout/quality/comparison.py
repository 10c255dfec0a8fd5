"""Live and a shadow by one metric: the difference of their losses, and how sure it is."""

from __future__ import annotations

import msgspec
import numpy as np

from gnomon.compare.mean_interval import difference_interval, units_needed_to_tell
from gnomon.compare.sequential import Interval, rate_interval
from gnomon.policy import Metric
from gnomon.rollout.quality.pair_sums import PairSums

__all__ = ["MetricComparison", "compare"]


class MetricComparison(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The losses of live and a shadow on the same rows; smaller is better.

    Attributes:
        metric: its name.
        bound: the largest loss a row can have; a larger one counts as this.
        rows: rows with a label that both answered.
        missing: rows that both answered, old enough, without a label.
        units: of how many entities, requests or blocks the interval is.
        live: live's mean loss over the rows; None without labels.
        shadow: the shadow's.
        difference: the shadow's minus live's.
        interval: of the mean difference over units, valid however often it is computed.
        worst_case: the same if each missing label were the best for the shadow, up to if each were
            the worst; None where that was not asked.
        possible_difference: the difference over all rows, from each missing label at its best for
            the shadow to each at its worst; None without rows.
        better: rows where the shadow's loss is smaller.
        worse: rows where it is larger.
        better_interval: of the share of the better among both; of decisions it is McNemar's test.
            None where a unit has several rows, because these may repeat each other.
        clipped: losses that count as the bound.
        still_needed: about how many more rows with a label decide on which side of the limit it is;
            None if there is no limit, or no number does.
    """

    metric: Metric
    bound: float
    rows: int
    missing: int
    units: int
    live: float | None
    shadow: float | None
    difference: float | None
    interval: Interval
    worst_case: Interval | None
    possible_difference: Interval | None
    better: int
    worse: int
    better_interval: Interval | None = None
    clipped: int = 0
    still_needed: int | None = None


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
        clipped=sums.clipped.get(metric, 0),
        still_needed=needed,
    )
