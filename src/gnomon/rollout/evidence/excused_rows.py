"""The rows of a shadow that excuses leave out of the gates of disagreement and flips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.comparators import compare
from gnomon.log import Snapshot, input_column, output_column
from gnomon.policy import Rules
from gnomon.rollout.evidence.excuse import RecordedExcuse

__all__ = ["ExcusedCounts", "ExcusedRows", "agreeing_without", "differing"]

Mask = npt.NDArray[np.bool_]


class ExcusedCounts(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that one excuse covers; those of all column excuses are counted together.

    Attributes:
        excuses: the excuse, or all excuses of columns.
        rows: compared rows that are not judged: all of a segment; of columns, those that agree
            in all others.
        disagreed: those of them that disagree with live.
        flipped: those of them whose decision flips.
        left_out: whether the rows are left out altogether, as those of a segment are.
    """

    excuses: tuple[RecordedExcuse, ...]
    rows: int = 0
    disagreed: int = 0
    flipped: int = 0
    left_out: bool = True


class ExcusedRows:
    """Takes what is excused out of a shadow's rows, and counts it.

    The rows of an excused segment become rows that were not compared. A row that differs only in
    excused columns becomes one that agrees. Failures stay what they are.

    Args:
        segments: the excuses of segments; a row is counted by the first that covers it.
        columns: the excuses of columns.
        agreeing: rows that agree but for the excused columns, as :func:`agreeing_without` returns
            them.
    """

    def __init__(
        self,
        segments: Sequence[RecordedExcuse],
        columns: Sequence[RecordedExcuse] = (),
        agreeing: Mapping[str, bool | None] | None = None,
    ) -> None:
        self._segments = segments
        self._agreeing = agreeing or {}
        self._keys = pa.array(self._agreeing, pa.string())
        self._flips = pa.array(self._agreeing.values(), pa.bool_())
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
            self._count(place, batch, rows)
            compared &= ~rows
            for name in ("agreed", "flipped"):
                values = pc.if_else(pa.array(rows), pa.scalar(None, pa.bool_()), batch.column(name))
                batch = batch.set_column(batch.schema.get_field_index(name), name, values)
        return batch

    def _without_columns(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if not self._agreeing:
            return batch
        places = pc.index_in(_keys(batch), self._keys)
        compared = pc.is_valid(batch.column("agreed"))
        rows = pc.and_(pc.is_valid(places), compared)
        self._count(-1, batch, rows.to_numpy(zero_copy_only=False))
        changes = {
            "agreed": pc.or_(rows, batch.column("agreed")),
            "flipped": pc.if_else(rows, self._flips.take(places), batch.column("flipped")),
        }
        for name, values in changes.items():
            batch = batch.set_column(batch.schema.get_field_index(name), name, values)
        return batch

    def _count(self, place: int, batch: pa.RecordBatch, rows: Mask) -> None:
        before, mask = self._counts[place], pa.array(rows)
        disagreed = pc.and_(mask, pc.invert(batch.column("agreed")))
        flipped = pc.and_(mask, batch.column("flipped"))
        self._counts[place] = msgspec.structs.replace(
            before,
            rows=before.rows + int(rows.sum()),
            disagreed=before.disagreed + (pc.sum(disagreed).as_py() or 0),
            flipped=before.flipped + (pc.sum(flipped).as_py() or 0),
        )


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


def agreeing_without(
    log: Snapshot,
    disagreeing: pa.Table,
    live: str,
    rules: Rules,
) -> dict[str, bool | None]:
    """Compare rows again, on fewer columns, and return those that then agree.

    Args:
        log: a snapshot of the model's log, with the answers of live.
        disagreeing: rows of the shadow that disagree or flip, with their outputs.
        live: the live artifact's tag.
        rules: how the columns that are not excused are compared.

    Returns:
        By ``request_id/row``, whether the decision flips; None where nothing is left to decide on.
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
    flips = compared.flipped.tolist() if rules.decides else [None] * mine.num_rows
    found = zip(keys.filter(there).to_pylist(), compared.agreed.tolist(), flips, strict=True)
    return {key: flip for key, agrees, flip in found if agrees}


def _keys(rows: pa.RecordBatch | pa.Table) -> pa.Array:
    """Return ``request_id/row`` of each row."""
    numbers = pc.cast(rows.column("row"), pa.string())
    keys = pc.binary_join_element_wise(rows.column("request_id"), numbers, "/")
    return keys.combine_chunks() if isinstance(keys, pa.ChunkedArray) else keys
