"""Rows counted per unit of evidence: rows may repeat each other, units may not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.quantities import plural

__all__ = [
    "FOLD_ROWS",
    "UnitGroups",
    "UnitKind",
    "UnitShares",
    "UnitTally",
    "UnitTotals",
    "are_mixed",
    "counted_units",
    "sums_by",
]

FOLD_ROWS = 1 << 18
"""Counts of so many units are merged, so that memory grows with units and not with rows."""

UnitKind = Literal["entity", "request", "block"]


class UnitShares(NamedTuple):
    """The share of bad rows of each unit of evidence.

    Attributes:
        values: of each unit.
        kind: what a unit is: the rows of an entity, of a request, or a block of consecutive rows.
        says: how many units, such as ``300 entities``.
        rows_each: how many rows a unit has on average.
    """

    values: npt.NDArray[np.float64]
    kind: UnitKind
    says: str
    rows_each: float = 1.0


class UnitTotals(NamedTuple):
    """How many rows of each mark a unit has.

    Attributes:
        counts: by the name of each mark.
        repeats: how many units have these counts.
    """

    counts: dict[str, npt.NDArray[np.int64]]
    repeats: npt.NDArray[np.int64]

    @classmethod
    def of(cls, units: pa.Table, marks: Sequence[str]) -> UnitTotals:
        """Count the units that have the same counts; each is a row of ``units``."""
        ones = pa.array(np.ones(units.num_rows, np.int64))
        table = sums_by(units.append_column("repeats", ones), marks, ("repeats",))
        counts = {name: table.column(name).to_numpy() for name in marks}
        return cls(counts, table.column("repeats").to_numpy())

    def shares(self, bad: str, of: str, kind: UnitKind) -> UnitShares | None:
        """Return the share of bad rows of each unit that has rows ``of``.

        None where each unit has one row, so that rows are units.
        """
        if not (self.counts[of] > 1).any():
            return None
        values = self.values(bad, of)
        return UnitShares(values, kind, counted_units(len(values), kind), self.rows_each(of))

    def values(self, bad: str, of: str) -> npt.NDArray[np.float64]:
        """Return the share of bad rows of each unit that has rows ``of``."""
        there = self.counts[of] > 0
        shares = self.counts[bad][there] / self.counts[of][there]
        return np.repeat(shares, self.repeats[there])

    def rows_each(self, of: str) -> float:
        """Return how many rows ``of`` the units that have any have on average."""
        there = self.counts[of] > 0
        return float(np.average(self.counts[of][there], weights=self.repeats[there]))

    def groups(self, bad: str, of: str, kind: UnitKind) -> UnitGroups:
        """Return what :meth:`shares` needs of two marks, for a file."""
        columns = (self.counts[bad], self.counts[of], self.repeats)
        return UnitGroups(kind, sorted(zip(*(c.tolist() for c in columns), strict=True)))


class UnitGroups(msgspec.Struct, frozen=True):
    """How many units have how many bad rows, of how many rows, as files hold it.

    Attributes:
        kind: what a unit is.
        counts: bad rows, rows, and how many units have so many of both.
    """

    kind: UnitKind
    counts: list[tuple[int, int, int]]

    def shares(self) -> UnitShares | None:
        """Return the share of bad rows of each unit; None where each has one row."""
        bad, of, repeats = np.array(self.counts, np.int64).reshape(-1, 3).T
        return UnitTotals({"bad": bad, "of": of}, repeats).shares("bad", "of", self.kind)


class UnitTally:
    """Counts the marked rows of each unit, over any number of batches, in any order.

    Args:
        marks: the names of what a row may be.
        is_named: whether a unit may be in several batches, as an entity is. If not, the units of a
            batch are those of no other, and only how many have the same counts is kept.
    """

    def __init__(self, marks: Sequence[str], *, is_named: bool) -> None:
        self._marks = tuple(marks)
        self._is_named = is_named
        self._parts: list[pa.Table] = []

    def add(self, units: pa.Array | pa.ChunkedArray, marks: Mapping[str, pa.BooleanArray]) -> None:
        """Count a batch.

        Args:
            units: the unit of each row, as text.
            marks: by each name, the rows that have it.
        """
        ones = {name: pc.cast(marks[name], pa.int64()) for name in self._marks}
        by_unit = sums_by(pa.table({"unit": units, **ones}), ("unit",), self._marks)
        self._parts.append(by_unit if self._is_named else self._by_counts(by_unit))
        if sum(part.num_rows for part in self._parts[1:]) > FOLD_ROWS:
            self._parts = [self._merged()]

    def totals(self) -> UnitTotals:
        """Return the counts so far."""
        if self._is_named:
            return UnitTotals.of(self.by_unit(), self._marks)
        table = self._merged() if self._parts else _empty((*self._marks, "repeats"))
        counts = {name: table.column(name).to_numpy() for name in table.column_names}
        repeats = counts.pop("repeats")
        return UnitTotals(counts, repeats)

    def by_unit(self) -> pa.Table:
        """Return the counts of each named unit so far, with its name in the column ``unit``."""
        if not self._parts:
            return _empty(self._marks).add_column(0, "unit", pa.array([], pa.string()))
        return self._merged()

    def _merged(self) -> pa.Table:
        table = pa.concat_tables(self._parts)
        if self._is_named:
            return sums_by(table, ("unit",), self._marks)
        return sums_by(table, self._marks, ("repeats",))

    def _by_counts(self, units: pa.Table) -> pa.Table:
        """Count the units that have the same counts."""
        ones = pa.array(np.ones(units.num_rows, np.int64))
        return sums_by(units.append_column("repeats", ones), self._marks, ("repeats",))


def counted_units(units: int, kind: str) -> str:
    """Write a number of units.

    >>> counted_units(1_200, "entity"), counted_units(1, "request")
    ('1,200 entities', '1 request')
    """
    return f"{units:,} entities" if kind == "entity" and units != 1 else plural(units, kind)


def are_mixed(requests: pa.Array, entities: pa.Array) -> bool:
    """Return whether a request has rows of several entities."""
    pairs = pa.table({"request": requests, "entity": entities}).group_by(["request", "entity"])
    return bool(pairs.aggregate([]).num_rows > pc.count_distinct(requests).as_py())


def sums_by(table: pa.Table, keys: Sequence[str], names: Sequence[str]) -> pa.Table:
    """Return the sums of the columns ``names``, under their names, of the rows of the same keys."""
    sums = table.group_by(list(keys)).aggregate([(name, "sum") for name in names])
    return sums.rename_columns([name.removesuffix("_sum") for name in sums.column_names])


def _empty(marks: Sequence[str]) -> pa.Table:
    return pa.schema([(name, pa.int64()) for name in marks]).empty_table()
