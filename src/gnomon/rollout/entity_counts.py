"""Rows of a shadow counted per entity: rows of one entity repeat each other, entities do not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.entity_units import EvidenceUnits
from gnomon.log import input_column
from gnomon.log.sampling import row_keys

__all__ = ["EntityCounter", "EntityCounts"]

_FOLD_ROWS = 1 << 18
"""Counts of so many entities are merged, so that memory grows with entities and not with rows."""

_COUNTS = ("failed", "done", "disagreed", "compared", "flipped", "decided")


class EntityCounts:
    """The counts of each entity, in the order in which the entities first arrived.

    Args:
        counts: of each of the fields of `ShadowCounts`, and ``done``, the rows of each entity.
    """

    def __init__(self, counts: dict[str, npt.NDArray[np.int64]]) -> None:
        self._counts = counts

    def units(self, bad: str, of: str) -> EvidenceUnits:
        """Return the share of bad rows of each entity that has rows of the kind ``of``."""
        rows = self._counts[of]
        there = rows > 0
        return EvidenceUnits(self._counts[bad][there] / rows[there], rows[there])


class EntityCounter:
    """Counts the rows of each entity over any number of batches, in any order.

    Args:
        entity_key: the features that name an entity; a row with a null among them is an entity of
            its own with the other rows of its request.
    """

    def __init__(self, entity_key: Sequence[str]) -> None:
        self.columns = tuple(input_column(name) for name in entity_key)
        self._parts: list[pa.Table] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Count a batch of a shadow's records."""
        keys = row_keys(batch, batch.column("request_id").to_pylist(), self.columns)
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
        whole = {name: pc.cast(mask, pa.int64()) for name, mask in marks.items()}
        rows = pa.table(
            {"entity": pa.array(keys, pa.string()), "arrived": batch.column("arrived"), **whole}
        )
        self._parts.append(_by_entity([rows]))
        if sum(part.num_rows for part in self._parts[1:]) > _FOLD_ROWS:
            self._parts = [_by_entity(self._parts)]

    def counts(self) -> EntityCounts:
        """Return the counts so far."""
        if not self._parts:
            return EntityCounts({name: np.zeros(0, np.int64) for name in _COUNTS})
        table = _by_entity(self._parts).sort_by("arrived")
        return EntityCounts({name: table.column(name).to_numpy() for name in _COUNTS})


def _by_entity(parts: Sequence[pa.Table]) -> pa.Table:
    """Sum the counts of each entity, with the time of its first row."""
    sums = [(name, "sum") for name in _COUNTS]
    table = pa.concat_tables(parts).group_by("entity").aggregate([("arrived", "min"), *sums])
    plain = {"arrived_min": "arrived", **{f"{name}_sum": name for name in _COUNTS}}
    return table.rename_columns([plain.get(name, name) for name in table.column_names])
