"""Find where within a range a column changed, suddenly or gradually."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from gnomon.drift.bins import Bins
from gnomon.drift.counted_rows import CountedRows
from gnomon.drift.drift_report import Effect
from gnomon.drift.metrics import BinnedSides, measures, rows
from gnomon.drift.verdicts import effects, overall, worst
from gnomon.policy import DriftLimits

__all__ = ["DriftChange", "changes"]

_FEWEST_BEFORE = 3
"""The smallest number of buckets before a sudden change."""

_UNUSUAL = 2.0
"""A sudden change must exceed every earlier difference by this factor: a feature that depends on
the hour of the day differs between buckets without a change."""

_WHOLE = 0.5
"""A bucket with less than this share of the median number of rows is not judged by itself: the
first and the last bucket are incomplete."""

_DAY = 86_400

_FEWEST_IN_ALL = 6
"""The smallest number of buckets in which a slow change is visible: two in each third."""


@dataclass(frozen=True)
class DriftChange:
    """One change of a column.

    Attributes:
        slow: whether it was gradual.
        at: the bucket in which it began.
        sides: the counts before it and since.
        metric: the metric that shows it most clearly.
        effect: how large it is in this metric.
    """

    slow: bool
    at: int
    sides: BinnedSides
    metric: str
    effect: Effect

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows before and since."""
        bins = self.sides.bins
        return rows(bins, self.sides.before), rows(bins, self.sides.now)


def changes(
    bins: Bins, buckets: Mapping[int, CountedRows], policy: DriftLimits, seconds: int
) -> list[DriftChange]:
    """Find every sudden change of a column, in order of time; if there is none, a slow one.

    Args:
        buckets: counts by bucket, in order of time.
        seconds: the width of a bucket.
    """
    sudden = list(_sudden(bins, list(buckets), list(buckets.values()), policy))
    return sudden or list(_slow(bins, list(buckets), list(buckets.values()), policy, seconds))


def _sudden(
    bins: Bins, numbers: Sequence[int], counts: Sequence[CountedRows], policy: DriftLimits
) -> Iterator[DriftChange]:
    """Compare each bucket with all since the last change, and with their usual differences."""
    every = list(zip(numbers, counts, strict=True))
    sizes = [rows(bins, count.vector) for count in counts]
    complete = [i for i, size in enumerate(sizes) if size >= _WHOLE * float(np.median(sizes))]
    numbers, counts = [numbers[i] for i in complete], [counts[i] for i in complete]
    begin, usual = 0, _usual(bins, counts[:_FEWEST_BEFORE])
    i = _FEWEST_BEFORE
    while i < len(numbers):
        earlier = _sum(counts[begin:i])
        sides = BinnedSides.of(bins, earlier, counts[i])
        by_metric = effects(sides, policy)
        unusual = {n: e for n, e in by_metric.items() if e.value > _UNUSUAL * usual.get(n, 0.0)}
        if overall(unusual) == "drifted":
            metric = worst(unusual)
            # The incomplete buckets, which are not judged by themselves, count on their side.
            first = numbers[begin] if begin else every[0][0]
            before = _sum([count for number, count in every if first <= number < numbers[i]])
            after = _sum([count for number, count in every if number >= numbers[i]])
            since = BinnedSides.of(bins, before, after)
            yield DriftChange(False, numbers[i], since, metric, by_metric[metric])
            begin, usual = i, _usual(bins, counts[i : i + _FEWEST_BEFORE])
            i += _FEWEST_BEFORE
        else:
            usual = _larger(usual, {name: effect.value for name, effect in by_metric.items()})
            i += 1


def _slow(
    bins: Bins,
    numbers: Sequence[int],
    counts: Sequence[CountedRows],
    policy: DriftLimits,
    seconds: int,
) -> Iterator[DriftChange]:
    """Compare the end of the range with its beginning.

    A change began where the distance from the beginning goes from below its mean to above it: at
    the minimum of the cumulative sum (Page, Biometrika 41, 1954).
    """
    if len(numbers) < _FEWEST_IN_ALL:
        return
    length = _buckets_at_each_end(numbers[-1] - numbers[0] + 1, seconds)
    early = sum(number < numbers[0] + length for number in numbers)
    late = sum(number > numbers[-1] - length for number in numbers)
    if not early:
        return
    first = _sum(counts[:early])
    sides = BinnedSides.of(bins, first, _sum(counts[-late:]))
    by_metric = effects(sides, policy)
    if overall(by_metric) != "drifted":
        return
    metric = worst(by_metric)
    distances = np.array(
        [measures(BinnedSides.of(bins, first, c)).get(metric, 0.0) for c in counts]
    )
    turn = min(int(np.cumsum(distances - distances.mean()).argmin()) + 1, len(numbers) - late)
    yield DriftChange(True, numbers[turn], sides, metric, by_metric[metric])


def _buckets_at_each_end(buckets: int, seconds: int) -> int:
    """Return how many buckets at each end to compare: a third, but full weeks or days.

    Then both ends have the same hours and weekdays, whose effect does not look like a change. In a
    range of less than two days a change and the effect of the hour cannot be distinguished: 0.
    """
    third, week, day = buckets // 3, 7 * _DAY // seconds, _DAY // seconds
    for rhythm in (week, day):
        if 1 <= rhythm <= third:
            return third - third % rhythm
    if day < 1:
        return third
    return day if 2 * day <= buckets else 0


def _usual(bins: Bins, counts: Sequence[CountedRows]) -> dict[str, float]:
    """Return the largest difference, by metric, of one of a few buckets from the others."""
    usual: dict[str, float] = {}
    for i in range(len(counts)):
        rest = [count for j, count in enumerate(counts) if j != i]
        if rest:
            usual = _larger(usual, measures(BinnedSides.of(bins, _sum(rest), counts[i])))
    return usual


def _larger(left: dict[str, float], right: dict[str, float]) -> dict[str, float]:
    names = {*left, *right}
    return {name: max(left.get(name, 0.0), right.get(name, 0.0)) for name in names}


def _sum(counts: Sequence[CountedRows]) -> CountedRows:
    return reduce(add, counts)
