"""Rows of a shadow counted per unit of evidence: rows may repeat each other, units may not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.block_length import block_length, block_values
from gnomon.log import input_column
from gnomon.log.sampling import row_keys
from gnomon.quantities import plural

__all__ = ["UnitCounter", "UnitCounts", "UnitShares"]

_FOLD_ROWS = 1 << 18
"""Counts of so many units are merged, so that memory grows with units and not with rows."""

_COUNTS = ("failed", "done", "disagreed", "compared", "flipped", "decided")


class UnitShares(NamedTuple):
    """The share of bad rows of each unit of evidence, in the order of their first rows.

    Attributes:
        values: the shares.
        says: how many units of which kind, such as ``300 entities``.
        unit: what a unit, or each part of a block, is: ``entity`` or ``row``.
        rows_each: how many rows a unit has on average.
    """

    values: npt.NDArray[np.float64]
    says: str
    unit: str = "entity"
    rows_each: float = 1.0


class UnitCounts(NamedTuple):
    """The counts of each entity or row, in the order in which the first row of each arrived.

    Attributes:
        counts: of each of the fields of ``ShadowCounts``, and ``done``: how many rows of each unit.
        unit: what a unit is, in the singular: ``entity`` or ``row``.
        longest_burst: how many units in a row may be bad together; then blocks of at least so many
            are the units.
    """

    counts: dict[str, npt.NDArray[np.int64]]
    unit: str
    longest_burst: int | None

    def shares(self, bad: str, of: str) -> UnitShares:
        """Return the share of bad rows of each unit that has rows of the kind ``of``."""
        rows = self.counts[of]
        there = rows > 0
        values = self.counts[bad][there] / rows[there]
        rows_each = float(rows[there].mean()) if len(values) else 1.0
        if self.longest_burst is None:
            says = _plural(len(values), self.unit)
            return UnitShares(values, says, self.unit, rows_each)
        length = block_length(values, shortest=self.longest_burst)
        blocks = block_values(values, length)
        says = f"{plural(len(blocks), 'block')} of {_plural(length, self.unit)}"
        return UnitShares(blocks, says, self.unit, rows_each * length)


class UnitCounter:
    """Counts the rows of each entity, or row, over any number of batches, in any order.

    Args:
        entity_key: the features that name an entity; rows of a request with a null among them are
            one entity. Without features each row is a unit.
        longest_burst: see :class:`UnitCounts`.
    """

    def __init__(self, entity_key: Sequence[str], longest_burst: int | None) -> None:
        self._columns = tuple(input_column(name) for name in entity_key)
        self._longest_burst = longest_burst
        self._parts: list[pa.Table] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of a shadow's records."""
        requests = batch.column("request_id")
        if self._columns:
            units = pa.array(row_keys(batch, requests.to_pylist(), self._columns), pa.string())
        else:
            row = pc.cast(batch.column("row"), pa.string())
            units = pc.binary_join_element_wise(requests, row, "/")
        scored = pc.equal(batch.column("outcome"), "scored")
        agreed, flipped = batch.column("agreed"), batch.column("flipped")
        marks = {
            "failed": pc.invert(scored),
            "done": pc.is_valid(scored),
            "disagreed": pc.fill_null(pc.invert(agreed), False),
            "compared": pc.is_valid(agreed),
            "flipped": pc.fill_null(flipped, False),
            "decided": pc.is_valid(flipped),
        }
        counts = {name: pc.cast(mask, pa.int64()) for name, mask in marks.items()}
        rows = pa.table({"unit": units, "arrived": batch.column("arrived"), **counts})
        self._parts.append(_by_unit([rows]))
        if sum(part.num_rows for part in self._parts[1:]) > _FOLD_ROWS:
            self._parts = [_by_unit(self._parts)]

    def counts(self) -> UnitCounts:
        """Return the counts so far."""
        counts = {name: np.zeros(0, np.int64) for name in _COUNTS}
        if self._parts:
            table = _by_unit(self._parts).sort_by([("arrived", "ascending"), ("unit", "ascending")])
            counts = {name: table.column(name).to_numpy() for name in _COUNTS}
        return UnitCounts(counts, "entity" if self._columns else "row", self._longest_burst)


def _by_unit(parts: Sequence[pa.Table]) -> pa.Table:
    """Sum the counts of each unit, with the time of its first row."""
    sums = [(name, "sum") for name in _COUNTS]
    table = pa.concat_tables(parts).group_by("unit").aggregate([("arrived", "min"), *sums])
    plain = {"arrived_min": "arrived", **{f"{name}_sum": name for name in _COUNTS}}
    return table.rename_columns([plain.get(name, name) for name in table.column_names])


def _plural(n: int, unit: str) -> str:
    return plural(n, unit) if unit == "row" or n == 1 else f"{n:,} entities"
