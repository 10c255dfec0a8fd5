"""How long an artifact takes for batches of each size, and how much longer than another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gnomon.compare.sequential import Interval, median_ranks
from gnomon.compare.sketch import RELATIVE_ERROR, Sketch

__all__ = ["BatchTimes", "TimesRatio", "batches_needed", "times_ratio"]

_SKETCHED = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
"""How far a ratio of two quantiles from sketches may be from the true one."""


class BatchTimes:
    """The scoring times of an artifact's batches, in microseconds, by powers of two of their rows.

    Each row has the time of its batch, so the rows of a batch say the same thing. All rows of a
    size are worth as many independent values as :meth:`batches` says.
    """

    def __init__(self) -> None:
        self._times: dict[int, Sketch] = {}
        self._sizes: dict[int, float] = {}

    def add(self, rows: pa.RecordBatch) -> None:
        """Add rows with the columns ``batch_rows`` and ``scored_us``; nulls are left out."""
        rows = rows.select(["batch_rows", "scored_us"]).drop_null()
        sizes = rows.column("batch_rows").to_numpy().clip(1)
        micros = rows.column("scored_us").to_numpy().astype(np.float64)
        classes = np.log2(sizes).astype(np.int64)
        for found in np.unique(classes).tolist():
            there = classes == found
            self._times.setdefault(found, Sketch()).add(micros[there])
            self._sizes[found] = self._sizes.get(found, 0.0) + float(sizes[there].sum())

    def __iter__(self) -> Iterator[int]:
        """Yield the logarithms to base two of the sizes, smallest first."""
        return iter(sorted(self._times))

    def rows(self, size: int) -> int:
        """Return how many rows there are in batches of a size."""
        return self._times[size].count if size in self._times else 0

    def batches(self, size: int) -> float:
        """Return how many batches the rows of a size are worth.

        Batches of more rows weigh more, so it is Kish's effective sample size: the square of the
        sum of the weights by the sum of their squares.

        Source: L. Kish, "Survey Sampling", Wiley, 1965, section 11.7.
        """
        return self.rows(size) ** 2 / self._sizes[size] if self.rows(size) else 0.0

    def median(self, size: int) -> float:
        """Return the median of a size that has rows."""
        return self._times[size].quantiles([0.5])[0]

    def between(self, size: int, shares: Interval) -> Interval:
        """Return two quantiles of a size that has rows."""
        return Interval(*self._times[size].quantiles(shares))


class TimesRatio(NamedTuple):
    """How many times as long one artifact takes as another, for batches of similar size.

    Attributes:
        value: the ratio of the medians, averaged over the sizes, weighted by the rows of the one.
        interval: of the true ratio.
        rows: the rows of the one in batches of these sizes.
    """

    value: float
    interval: Interval
    rows: int


def times_ratio(
    one: BatchTimes, other: BatchTimes, confidence: float, *, growth: float = 1.0
) -> TimesRatio | None:
    """Compute how many times as long one artifact takes as another.

    Sizes with too few batches of either are left out. The allowed error is shared by all sizes
    there may be, the smallest having the largest part, 1/2, 1/6, 1/12, …, and by the two medians.
    So the interval holds at every look, however many sizes come. It takes batches as independent.

    Args:
        one: whose times are the numerator.
        other: whose are the denominator.
        confidence: of the interval.
        growth: how many times as many batches of the same times to assume.

    Returns:
        The ratio; None if there are too few batches of each size.
    """
    weights, values, lows, highs = [], [], [], []
    for size in one:
        level = _level(size, confidence)
        ranks = [median_ranks(times.batches(size) * growth, level) for times in (one, other)]
        if ranks[0] is None or ranks[1] is None:
            continue
        slow, fast = one.between(size, ranks[0]), other.between(size, ranks[1])
        if not fast.low:
            continue  # Below the clock's microsecond there is no ratio.
        weights.append(one.rows(size))
        values.append(one.median(size) / other.median(size))
        lows.append(slow.low / fast.high / _SKETCHED)
        highs.append(slow.high / fast.low * _SKETCHED)
    if not weights:
        return None
    value, low, high = (float(np.average(each, weights=weights)) for each in (values, lows, highs))
    return TimesRatio(value, Interval(low, high), sum(weights))


def batches_needed(size: int, confidence: float) -> int:
    """Return how many batches of each artifact a size needs for an interval."""
    level, batches = _level(size, confidence), 1
    while median_ranks(batches, level) is None:
        batches += 1
    return batches


def _level(size: int, confidence: float) -> float:
    """Return the confidence of the median of one artifact and size."""
    return 1 - (1 - confidence) / (2 * (size + 1) * (size + 2))
