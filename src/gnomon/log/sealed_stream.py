"""Sealed batches of a stream, for a reader that reaches them after they were sealed."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import LogError
from gnomon.log.segments.layout import Position
from gnomon.log.segments.tail import Tail
from gnomon.log.table.columns import read_name
from gnomon.log.table.log_table import LogTable

if TYPE_CHECKING:
    import pyarrow.dataset

__all__ = ["WholeTail", "last_source", "sealed_batches"]

Logged = tuple[Position, pa.RecordBatch]
"""A batch as it was logged, and the position after it."""


class WholeTail:
    """Every batch of a stream from a position on; like :class:`Tail`, but with sealed batches.

    Args:
        folder: the stream's.
        position: where to begin.
        table: the model's.
    """

    def __init__(self, folder: Path, position: Position, table: LogTable) -> None:
        self._folder = folder
        self._table = table
        self._tail = Tail(folder, position, passes_over=False)
        self._sealed: Iterator[Logged] = iter(())
        self._gap: int | None = None

    @property
    def position(self) -> Position:
        """The position after the last batch that was returned."""
        return self._tail.position

    def poll(self, most: int = 256) -> list[Logged]:
        """Return up to ``most`` further batches, each with the position after it; empty at the end.

        Raises:
            LogError: a segment is damaged, or the table cannot be read.
        """
        while True:
            if found := self._read_sealed(most):
                return found
            found, self._gap = self._tail.poll(most), self._tail.gap
            if found or self._gap is None:
                return found
            self._sealed = sealed_batches(self._table, self._folder, self.position, self._gap)

    def close(self) -> None:
        """Close the files."""
        self._tail.close()

    def _read_sealed(self, most: int) -> list[Logged]:
        """Return further sealed batches; after the last, move on to the unsealed ones."""
        try:
            found = list(itertools.islice(self._sealed, most))
        except LogError:
            self._gap = None  # The next poll looks for them again, from the last position.
            raise
        if found:
            self._tail.position = found[-1][0]
        elif self._gap is not None:
            self._tail.position = Position(self._gap, 0)
        return found


def sealed_batches(table: LogTable, folder: Path, begin: Position, until: int) -> Iterator[Logged]:
    """Yield the batches of a stream as they were logged, each with the position after it.

    They have the rows and columns of the segments, except columns without a value. A batch's rows
    are in the order of their request ids. One segment at a time is in memory.

    Args:
        table: the model's.
        folder: the stream's; its name and its parent's identify the stream.
        begin: where to begin.
        until: the number of the first segment not to read.

    Raises:
        LogError: the table cannot be read.
    """
    opened = table.read()
    if opened is None:
        return
    try:
        dataset = opened.to_pyarrow_dataset()
        for sequence in range(begin.sequence, until):
            yield from _segment(dataset, folder, max(begin, Position(sequence, 0)))
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"cannot read the sealed log: {error}", where=table.uri) from None


def last_source(table: LogTable, folder: Path, *, before: int | None = None) -> Position | None:
    """Return the furthest position in the requests from which a shadow's sealed rows were read.

    Args:
        table: the model's.
        folder: the shadow's stream; its name and its parent's identify the stream.
        before: only in segments before this number.

    Raises:
        LogError: the table cannot be read.
    """
    opened = table.read()
    if opened is None or "source_end" not in opened.schema().to_arrow().names:
        return None
    ours = (pc.field("slice") == folder.parent.name) & (pc.field("stream") == folder.name)
    if before is not None:
        ours &= pc.field("segment") < Position(before, 0).segment
    try:
        rows = opened.to_pyarrow_dataset().to_table(
            columns=["source_segment", "source_end"], filter=ours
        )
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"cannot read the sealed log: {error}", where=table.uri) from None
    known = rows.drop_null()
    if not known.num_rows:
        return None
    segment = pc.max(known["source_segment"]).as_py()
    end = pc.max(known.filter(pc.equal(known["source_segment"], segment))["source_end"])
    return Position(int(segment), end.as_py())


def _segment(dataset: pyarrow.dataset.Dataset, folder: Path, begin: Position) -> Iterator[Logged]:
    ours = (
        (pc.field("slice") == folder.parent.name)
        & (pc.field("stream") == folder.name)
        & (pc.field("segment") == begin.segment)
        & (pc.field("offset") > begin.offset)
    )
    rows = dataset.to_table(filter=ours).sort_by(
        [(name, "ascending") for name in ("offset", "request_id", "row")]
    )
    if not rows.num_rows:
        return
    whole = _as_logged(rows).combine_chunks().to_batches()[0]
    offsets = rows.column("offset").to_numpy()
    starts = np.flatnonzero(np.diff(offsets, prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(offsets)], strict=True):
        after = Position(begin.sequence, int(offsets[start]))
        yield after, whole.slice(int(start), int(end - start))


def _as_logged(rows: pa.Table) -> pa.Table:
    """Rename columns as in their segment, whose contract gave each column one type."""
    columns = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if column.null_count < len(column):
            columns[read_name(name)] = column
        elif not name.startswith(("input_", "output_")):
            columns.setdefault(name, column)
    return pa.table(columns)
