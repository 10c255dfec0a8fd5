"""Rows of a shadow counted per unit of evidence: rows may repeat each other, units may not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.log import input_column
from gnomon.log.sampling import row_keys
from gnomon.quantities import plural
from gnomon.rollout.evidence.row_blocks import MARKS, OrderedRows, RowOrder, marks_of

__all__ = ["UnitCounter", "UnitCounts", "UnitShares"]

_FOLD_ROWS = 1 << 18
"""Counts of so many units are merged, so that memory grows with units and not with rows."""

Kind = Literal["entity", "request", "block"]


class UnitShares(NamedTuple):
    """The share of bad rows of each unit of evidence.

    Attributes:
        values: of each unit.
        kind: what a unit is: the rows of an entity, of a request, or a block of consecutive rows.
        says: how many units, such as ``300 entities``.
        rows_each: how many rows a unit has on average.
    """

    values: npt.NDArray[np.float64]
    kind: Kind
    says: str
    rows_each: float = 1.0


class UnitCounts(NamedTuple):
    """The counts of each entity or request, and the rows in order if bursts are expected.

    Attributes:
        counts: by each of `MARKS`, how many such rows a unit has.
        repeats: how many units have these counts.
        kind: ``entity`` or ``request``.
        rows: in the order of arrival; None where bad rows are not expected in bursts.
    """

    counts: dict[str, npt.NDArray[np.int64]]
    repeats: npt.NDArray[np.int64]
    kind: Kind
    rows: OrderedRows | None = None

    def shares(self, bad: str, of: str) -> tuple[UnitShares, ...]:
        """Return the share of bad rows of each unit that has rows of the kind ``of``.

        First of the entities or requests, unless each has one row, then of the blocks of rows.
        Empty where each row is a unit.
        """
        found = [self._by_unit(bad, of)] if (self.counts[of] > 1).any() else []
        if self.rows is not None:
            blocks, length = self.rows.blocks(bad, of)
            says = f"{plural(len(blocks), 'block')} of {plural(length, 'row')}"
            found.append(UnitShares(blocks, "block", says, length))
        return tuple(found)

    def _by_unit(self, bad: str, of: str) -> UnitShares:
        rows = self.counts[of]
        there = rows > 0
        repeats = self.repeats[there]
        values = np.repeat(self.counts[bad][there] / rows[there], repeats)
        says = plural(len(values), self.kind)
        if self.kind == "entity" and len(values) != 1:
            says = f"{len(values):,} entities"
        return UnitShares(values, self.kind, says, float(np.average(rows[there], weights=repeats)))


class UnitCounter:
    """Counts the rows of each entity or request, over any number of batches, in any order.

    Args:
        entity_key: the features that name an entity; rows of a request with a null among them are
            one entity. Without features the rows of a request are a unit, because they are sent
            together; if they are in several batches, those of each.
        longest_burst: how many rows one after the other may be bad together, if any.
    """

    def __init__(self, entity_key: Sequence[str], longest_burst: int | None) -> None:
        self._columns = tuple(input_column(name) for name in entity_key)
        self._order = None if longest_burst is None else RowOrder(longest_burst)
        self._parts: list[pa.Table] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of a shadow's records."""
        marks = marks_of(batch)
        if self._order is not None:
            self._order.add(batch.column("arrived"), marks)
        units = batch.column("request_id")
        if self._columns:
            units = pa.array(row_keys(batch, units.to_pylist(), self._columns), pa.string())
        ones = {name: pc.cast(mask, pa.int64()) for name, mask in marks.items()}
        by_unit = _by_unit(pa.table({"unit": units, **ones}))
        self._parts.append(by_unit if self._columns else _by_counts(by_unit))
        if sum(part.num_rows for part in self._parts[1:]) > _FOLD_ROWS:
            self._parts = [self._merged()]

    def counts(self) -> UnitCounts:
        """Return the counts so far."""
        counts = {name: np.zeros(0, np.int64) for name in (*MARKS, "repeats")}
        if self._parts:
            table = self._merged()
            table = _by_counts(table) if self._columns else table
            counts = {name: table.column(name).to_numpy() for name in counts}
        repeats = counts.pop("repeats")
        rows = None if self._order is None else self._order.ordered()
        return UnitCounts(counts, repeats, "entity" if self._columns else "request", rows)

    def _merged(self) -> pa.Table:
        table = pa.concat_tables(self._parts)
        return _by_unit(table) if self._columns else _sums(table, MARKS, ("repeats",))


def _by_unit(rows: pa.Table) -> pa.Table:
    """Sum the counts of each unit."""
    return _sums(rows, ("unit",), MARKS)


def _by_counts(units: pa.Table) -> pa.Table:
    """Count the units that have the same counts."""
    ones = pa.array(np.ones(units.num_rows, np.int64))
    return _sums(units.append_column("repeats", ones), MARKS, ("repeats",))


def _sums(table: pa.Table, keys: Sequence[str], names: Sequence[str]) -> pa.Table:
    sums = table.group_by(list(keys)).aggregate([(name, "sum") for name in names])
    return sums.rename_columns([name.removesuffix("_sum") for name in sums.column_names])
