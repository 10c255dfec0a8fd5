"""A slice's requests out of the table, for who comes to them after they were sealed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import LogError
from gnomon.shadow.log.columns import read_name
from gnomon.shadow.log.layout import REQUESTS, Position
from gnomon.shadow.log.table import LogTable

if TYPE_CHECKING:
    import pyarrow.dataset

__all__ = ["sealed_requests"]


def sealed_requests(
    table: LogTable, slice_name: str, begin: Position, until: int
) -> Iterator[tuple[Position, pa.RecordBatch]]:
    """The batches of a slice's requests, each with the position after it, as they were logged.

    They are the rows and columns that the segments had, but for columns without a value. A batch's
    rows come in the order of their request ids. One segment at a time is in memory.

    Args:
        table: the model's.
        slice_name: the slice.
        begin: where to begin.
        until: the number of the first segment that is not wanted.

    Raises:
        LogError: the table cannot be read.
    """
    opened = table.load()
    if opened is None:
        return
    try:
        dataset = opened.to_pyarrow_dataset()
        for sequence in range(begin.sequence, until):
            yield from _segment(dataset, slice_name, max(begin, Position(sequence, 0)))
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"cannot read the sealed log: {error}", where=table.uri) from None


def _segment(
    dataset: pyarrow.dataset.Dataset, slice_name: str, begin: Position
) -> Iterator[tuple[Position, pa.RecordBatch]]:
    ours = (
        (pc.field("slice") == slice_name)
        & (pc.field("stream") == REQUESTS)
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
    """With the names columns had in their segment, whose contract gave each one type."""
    columns = {}
    for name, column in zip(rows.column_names, rows.columns, strict=True):
        if column.null_count < len(column):
            columns[read_name(name)] = column
        elif not name.startswith(("input_", "output_")):
            columns.setdefault(name, column)
    return pa.table(columns)
