"""The rows of a shadow that excuses leave out of the gates of disagreement and flips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.comparators import compare
from gnomon.log import Snapshot, input_column, output_column
from gnomon.policy import Rules
from gnomon.rollout.evidence.excuse import RecordedExcuse

__all__ = ["ExcusedCounts", "ExcusedRows", "WithoutColumns", "compared_without", "differing"]

Mask = npt.NDArray[np.bool_]


class ExcusedCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that one excuse covers; those of all column excuses are counted together.

    Attributes:
        excuses: the excuse, or all excuses of columns.
        rows: compared rows that the gate of disagreement does not judge as they are: all of a
            segment; of columns, those that disagree only there, which count as agreeing.
        decided: the same for the gate of flips: of a segment, those with a decision; of columns,
            those whose decision flips only by them, which count as not flipping.
        disagreed: of ``rows``, those that disagree with live.
        flipped: of ``decided``, those whose decision flips.
        left_out: whether the rows are left out altogether, as those of a segment are.
    """

    excuses: tuple[RecordedExcuse, ...]
    rows: int = 0
    decided: int = 0
    disagreed: int = 0
    flipped: int = 0
    left_out: bool = True


class WithoutColumns(NamedTuple):
    """A row compared without the excused columns: whether it agrees, and whether it flips."""

    agrees: bool
    flips: bool


class ExcusedRows:
    """Takes what is excused out of a shadow's rows, and counts it.

    The rows of an excused segment become rows that were not compared. A row that differs only in
    excused columns becomes one that agrees, and one that flips only by them does not flip.
    Failures stay what they are.

    Args:
        segments: the excuses of segments; a row is counted by the first that covers it.
        columns: the excuses of columns.
        without: rows compared without the excused columns, as :func:`compared_without` returns
            them.
    """

    def __init__(
        self,
        segments: Sequence[RecordedExcuse],
        columns: Sequence[RecordedExcuse] = (),
        without: Mapping[str, WithoutColumns] | None = None,
    ) -> None:
        self._segments = segments
        without = without or {}
        self._keys = pa.array(without, pa.string())
        self._agrees = pa.array([row.agrees for row in without.values()], pa.bool_())
        self._flips = pa.array([row.flips for row in without.values()], pa.bool_())
        self._counts = [ExcusedCounts(excuses=(excuse,)) for excuse in segments]
        if columns:
            self._counts.append(ExcusedCounts(excuses=tuple(columns), left_out=False))

    @property
    def needs(self) -> tuple[str, ...]:
        """The log's columns that it reads, besides those of every shadow's row."""
        return tuple(
            dict.fromkeys(
                input_column(s.excuse.feature) for s in self._segments if s.excuse.feature
            )
        )

    def counts(self) -> tuple[ExcusedCounts, ...]:
        """Return what was excused so far."""
        return tuple(self._counts)

    def applied(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the rows as gates judge them."""
        for batch in batches:
            yield self._without_columns(self._without_segments(batch))

    def _without_segments(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        compared = pc.is_valid(batch.column("agreed")).to_numpy(zero_copy_only=False)
        for place, recorded in enumerate(self._segments):
            rows = compared & _in_segment(batch, recorded)
            mask = pa.array(rows)
            decided = pc.and_(mask, pc.is_valid(batch.column("flipped")))
            self._count(place, batch, mask, decided)
            compared &= ~rows
            nothing = pa.scalar(None, pa.bool_())
            agreed, flipped = (
                pc.if_else(mask, nothing, batch.column(name)) for name in ("agreed", "flipped")
            )
            batch = _judged_as(batch, agreed, flipped)
        return batch

    def _without_columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not len(self._keys):
            return batch
        places = pc.index_in(_keys(batch), self._keys)
        agreed, flipped = batch.column("agreed"), batch.column("flipped")
        agrees = pc.and_(pc.fill_null(self._agrees.take(places), False), pc.invert(agreed))
        flips_not = pc.and_(pc.invert(pc.fill_null(self._flips.take(places), True)), flipped)
        self._count(-1, batch, agrees, flips_not)
        return _judged_as(batch, pc.or_(agreed, agrees), pc.and_(flipped, pc.invert(flips_not)))

    def _count(
        self, place: int, batch: pa.RecordBatch, rows: pa.BooleanArray, decided: pa.BooleanArray
    ) -> None:
        before = self._counts[place]
        disagreed = pc.and_(rows, pc.invert(batch.column("agreed")))
        flipped = pc.and_(decided, batch.column("flipped"))
        self._counts[place] = msgspec.structs.replace(
            before,
            rows=before.rows + _number(rows),
            decided=before.decided + _number(decided),
            disagreed=before.disagreed + _number(disagreed),
            flipped=before.flipped + _number(flipped),
        )


def _number(mask: pa.BooleanArray) -> int:
    number: int = pc.sum(mask).as_py() or 0
    return number


def _judged_as(
    batch: pa.RecordBatch, agreed: pa.BooleanArray, flipped: pa.BooleanArray
) -> pa.RecordBatch:
    for name, values in (("agreed", agreed), ("flipped", flipped)):
        batch = batch.set_column(batch.schema.get_field_index(name), name, values)
    return batch


def _in_segment(batch: pa.RecordBatch, recorded: RecordedExcuse) -> Mask:
    """Return which rows have the segment's value; none where that cannot be one."""
    name = input_column(recorded.excuse.feature or "")
    if name not in batch.schema.names:
        return np.zeros(batch.num_rows, dtype=bool)
    column = batch.column(name)
    try:
        value = pa.scalar(recorded.excuse.value).cast(column.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return np.zeros(batch.num_rows, dtype=bool)
    equal: Mask = pc.fill_null(pc.equal(column, value), False).to_numpy(zero_copy_only=False)
    return equal


def differing(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return the rows that disagree or flip; without a decision no row is known to flip."""
    return batch.filter(pc.or_kleene(pc.invert(batch.column("agreed")), batch.column("flipped")))


def compared_without(
    log: Snapshot,
    disagreeing: pa.Table,
    live: str,
    rules: Rules,
) -> dict[str, WithoutColumns]:
    """Compare rows again, on fewer columns.

    Args:
        log: a snapshot of the model's log, with the answers of live.
        disagreeing: rows of the shadow that disagree or flip, with their outputs.
        live: the live artifact's tag.
        rules: how the columns that are not excused are compared.

    Returns:
        The result by ``request_id/row``. Where no column is left to decide on, no row flips: what
        would flip is excused.
    """
    outputs = [output_column(name) for name in rules.comparators]
    requests = disagreeing.column("request_id").combine_chunks()
    earliest = pc.min(disagreeing.column("arrived")).as_py()
    if earliest is None:
        return {}
    parts = [
        batch.filter(pc.is_in(batch.column("request_id"), requests))
        for batch in log.scan(
            columns=["request_id", "row", *outputs], role="live", artifact=live, start=earliest
        )
    ]
    if not parts:
        return {}
    answers = pa.Table.from_batches(parts).combine_chunks()
    keys = _keys(disagreeing)
    places = pc.index_in(keys, _keys(answers))
    there = pc.is_valid(places)
    mine, theirs = disagreeing.filter(there), answers.take(places.drop_null())
    names = [*rules.comparators]
    compared = compare(
        theirs.select(outputs).rename_columns(names),
        mine.select(outputs).rename_columns(names),
        rules,
    )
    found = zip(compared.agreed.tolist(), compared.flipped.tolist(), strict=True)
    rows = (WithoutColumns(agrees, flips) for agrees, flips in found)
    return dict(zip(keys.filter(there).to_pylist(), rows, strict=True))


def _keys(rows: pa.RecordBatch | pa.Table) -> pa.Array:
    """Return ``request_id/row`` of each row."""
    numbers = pc.cast(rows.column("row"), pa.string())
    keys = pc.binary_join_element_wise(rows.column("request_id"), numbers, "/")
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
