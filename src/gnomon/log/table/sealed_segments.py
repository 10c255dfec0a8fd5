"""What the sealed table has of a segment whose file is there, or there again."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import LogError
from gnomon.log.segments.segment_header import Home, home
from gnomon.log.segments.tail import SegmentReader
from gnomon.log.table.log_table import LogTable

__all__ = ["has_all_rows", "sealed_end"]


def sealed_end(
    reader: SegmentReader, table: LogTable, removed_until: dt.datetime | None, *, is_sealed: bool
) -> int:
    """Return the end of the last batch of a segment that the table has, or had until retention.

    Args:
        reader: the segment.
        table: the model's.
        removed_until: retention removed the rows that arrived at or before this time.
        is_sealed: whether a segment of this number was sealed from the stream.

    Raises:
        LogError: the table cannot be read.
    """
    sealed = _rows(reader, table, is_sealed=is_sealed)
    ends = [
        end if is_sealed and _is_removed(arrived, removed_until) else sealed.get(request_id, 0)
        for end, batch in reader.batches()
        for request_id, arrived in _arrivals(batch)
    ]
    return max([reader.first, *ends])


def has_all_rows(reader: SegmentReader, table: LogTable, removed_until: dt.datetime | None) -> bool:
    """Whether the table has every row of a segment, or had it until retention removed it.

    Raises:
        LogError: the table cannot be read.
    """
    sealed = _rows(reader, table, is_sealed=True)
    return all(
        request_id in sealed or _is_removed(arrived, removed_until)
        for _, batch in reader.batches()
        for request_id, arrived in _arrivals(batch)
    )


def _is_removed(arrived: dt.datetime, until: dt.datetime | None) -> bool:
    return until is not None and arrived <= until


def _arrivals(batch: pa.RecordBatch) -> zip[tuple[str, dt.datetime]]:
    return zip(batch["request_id"].to_pylist(), batch["arrived"].to_pylist(), strict=True)


def _rows(reader: SegmentReader, table: LogTable, *, is_sealed: bool) -> dict[str, int]:
    """Return the offset after each request of a segment in the table."""
    at = home(reader.schema.metadata)
    sealed = _rows_at(at, table) if is_sealed else {}
    return sealed | _rows_at(at._replace(slice=at.found("").slice), table)


def _rows_at(at: Home, table: LogTable) -> dict[str, int]:
    opened = table.load()
    if opened is None:
        return {}
    rows = (
        (pc.field("slice") == at.slice)
        & (pc.field("stream") == at.stream)
        & (pc.field("segment") == at.segment)
    )
    columns = ["request_id", "offset"]
    try:
        found = opened.to_pyarrow_dataset().to_table(columns=columns, filter=rows)
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"cannot read the sealed log: {error}", where=table.uri) from None
    return dict(zip(*(found[name].to_pylist() for name in columns), strict=True))
