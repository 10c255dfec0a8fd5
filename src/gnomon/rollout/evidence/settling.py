"""What counts of an entity that comes back: its value is settled, so that looking again is fair.

The share of bad rows of an entity changes with each row that it sends. An interval that is computed
anew from changed shares is a new test at each look, and many looks together err more often than the
one interval promises. So the value of an entity is fixed when it is first used: in the first hour
it is that of its first request. After 1, 2, 4, 8… hours the values are settled again, by all rows
until then; entities that come later count by their first request. Within a stage nothing that was
used changes, so Ville's inequality holds for all looks in it, and the stages share the allowed
error: 1/2 for the first hour, 1/6 for the second, then 1/12, 1/20, 1/30, and so on, which add up to
it. What known entities do counts at the latest when the run is twice as old.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.units import FOLD_ROWS, UnitTally, UnitTotals, sums_by
from gnomon.quantities import duration

__all__ = ["FIRST_PART", "SettledTally", "Settling", "settling_at"]

FIRST_PART = 0.5
"""The part of the allowed error that is for the first stage."""

_HOUR = timedelta(hours=1)
_LONGER = 2
"""Each stage ends after so many times the hours of the one before."""


class Settling(NamedTuple):
    """A stage of a run.

    Attributes:
        hours: how many hours from the start are settled; 0 in the first stage.
        before: rows that arrived before count for their entity; None in the first stage.
        error_part: which part of the allowed error is for this stage.
        until: when the next stage begins, in which all rows until then count.
    """

    hours: int
    before: datetime | None
    error_part: float
    until: datetime

    def __str__(self) -> str:
        """Write what counts of each entity."""
        if self.before is None:
            return "each by its first request"
        return f"settled after {duration(self.hours * 3600)}"


def settling_at(start: datetime, now: datetime) -> Settling:
    """Return the stage in which a run is.

    >>> start = datetime(2026, 1, 1)
    >>> [settling_at(start, start + timedelta(hours=h)).hours for h in (0.9, 1, 3.9, 4, 100)]
    [0, 1, 2, 4, 64]
    >>> settling_at(start, start + timedelta(hours=5)).error_part == 1 / 20
    True
    """
    stage, hours = 0, 0
    while now - start >= _next(hours) * _HOUR:
        stage, hours = stage + 1, _next(hours)
    return Settling(
        hours,
        start + hours * _HOUR if hours else None,
        1 / ((stage + 1) * (stage + 2)),
        start + _next(hours) * _HOUR,
    )


def _next(hours: int) -> int:
    return max(hours * _LONGER, 1)


class SettledTally:
    """Counts the marked rows that count of each entity, over any number of batches, in any order.

    Args:
        marks: the names of what a row may be.
        before: see :class:`Settling`.
    """

    def __init__(self, marks: Sequence[str], before: datetime | None) -> None:
        self._marks = tuple(marks)
        self._before = before
        self._settled = UnitTally(marks, is_named=True)
        self._first: list[pa.Table] = []

    def add(self, units: pa.Array, arrived: pa.Array, marks: Mapping[str, pa.BooleanArray]) -> None:
        """Count a batch.

        Args:
            units: the entity of each row, as text.
            arrived: when each arrived; the rows of a request arrive at once.
            marks: by each name, the rows that have it.
        """
        table = pa.table({"unit": units, "arrived": arrived, **{m: marks[m] for m in self._marks}})
        if self._before is not None:
            early = pc.less(arrived, pa.scalar(self._before, arrived.type))
            old, table = table.filter(early), table.filter(pc.invert(early))
            self._settled.add(old.column("unit"), {m: old.column(m) for m in self._marks})
        for mark in self._marks:
            index = table.schema.get_field_index(mark)
            table = table.set_column(index, mark, pc.cast(table.column(mark), pa.int64()))
        self._first.append(self._of_first([table]))
        if sum(part.num_rows for part in self._first[1:]) > FOLD_ROWS:
            self._first = [self._of_first(self._first)]

    def totals(self) -> UnitTotals:
        """Return the counts so far, of the rows that count."""
        settled = self._settled.by_unit()
        if not self._first:
            return UnitTotals.of(settled, self._marks)
        first = self._of_first(self._first).drop_columns("arrived")
        new = pc.invert(pc.is_in(first.column("unit"), settled.column("unit")))
        return UnitTotals.of(pa.concat_tables([settled, first.filter(new)]), self._marks)

    def _of_first(self, parts: Sequence[pa.Table]) -> pa.Table:
        """Sum the rows with which each entity first came."""
        sums = sums_by(pa.concat_tables(parts), ("unit", "arrived"), self._marks)
        sums = sums.sort_by([("unit", "ascending"), ("arrived", "ascending")])
        codes = sums.column("unit").combine_chunks().dictionary_encode().indices.to_numpy()
        return sums.filter(pa.array(np.diff(codes, prepend=-1) != 0))
