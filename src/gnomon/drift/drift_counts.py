"""The counts from which drift is measured: integers that add up however the log is split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from gnomon.drift.bins import BinAssignment, Bins, Extra, Floats, Integers
from gnomon.drift.cells import SegmentBucket
from gnomon.drift.counted_rows import CountedRows, likeness
from gnomon.drift.entity_counts import EntityCounts
from gnomon.log.sampling import hash_to_unit_interval
from gnomon.offline.entity_slots import EntitySlots
from gnomon.offline.time_buckets import FROM_MINUTES, NO_TIME, moved, numbered, wider

__all__ = ["ColumnCounts", "DriftBatch", "DriftCounts", "ExampleRow"]

_HELD_BUCKETS = 120
_HELD_NAMES = 500


class ExampleRow(NamedTuple):
    """An example of the rows in one place: the row whose id has the lowest hash."""

    place: float
    row: str


@dataclass(frozen=True, slots=True)
class DriftBatch:
    """Rows to count.

    Attributes:
        columns: the columns with bins, by ``(kind, name)``.
        row_times: the time of each row, in seconds since 1970; NaN if it has none.
        rows: the id of each row, ``<request id>/<row>``.
        segments: the segment of each row; None when the log is not split.
        entities: the entity of each row, as text; None where the contract has no entity key.
    """

    columns: Mapping[tuple[str, str], pa.Array]
    row_times: Floats
    rows: Sequence[str]
    segments: Sequence[str] | None = None
    entities: pa.Array | pa.ChunkedArray | None = None


@dataclass
class ColumnCounts:
    """The counts of one column.

    Attributes:
        cells: a count vector as in :mod:`~gnomon.drift.bins`, by segment and bucket.
        names: rows by new value, for the values with the lowest hashes: the choice does not depend
            on the order, and a kept value was counted from its first row (bottom-k sampling, Cohen
            and Kaplan, PODC 2007).
        example_rows: an example row for each cell and place in the vector.
        entities: the rows of each entity, which all columns share.
        entity_bins: signed rows by bin, nulls last, and the slot of their entity.
    """

    bins: Bins
    entities: EntityCounts = field(default_factory=EntityCounts)
    cells: dict[SegmentBucket, Integers] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    example_rows: dict[tuple[SegmentBucket, int], ExampleRow] = field(default_factory=dict)
    entity_bins: Floats | None = None

    def add(
        self,
        assignment: BinAssignment,
        cells: Sequence[SegmentBucket],
        cell_of_row: Integers,
        rows: Ranked,
        slots: EntitySlots | None = None,
    ) -> None:
        """Count rows: the values of row ``i`` belong to the cell ``cells[cell_of_row[i]]``."""
        for cell, vector in zip(
            cells, self._vectors(assignment, cell_of_row, len(cells)), strict=True
        ):
            self._add_vector(cell, vector)
        if assignment.names is not None and assignment.new.any():
            new_values = (
                assignment.names.filter(pa.array(assignment.new)).value_counts().to_pylist()
            )
            self._add_names({entry["values"]: entry["counts"] for entry in new_values})
        self._add_examples(assignment, cells, cell_of_row, rows)
        if slots is not None:
            self._add_entity_bins(slots.sums(assignment.bins, self.bins.size + 1))

    def merge(self, other: ColumnCounts) -> None:
        """Add other counts, whose buckets have the same width."""
        for cell, vector in other.cells.items():
            self._add_vector(cell, vector)
        self._add_names(other.names)
        for key, example in other.example_rows.items():
            self._offer_example(key, example)
        if other.entity_bins is not None:
            self._add_entity_bins(other.entity_bins)

    def widen(self, seconds: int, to: int) -> None:
        """Merge the buckets into wider ones."""
        cells, example_rows = self.cells, self.example_rows
        self.cells, self.example_rows = {}, {}
        for cell, vector in cells.items():
            self._add_vector(cell.widened(seconds, to), vector)
        for (cell, place), example in example_rows.items():
            self._offer_example((cell.widened(seconds, to), place), example)

    def total(self, segment: str | None = None) -> CountedRows:
        """Return the sum over all cells, or over those of a segment."""
        chosen = [cell for cell in self.cells if segment in (None, cell.segment)]
        return self._sum(chosen, self._likeness())

    def by_bucket(self, segment: str | None = None) -> dict[int, CountedRows]:
        """Return each bucket's sum over the segments, or over one, in order of time."""
        chosen: dict[int, list[SegmentBucket]] = {}
        for cell in self.cells:
            if cell.bucket != NO_TIME and segment in (None, cell.segment):
                chosen.setdefault(cell.bucket, []).append(cell)
        alike = self._likeness()
        return {bucket: self._sum(chosen[bucket], alike) for bucket in sorted(chosen)}

    def _sum(self, cells: Sequence[SegmentBucket], alike: float) -> CountedRows:
        vectors = [self.cells[cell] for cell in cells]
        vector = np.sum([np.zeros(len(self.bins.training), np.int64), *vectors], axis=0)
        return CountedRows(vector, self.entities.sum(cells), alike)

    def _likeness(self) -> float:
        """Measure how alike the rows of one entity are, over all cells."""
        if self.entity_bins is None:
            return 1.0
        rows = np.sum([*self.cells.values()], axis=0)[: self.bins.size + 1]
        return likeness(self.entity_bins, self.entities.rows, rows)

    @property
    def segments(self) -> list[str]:
        """Every segment that has rows, in order."""
        return sorted({cell.segment for cell in self.cells})

    def _vectors(self, assignment: BinAssignment, cell_of_row: Integers, cells: int) -> Integers:
        """Return one vector for each cell."""
        bins, width = self.bins.size, self.bins.size + 1
        flat = np.bincount(cell_of_row * width + assignment.bins, minlength=cells * width)
        extra = {
            Extra.NEW: assignment.new,
            Extra.BELOW: assignment.excess < 0,
            Extra.ABOVE: assignment.excess > 0,
            Extra.EXCESS_BELOW: -np.minimum(assignment.excess, 0),
            Extra.EXCESS_ABOVE: np.maximum(assignment.excess, 0),
        }
        vectors = np.zeros((cells, len(self.bins.training)), dtype=np.int64)
        vectors[:, :width] = flat.reshape(cells, width)  # the last column is the nulls
        for what, amounts in extra.items():
            if amounts.any():
                np.add.at(vectors[:, bins + what], cell_of_row, amounts)
        return vectors

    def _add_entity_bins(self, signed: Floats) -> None:
        self.entity_bins = signed if self.entity_bins is None else self.entity_bins + signed

    def _add_vector(self, cell: SegmentBucket, vector: Integers) -> None:
        self.cells[cell] = self.cells[cell] + vector if cell in self.cells else vector.copy()

    def _add_names(self, more: Mapping[str, int]) -> None:
        for name, rows in more.items():
            self.names[name] = self.names.get(name, 0) + rows
        if len(self.names) > _HELD_NAMES:
            names = sorted(self.names)
            order = np.argsort(hash_to_unit_interval(names), kind="stable")[:_HELD_NAMES]
            self.names = {names[i]: self.names[names[i]] for i in order.tolist()}

    def _add_examples(
        self,
        assignment: BinAssignment,
        cells: Sequence[SegmentBucket],
        cell_of_row: Integers,
        rows: Ranked,
    ) -> None:
        """Keep, for each cell and place, its row with the lowest rank as example."""
        place = assignment.bins.copy()
        size, places = self.bins.size, len(self.bins.training)
        place[assignment.new] = size + Extra.NEW
        place[assignment.excess < 0] = size + Extra.BELOW
        place[assignment.excess > 0] = size + Extra.ABOVE
        keys, first = np.unique((cell_of_row * places + place)[rows.order], return_index=True)
        for key, row in zip(keys.tolist(), rows.order[first].tolist(), strict=True):
            example = ExampleRow(float(rows.places[row]), rows.ids[row])
            self._offer_example((cells[key // places], key % places), example)

    def _offer_example(self, key: tuple[SegmentBucket, int], example: ExampleRow) -> None:
        self.example_rows[key] = min(self.example_rows.get(key, example), example)


@dataclass(frozen=True, slots=True)
class Ranked:
    """Rows ordered by the hash of their ids."""

    ids: Sequence[str]
    places: Floats
    order: Integers

    @classmethod
    def of(cls, ids: Sequence[str]) -> Ranked:
        """Rank rows by the hash of their ids."""
        places = hash_to_unit_interval(ids)
        return cls(ids, places, np.argsort(places, kind="stable"))


class DriftCounts:
    """Counts of every column, by segment and time. Memory does not grow with the log.

    Any split of the same rows, in any order, merges to the same counts: a bucket is as wide as the
    entire range requires, widths are multiples of each other, and the names and rows to keep are
    chosen by hash.
    """

    def __init__(self, bins: Sequence[Bins]) -> None:
        self.seconds = FROM_MINUTES[0]
        self.rows = 0
        self._entities = EntityCounts()
        self.columns = {(b.kind, b.name): ColumnCounts(b, self._entities) for b in bins}
        self._buckets: set[int] = set()

    def add(self, batch: DriftBatch) -> None:
        """Count rows."""
        if not len(batch.rows):
            return
        self._make_room(set(np.unique(numbered(batch.row_times, self.seconds)).tolist()))
        cells, cell_of_row = _cells(batch, numbered(batch.row_times, self.seconds))
        ranked = Ranked.of(batch.rows)
        slots = None if batch.entities is None else EntitySlots.of(batch.entities)
        if slots is not None:
            self._entities.add(slots, cells, cell_of_row)
        for key, column in batch.columns.items():
            counts = self.columns[key]
            counts.add(counts.bins.assign(column), cells, cell_of_row, ranked, slots)
        self.rows += len(batch.rows)

    def merge(self, other: DriftCounts) -> None:
        """Add the counts of other rows; this may widen the buckets of ``other``."""
        while self.seconds < other.seconds:
            self.widen()
        while other.seconds < self.seconds:
            other.widen()
        self._entities.merge(other._entities)
        for key, column in other.columns.items():
            self.columns[key].merge(column)
        self.rows += other.rows
        self._make_room(other._buckets)

    def widen(self) -> bool:
        """Widen the buckets; return False if they already have the largest width."""
        to = wider(FROM_MINUTES, self.seconds)
        if to is None:
            return False
        self._entities.widen(self.seconds, to)
        for column in self.columns.values():
            column.widen(self.seconds, to)
        self._buckets = {moved(bucket, self.seconds, to) for bucket in self._buckets}
        self.seconds = to
        return True

    @property
    def buckets(self) -> list[int]:
        """Every bucket that has rows, in order."""
        return sorted(self._buckets - {NO_TIME})

    def __iter__(self) -> Iterator[ColumnCounts]:
        return iter(self.columns.values())

    def _make_room(self, buckets: set[int]) -> None:
        """Add buckets, and widen them until there are few enough."""
        self._buckets |= buckets
        while len(self._buckets) > _HELD_BUCKETS and self.widen():
            pass


def _cells(batch: DriftBatch, buckets: Integers) -> tuple[list[SegmentBucket], Integers]:
    """Return the cells of a batch, and the cell of each row."""
    segments = batch.segments if batch.segments is not None else [""] * len(batch.rows)
    names, segment = np.unique(np.array(segments), return_inverse=True)
    pairs, cell_of_row = np.unique(
        np.stack([segment, buckets], axis=1), axis=0, return_inverse=True
    )
    cells = [SegmentBucket(str(names[s]), int(bucket)) for s, bucket in pairs.tolist()]
    return cells, cell_of_row.reshape(-1).astype(np.int64)
