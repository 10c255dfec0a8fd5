"""How many rows each entity has, by cell, in counters whose number does not grow with entities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from gnomon.drift.bins import Floats, Integers
from gnomon.drift.cells import SegmentBucket
from gnomon.offline.entity_slots import SLOTS, EntitySlots

__all__ = ["EntityCounts"]


@dataclass
class EntityCounts:
    """Rows by the slot of their entity; none where rows have no entities.

    Attributes:
        cells: signed, by segment and bucket.
        rows: without signs, over all cells.
    """

    cells: dict[SegmentBucket, Floats] = field(default_factory=dict)
    rows: Floats = field(default_factory=lambda: np.zeros(SLOTS))

    def add(
        self, slots: EntitySlots, cells: Sequence[SegmentBucket], cell_of_row: Integers
    ) -> None:
        """Count rows: row ``i`` belongs to the cell ``cells[cell_of_row[i]]``."""
        for cell, signed in zip(cells, slots.sums(cell_of_row, len(cells)), strict=True):
            self._add(cell, signed)
        self.rows += np.bincount(slots.slots, minlength=SLOTS)

    def merge(self, other: EntityCounts) -> None:
        """Add other counts, whose buckets have the same width."""
        for cell, signed in other.cells.items():
            self._add(cell, signed)
        self.rows += other.rows

    def widen(self, seconds: int, to: int) -> None:
        """Merge the buckets into wider ones."""
        cells, self.cells = self.cells, {}
        for cell, signed in cells.items():
            self._add(cell.widened(seconds, to), signed)

    def sum(self, cells: Sequence[SegmentBucket]) -> Floats | None:
        """Return the signed rows of some cells; None if rows have no entities."""
        if not self.cells:
            return None
        total: Floats = np.sum([np.zeros(SLOTS), *map(self.cells.__getitem__, cells)], axis=0)
        return total

    def _add(self, cell: SegmentBucket, signed: Floats) -> None:
        self.cells[cell] = self.cells[cell] + signed if cell in self.cells else signed.copy()
