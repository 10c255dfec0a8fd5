"""The consistency of each column, by time bucket."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from gnomon.compare.comparators import ComparedColumn
from gnomon.offline.time_buckets import FROM_HOURS, TimeSums
from gnomon.report import MetricsBucket, OverTime
from gnomon.skew.consistency.reported_columns import Kind

__all__ = ["ColumnTimeSeries"]

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_MOST_BUCKETS = 168
"""A week of hours."""

_HELD_BUCKETS = 2_000

# What is summed for every bucket of every column, in this order.
_ROWS, _WEIGHT, _AGREE, _EXACT, _LEFT, _RIGHT, _BOTH, _FLIP, _PAIRS, _DIFFERENCE, _SMAPE = range(11)
_SUMS = 11


@dataclass(slots=True)
class ColumnTimeSeries:
    """Sums by column and bucket, in bounded memory; buckets widen as the range grows.

    Batches may come in any order.
    """

    sums: TimeSums = field(default_factory=lambda: TimeSums(FROM_HOURS, _HELD_BUCKETS, _SUMS))
    _flips: set[str] = field(default_factory=set)

    def add(
        self,
        row_times: Floats,
        columns: Mapping[str, ComparedColumn],
        weights: Floats | None = None,
    ) -> None:
        """Count rows.

        Args:
            row_times: the times of the rows, in seconds since 1970; NaN is left out.
            columns: the rows, column by column.
            weights: how many rows each stands for; one each when not given.
        """
        known = np.flatnonzero(np.isfinite(row_times))
        if not len(known):
            return
        buckets, places = self.sums.split(row_times[known])
        rows = _Rows(
            known, places, np.ones(len(known)) if weights is None else weights[known], len(buckets)
        )
        self._flips |= {name for name, column in columns.items() if column.flip is not None}
        self.sums.add(buckets, {name: rows.sums(column) for name, column in columns.items()})

    def build(self, kinds: Mapping[str, Kind], *, sampled: bool = False) -> Iterator[OverTime]:
        """Yield the time series of each column, in at most 168 buckets.

        Args:
            kinds: the kind of each column.
            sampled: whether the rows are a sample.
        """
        self.sums.fit(_MOST_BUCKETS)
        starts = self.sums.numbers.tolist()
        for name, sums in self.sums.series.items():
            counted = zip(starts, sums, strict=True)
            yield OverTime(
                column=name,
                kind=kinds[name],
                seconds=self.sums.seconds,
                sampled=sampled,
                buckets=tuple(
                    self._bucket(start, bucket, name in self._flips)
                    for start, bucket in counted
                    if bucket[_ROWS]
                ),
            )

    def _bucket(self, number: int, sums: Floats, flips: bool) -> MetricsBucket:
        shares = sums / sums[_WEIGHT]
        pairs = sums[_PAIRS]
        return MetricsBucket(
            start=datetime.fromtimestamp(number * self.sums.seconds, UTC).isoformat(),
            rows=int(sums[_ROWS]),
            coverage=_share(1 - shares[_LEFT] - shares[_RIGHT] - shares[_BOTH]),
            consistency=_share(shares[_AGREE]),
            exact_rate=_share(shares[_EXACT]),
            left_null=_share(shares[_LEFT]),
            right_null=_share(shares[_RIGHT]),
            both_null=_share(shares[_BOTH]),
            flip_rate=_share(shares[_FLIP]) if flips else None,
            mean_difference=float(sums[_DIFFERENCE] / pairs) if pairs else None,
            smape=float(sums[_SMAPE] / pairs) if pairs else None,
        )


@dataclass(slots=True)
class _Rows:
    """The rows of one batch that have a time.

    Attributes:
        known: the positions of the rows in the batch.
        places: the bucket of each row.
        weights: how many rows each stands for.
        buckets: how many buckets there are.
    """

    known: Numbers
    places: Numbers
    weights: Floats
    buckets: int
    _rows: Floats = field(init=False)
    _weight: Floats = field(init=False)

    def __post_init__(self) -> None:
        self._rows = self._sum(np.ones(len(self.known)))
        self._weight = self._sum(self.weights)

    def sums(self, column: ComparedColumn) -> Floats:
        """Return the sums of a column, one row per bucket."""
        sums = np.zeros((self.buckets, _SUMS))
        sums[:, _ROWS], sums[:, _WEIGHT] = self._rows, self._weight
        same = column.exact.all()  # true for most columns of most batches, which saves most sums
        masks = {_BOTH: column.both_null} if same else {
            _AGREE: column.agree, _EXACT: column.exact, _LEFT: column.left_null,
            _RIGHT: column.right_null, _BOTH: column.both_null, _FLIP: column.flip,
        }  # fmt: skip
        for place, mask in masks.items():
            if mask is not None and mask.any():
                sums[:, place] = self._sum(mask[self.known] * self.weights)
        if same:
            sums[:, _AGREE] = sums[:, _EXACT] = self._weight
        if column.difference is None:
            return sums
        if same:
            sums[:, _PAIRS] = self._weight - sums[:, _BOTH]
            return sums
        difference = column.difference[self.known]
        finite = np.isfinite(difference)
        sums[:, _PAIRS] = self._sum(finite * self.weights)
        sums[:, _DIFFERENCE] = self._sum(np.where(finite, difference, 0.0) * self.weights)
        if column.smape is not None:
            smape = np.where(finite, column.smape[self.known], 0.0)
            sums[:, _SMAPE] = self._sum(smape * self.weights)
        return sums

    def _sum(self, values: Floats) -> Floats:
        return np.asarray(np.bincount(self.places, values, minlength=self.buckets), np.float64)


def _share(value: float) -> float:
    """Round away the last bits of a sum, and clip to [0, 1]."""
    return float(round(min(max(value, 0.0), 1.0), 12))
