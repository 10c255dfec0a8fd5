"""The consistency of each column, bucket of time by bucket of time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from gnomon.shadow.compare.comparators import ComparedColumn
from gnomon.shadow.consistency.columns import Kind
from gnomon.shadow.report import Moment, OverTime

__all__ = ["Courses"]

Floats = npt.NDArray[np.float64]

HOUR = 3_600

_WIDTHS = (HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, 24 * HOUR, 168 * HOUR, 672 * HOUR)
"""Seconds, each a whole multiple of the one before, so that buckets merge without a rest."""

_MOST_BUCKETS = 168
"""A week of hours."""

_HELD_BUCKETS = 2_000

# What is summed for every bucket of every column, in this order.
_ROWS, _WEIGHT, _AGREE, _EXACT, _LEFT, _RIGHT, _BOTH, _FLIP, _PAIRS, _DIFFERENCE, _SMAPE = range(11)


@dataclass(slots=True)
class Courses:
    """Sums by column and bucket, in bounded memory; buckets widen as the range grows.

    Batches may come in any order.

    Attributes:
        seconds: the width of a bucket, at least an hour.
        sums: column to bucket number (seconds since 1970 over the width) to sums.
    """

    seconds: int = _WIDTHS[0]
    sums: dict[str, dict[int, Floats]] = field(default_factory=dict)
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
        numbers = np.floor(moments[known] / self.seconds).astype(np.int64)
        found, places = np.unique(numbers, return_inverse=True)
        weights = np.ones(len(known)) if weights is None else weights[known]
        for name, column in columns.items():
            if column.flip is not None:
                self._flips.add(name)
            parts = [
                np.bincount(places, values, minlength=len(found))
                for values in _summed(column, known, weights)
            ]
            self._merge(name, found, np.column_stack(parts))
        while self._buckets() > _HELD_BUCKETS and self._widen():
            pass

    def told(self, kinds: Mapping[str, Kind], *, sampled: bool = False) -> Iterator[OverTime]:
        """Each column's course, in at most a week of buckets.

        Args:
            kinds: what each column is.
            sampled: whether the rows are a sample.
        """
        while self._span() >= _MOST_BUCKETS and self._widen():
            pass
        for name, buckets in self.sums.items():
            yield OverTime(
                column=name,
                kind=kinds[name],
                seconds=self.seconds,
                sampled=sampled,
                moments=tuple(
                    self._moment(at, buckets[at], name in self._flips) for at in sorted(buckets)
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

    def _merge(self, name: str, numbers: npt.NDArray[np.int64], sums: Floats) -> None:
        buckets = self.sums.setdefault(name, {})
        for number, row in zip(numbers.tolist(), sums, strict=True):
            buckets[number] = buckets[number] + row if number in buckets else row

    def _widen(self) -> bool:
        wider = next((width for width in _WIDTHS if width > self.seconds), None)
        if wider is None:
            return False
        old, self.sums = self.sums, {}
        for name, buckets in old.items():
            for number, row in buckets.items():
                place = np.array([number * self.seconds // wider])
                self._merge(name, place, row[None, :])
        self.seconds = wider
        return True

    def _buckets(self) -> int:
        return max((len(buckets) for buckets in self.sums.values()), default=0)

    def _span(self) -> int:
        return max((max(b) - min(b) for b in self.sums.values()), default=0)


def _summed(
    column: ComparedColumn, known: npt.NDArray[np.int64], weights: Floats
) -> Iterator[Floats]:
    yield np.ones(len(known))
    yield weights
    masks = (
        column.agree, column.exact, column.left_null, column.right_null, column.both_null,
        column.flip,
    )  # fmt: skip
    nothing = np.zeros(len(known))
    for mask in masks:
        yield nothing if mask is None else mask[known] * weights
    if column.difference is None:
        yield from (nothing, nothing, nothing)
        return
    difference = column.difference[known]
    finite = np.isfinite(difference)
    yield finite * weights
    yield np.where(finite, difference, 0.0) * weights
    smape = column.smape
    yield nothing if smape is None else np.where(finite, smape[known], 0.0) * weights


def _share(value: float) -> float:
    """A share without the last bits of its sum."""
    return float(round(min(max(value, 0.0), 1.0), 12))
