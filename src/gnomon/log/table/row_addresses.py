"""A segment's rows in large batches, with the address of each row."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from gnomon.log.segments.schema import ADDRESS
from gnomon.log.segments.tail import SegmentReader

__all__ = ["addressed"]

_ROWS = 16_384
_BYTES = 16 * 1024 * 1024


def addressed_schema(schema: pa.Schema) -> pa.Schema:
    """Return a segment's schema with the address columns first."""
    return pa.schema([*ADDRESS, *schema])


def addressed(reader: SegmentReader, end: int | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a segment up to ``end``, each with its address.

    A segment has a batch for every few requests. They are joined into batches of some thousand
    rows, because later work costs time per batch.
    """
    batches: list[pa.RecordBatch] = []
    offsets: list[int] = []
    rows, begun = 0, reader.first
    for offset, batch in reader.batches(end=end):
        batches.append(batch)
        offsets.append(offset)
        rows += batch.num_rows
        if rows >= _ROWS or offset - begun >= _BYTES:
            yield _combine(reader, batches, offsets)
            batches, offsets, rows, begun = [], [], 0, offset
    if batches:
        yield _combine(reader, batches, offsets)


def _combine(
    reader: SegmentReader, batches: list[pa.RecordBatch], offsets: list[int]
) -> pa.RecordBatch:
    together = pa.concat_batches(batches)
    rows = np.array([batch.num_rows for batch in batches])
    metadata = reader.schema.metadata
    names = [metadata[b"gnomon.slice"], metadata[b"gnomon.stream"], b"%08d" % reader.sequence]
    columns = [
        *(pa.repeat(pa.scalar(name.decode()), together.num_rows) for name in names),
        pa.array(np.repeat(np.array(offsets, dtype=np.int64), rows)),
        *together.columns,
    ]
    return pa.record_batch(columns, schema=addressed_schema(together.schema.remove_metadata()))
