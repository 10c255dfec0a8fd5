"""The consistency of each column, bucket of time by bucket of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from gnomon.compare.comparators import ComparedColumn
from gnomon.report import Moment, OverTime
from gnomon.skew.consistency.columns import Kind

__all__ = ["ColumnTimeSeries"]

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

HOUR = 3_600

_WIDTHS = (HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 168 * HOUR, 672 * HOUR)
"""Seconds, each a whole multiple of the one before, so that buckets merge without a rest."""

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

    Attributes:
        seconds: the width of a bucket, at least an hour.
        numbers: of the buckets, rising: seconds since 1970 over the width.
        sums: column to its sums, a row for each of ``numbers``.
    """

    seconds: int = _WIDTHS[0]
    numbers: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    sums: dict[str, Floats] = field(default_factory=dict)
    _flips: set[str] = field(default_factory=set)

    def add(
        self,
        moments: Floats,
        columns: Mapping[str, ComparedColumn],
        weights: Floats | None = None,
    ) -> None:
        """Count rows.

        Args:
            moments: of the rows, seconds since 1970; NaN is left out.
            columns: the rows, column by column.
            weights: how many rows each stands for; one each when not given.
        """
        known = np.flatnonzero(np.isfinite(moments))
        if not len(known):
            return
        found, places = np.unique(np.floor(moments[known] / self.seconds), return_inverse=True)
        rows = _Rows(
            known, places, np.ones(len(known)) if weights is None else weights[known], len(found)
        )
        at = self._at(found.astype(np.int64))
        for name, column in columns.items():
            if column.flip is not None:
                self._flips.add(name)
            sums = self.sums.setdefault(name, np.zeros((len(self.numbers), _SUMS)))
            sums[at] += rows.sums(column)
        while len(self.numbers) > _HELD_BUCKETS and self._widen():
            pass

    def build(self, kinds: Mapping[str, Kind], *, sampled: bool = False) -> Iterator[OverTime]:
        """Each column's course, in at most a week of buckets.

        Args:
            kinds: what each column is.
            sampled: whether the rows are a sample.
        """
        while self._span() >= _MOST_BUCKETS and self._widen():
            pass
        starts = self.numbers.tolist()
        for name, sums in self.sums.items():
            counted = zip(starts, sums, strict=True)
            yield OverTime(
                column=name,
                kind=kinds[name],
                seconds=self.seconds,
                sampled=sampled,
                moments=tuple(
                    self._moment(start, bucket, name in self._flips)
                    for start, bucket in counted
                    if bucket[_ROWS]
                ),
            )

    def _moment(self, at: int, sums: Floats, flips: bool) -> Moment:
        shares = sums / sums[_WEIGHT]
        pairs = sums[_PAIRS]
        return Moment(
            start=datetime.fromtimestamp(at * self.seconds, UTC).isoformat(),
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

    def _at(self, numbers: Numbers) -> Numbers:
        """The places of these buckets among the sums, which are made where they are new."""
        known = np.union1d(self.numbers, numbers)
        if len(known) > len(self.numbers):
            old = np.searchsorted(known, self.numbers)
            self.numbers = known
            for name, sums in self.sums.items():
                self.sums[name] = np.zeros((len(known), _SUMS))
                self.sums[name][old] = sums
        return np.searchsorted(known, numbers)

    def _widen(self) -> bool:
        wider = next((width for width in _WIDTHS if width > self.seconds), None)
        if wider is None:
            return False
        self.numbers, firsts = np.unique(self.numbers * self.seconds // wider, return_index=True)
        self.sums = {name: np.add.reduceat(sums, firsts) for name, sums in self.sums.items()}
        self.seconds = wider
        return True

    def _span(self) -> int:
        return int(self.numbers[-1] - self.numbers[0]) if len(self.numbers) else 0


@dataclass(slots=True)
class _Rows:
    """The rows of one batch that have a time.

    Attributes:
        known: their places in the batch.
        places: the bucket of each.
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
        """A column's sums, a row for each bucket."""
        sums = np.zeros((self.buckets, _SUMS))
        sums[:, _ROWS], sums[:, _WEIGHT] = self._rows, self._weight
        same = column.exact.all()  # most columns of most batches are, which saves most sums
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
    """A share without the last bits of its sum."""
    return float(round(min(max(value, 0.0), 1.0), 12))
