"""The bins of a column, which are fixed in training, and the assignment of later values to them.

A count is one vector of integers: the rows by bin, then the :class:`Extra` counts. So the counts of
the parts of a log add up to exactly the counts of the entire log.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.artifact.profile import as_numbers

__all__ = ["BinAssignment", "Bins", "Extra", "Floats", "Integers"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

GRAIN = 1024
"""Distances from training's range are counted in units of 1/1024 standard deviation (grains)."""

_FARTHEST = 1e6
"""The largest distance of one value, in standard deviations, so that 10**9 rows fit in 64 bits."""


class Extra(IntEnum):
    """The entries of a count after the rows by bin.

    A row with ``NEW``, ``BELOW`` or ``ABOVE`` is in a bin as well; a null is in none.
    """

    NULL = 0
    NEW = 1
    BELOW = 2
    ABOVE = 3
    EXCESS_BELOW = 4
    EXCESS_ABOVE = 5


@dataclass(frozen=True, slots=True)
class BinAssignment:
    """The bins of the values of a batch.

    Attributes:
        bins: the bin of each row; for a null, the number of bins.
        new: which values training did not have.
        excess: the distance below (negative) or above training's range, in grains.
        names: the values as text; None where new values cannot be recognised.
    """

    bins: Integers
    new: npt.NDArray[np.bool_]
    excess: Integers
    names: pa.Array | None = None


@dataclass(frozen=True)
class Bins:
    """One column of the training profile.

    Attributes:
        kind: ``input``, ``step`` or ``output``.
        training: its count in training.
        rows: training rows that were counted.
        edges: the inner edges of a number's bins; None for a column counted by value.
        values: the values with a separate bin each; the last bin is for all others.
        low: the least value in training, NaN where there is none.
        high: the greatest value in training, NaN where there is none.
        std: the standard deviation in training.
        known: every value training had; None where the profile does not have all of them.
        is_time: whether the numbers are timestamps, in seconds since 1970.
    """

    kind: str
    name: str
    training: Integers
    rows: int
    edges: Floats | None
    values: tuple[str, ...] = ()
    low: float = np.nan
    high: float = np.nan
    std: float = 0.0
    known: frozenset[str] | None = field(default=None, repr=False)
    is_time: bool = False

    @classmethod
    def read(
        cls, row: dict[str, Any], domain: Collection[str] | None = None, *, is_time: bool = False
    ) -> Bins:
        """Read one row of a training profile.

        Args:
            domain: every value of the feature in the contract.
            is_time: whether the column is a timestamp.
        """
        counts = [*row["counts"], row["nulls"], *([0] * (len(Extra) - 1))]
        training, edges = np.array(counts, dtype=np.int64), row["edges"]
        if edges is None:
            values = tuple(row["values"] or ())
            is_complete = not row["counts"][-1]
            known = frozenset(domain or values) if is_complete or domain else None
            return cls(row["kind"], row["name"], training, row["rows"], None, values, known=known)
        low, high = (np.nan if row[key] is None else row[key] for key in ("minimum", "maximum"))
        return cls(
            row["kind"],
            row["name"],
            training,
            row["rows"],
            np.array(edges, dtype=np.float64),
            low=low,
            high=high,
            std=row["std"] or 0.0,
            is_time=is_time,
        )

    @property
    def size(self) -> int:
        """The number of bins."""
        return len(self.training) - len(Extra)

    @cached_property
    def is_discrete(self) -> bool:
        """Whether each of a number's bins stands for one value, its lower edge.

        The profile uses such bins for a number with few distinct values. A number that often has
        its greatest value is treated in the same way.
        """
        return self.edges is not None and bool(len(self.edges)) and self.edges[-1] == self.high

    def assign(self, column: pa.Array) -> BinAssignment:
        """Assign each value of a column to its bin."""
        return self._by_value(column) if self.edges is None else self._by_number(column)

    def labels(self) -> tuple[str, ...]:
        """Return the names of the bins of a column counted by value."""
        return (*self.values, "all others")

    def _by_number(self, column: pa.Array) -> BinAssignment:
        assert self.edges is not None
        numbers = as_numbers(column)
        if numbers is None:  # True and 1 are the same value to a pipeline.
            numbers = as_numbers(_cast(column, pa.float64()))
        assert numbers is not None
        null = np.isnan(numbers)
        bins = np.where(null, self.size, np.searchsorted(self.edges, numbers, side="right"))
        beyond = np.minimum(numbers - self.low, 0.0) + np.maximum(numbers - self.high, 0.0)
        with np.errstate(over="ignore"):
            distances = np.clip(np.nan_to_num(beyond) / (self.std or 1.0), -_FARTHEST, _FARTHEST)
        excess = np.copysign(np.ceil(np.abs(distances) * GRAIN), distances).astype(np.int64)
        return BinAssignment(bins.astype(np.int64), np.zeros(len(bins), dtype=bool), excess)

    def _by_value(self, column: pa.Array) -> BinAssignment:
        text = _cast(column, pa.string())
        places = pc.index_in(text, pa.array(self.values, pa.string()))
        bins = np.array(places.fill_null(len(self.values)), dtype=np.int64)
        null = np.array(text.is_null())
        bins[null] = self.size
        zero = np.zeros(len(bins), dtype=np.int64)
        if self.known is None:
            return BinAssignment(bins, np.zeros(len(bins), dtype=bool), zero)
        is_known = np.array(pc.is_in(text, pa.array(sorted(self.known), pa.string())))
        return BinAssignment(bins, ~is_known & ~null, zero, text)


def _cast(column: pa.Array, type_: pa.DataType) -> pa.Array:
    if pa.types.is_boolean(column.type) and pa.types.is_floating(type_):
        column = pc.cast(column, pa.int8())
    return pc.cast(column, type_)
