"""Segments whose beginning is damaged: schema and mark are lost, so no row can be read.

Such a segment is moved out of its stream unchanged. Numbers may be missing in a stream, like those
of sealed segments; readers continue with the next.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from gnomon import files
from gnomon.errors import LogError
from gnomon.log.lost_ranges import LostRange, record_lost
from gnomon.log.sealed_stream import last_source
from gnomon.log.segments.layout import REQUESTS, Position, Segment, stream_segments
from gnomon.log.segments.tail import POSITION_KEY, SegmentReader, source_position
from gnomon.log.table.log_table import LogTable

__all__ = [
    "UnreadableSegment",
    "began_at",
    "record_all_lost",
    "request_ids",
    "set_aside_unreadable",
]

_REQUEST_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


class UnreadableSegment(LogError):
    """A segment whose schema cannot be read."""


def request_ids(content: bytes) -> set[str]:
    """Find every request id in some bytes; a request's body may contain ids that no request had."""
    return {match.decode() for match in _REQUEST_ID.findall(content)}


def set_aside_unreadable(segment: Segment, place: Path, table: LogTable) -> tuple[int, set[str]]:
    """Move a segment out of its stream, and record that all of it is lost.

    Args:
        segment: a closed segment.
        place: the file to move it to.
        table: the model's, to find how far a shadow had read.

    Returns:
        How many bytes are lost, and the request ids that are left in them.

    Raises:
        OSError: the disk refuses.
        LogError: the list of what is lost is damaged, or the table cannot be read.
    """
    content = segment.path.read_bytes()
    size = max(segment.closed or 0, len(content))
    files.replace(place, content)
    record_all_lost(segment, size, table)
    files.remove(segment.path)
    return size, request_ids(content)


def record_all_lost(segment: Segment, size: int, table: LogTable) -> None:
    """Record that all of a segment is lost.

    Args:
        segment: a closed segment; its file need not exist.
        size: its size in bytes.
        table: the model's, to find how far a shadow had read.

    Raises:
        OSError: the disk refuses.
        LogError: the list of what is lost is damaged, or the table cannot be read.
    """
    folder = segment.path.parent
    lost = LostRange(segment=segment.sequence, begin=0, end=size)
    if folder.name != REQUESTS:
        began = _read_before(segment, table)
        lost = LostRange(
            segment=segment.sequence,
            begin=0,
            end=size,
            read_from=began,
            read_to=began_at(segment) or began,
        )
    record_lost(folder, (lost,))


def began_at(segment: Segment) -> str | None:
    """Return how far a shadow had read when it began the next readable segment; None if none.

    Without one, the shadow reads again from its earlier position, and loses no scored row.
    """
    for following in stream_segments(segment.path.parent):
        if following.sequence > segment.sequence:
            with contextlib.suppress(FileNotFoundError, LogError):
                with SegmentReader(following.path) as reader:
                    began = reader.schema.metadata.get(POSITION_KEY)
                return None if began is None else began.decode()
    return None


def _read_before(segment: Segment, table: LogTable) -> str | None:
    """Return how far a shadow had read when it began a segment that is now unreadable."""
    for position in _positions_before(segment):
        return str(position)
    folder = segment.path.parent
    sealed = last_source(table, folder, before=segment.sequence)
    return None if sealed is None else str(sealed)


def _positions_before(segment: Segment) -> Iterator[Position]:
    earlier = [s for s in stream_segments(segment.path.parent) if s.sequence < segment.sequence]
    for one in reversed(earlier):
        with contextlib.suppress(FileNotFoundError, LogError, pa.ArrowException):
            with SegmentReader(one.path, one.closed) as reader:
                last, began = reader.last_batch(), reader.schema.metadata.get(POSITION_KEY)
            position = None if last is None else source_position(last)
            if position is not None:
                yield position
            if began is not None:
                yield Position.parse(began.decode())
