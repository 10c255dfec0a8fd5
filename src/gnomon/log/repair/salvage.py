"""The batches of a damaged segment that can still be read, and those that are lost.

A batch keeps its offset: lost bytes between two complete batches are replaced by a message of the
same length without rows, so that every address in the log stays correct.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from gnomon import files
from gnomon.errors import LogError
from gnomon.log.lost_ranges import LostRange, record_lost
from gnomon.log.repair.resync import whole_messages
from gnomon.log.repair.unreadable_segment import (
    UnreadableSegment,
    began_at,
    request_ids,
    set_aside_unreadable,
)
from gnomon.log.segments.closed_segments import place_aside
from gnomon.log.segments.ipc_messages import filler, is_unchanged, message_length, padded
from gnomon.log.segments.layout import Segment
from gnomon.log.segments.schema import message_mark
from gnomon.log.segments.tail import POSITION_KEY, source_position
from gnomon.log.table.log_table import LogTable

__all__ = ["SalvagedSegment", "salvage"]


@dataclass(frozen=True, kw_only=True)
class SalvagedSegment:
    """A damaged segment that was set aside and replaced by its readable batches.

    Attributes:
        segment: the file that replaces it; if ``unreadable``, the file that was there.
        set_aside: the path of the damaged file.
        kept_rows: rows that could be read.
        lost: the ranges that could not be read.
        request_ids: ids found in those ranges that no complete batch has. There may have been
            more, and a request's body may contain some that no request had.
        after: the last request id before the damage; ids sort by time of arrival.
        before: the first request id after the damage.
        unreadable: its beginning was damaged, so that no row could be read and no file replaces
            it.
    """

    segment: Path
    set_aside: Path
    kept_rows: int
    lost: tuple[LostRange, ...]
    request_ids: tuple[str, ...]
    after: str | None
    before: str | None
    unreadable: bool = False


def salvage(segment: Segment, table: LogTable) -> SalvagedSegment:
    """Set a damaged closed segment aside, and replace it by its readable batches.

    Both files, and the list of lost ranges, are on disk when this returns.

    Args:
        segment: the segment.
        table: the model's, to find how far a shadow had read.

    Raises:
        LogError: more was found than was ever written to it, or a list in its folder is damaged.
        OSError: the disk refuses.
    """
    assert segment.closed is not None
    folder, content = segment.path.parent, segment.path.read_bytes()
    set_aside = place_aside(folder, segment.path.name)
    try:
        schema, first = _schema(segment.path, content)
    except UnreadableSegment:
        return _unreadable(segment, set_aside, table)
    mark = message_mark(schema.metadata, str(segment.path))
    kept: list[_Kept] = []
    seen: set[bytes] = set()
    for at, message in whole_messages(memoryview(content)[first:], mark):
        batch = _decode(message, schema)
        digest = hashlib.sha256(message).digest()
        if batch is not None and not (batch.num_rows and digest in seen):
            seen.add(digest)
            kept.append(_Kept(first + at, message, batch))
    gaps = _gaps(kept, first, max(segment.closed, len(content)))
    parts, places = _rebuilt(content[:first], kept, segment, schema, mark)
    lost = tuple(_lost(segment, gap, kept, schema.metadata) for gap in places)
    files.replace(set_aside, content)
    record_lost(folder, lost)
    files.replace(segment.path, b"".join(parts))
    known = {id_ for one in kept for id_ in one.ids}
    found = {one for begin, end in gaps for one in request_ids(content[begin:end])}
    edge = gaps[0][0] if gaps else segment.closed
    return SalvagedSegment(
        segment=segment.path,
        set_aside=set_aside,
        kept_rows=sum(one.batch.num_rows for one in kept),
        lost=lost,
        request_ids=tuple(sorted(found - known)),
        after=next((one.ids[-1] for one in reversed(kept) if one.ids and one.at < edge), None),
        before=next((one.ids[0] for one in kept if one.ids and one.at >= edge), None),
    )


def _unreadable(segment: Segment, set_aside: Path, table: LogTable) -> SalvagedSegment:
    assert segment.closed is not None
    size, found = set_aside_unreadable(segment, set_aside, table)
    return SalvagedSegment(
        segment=segment.path,
        set_aside=set_aside,
        kept_rows=0,
        lost=(LostRange(segment=segment.sequence, begin=0, end=size),),
        request_ids=tuple(sorted(found)),
        after=None,
        before=None,
        unreadable=True,
    )


class _Kept(NamedTuple):
    """A complete message, and the offset at which it begins."""

    at: int
    message: memoryview
    batch: pa.RecordBatch

    @property
    def ids(self) -> list[str]:
        """The request ids of its rows."""
        ids: list[str] = self.batch.column("request_id").to_pylist()
        return ids


def _schema(path: Path, content: bytes) -> tuple[pa.Schema, int]:
    """Return a segment's schema, and the offset of its first batch.

    Raises:
        UnreadableSegment: it cannot be read, or is not as it was written.
    """
    size = message_length(memoryview(content), 0)
    if 0 < size <= len(content) and is_unchanged(memoryview(content)[:size]):
        with contextlib.suppress(pa.ArrowException, OSError):
            return pa.ipc.read_schema(pa.py_buffer(content[:size])), size
    raise UnreadableSegment("the beginning of this segment is damaged", where=str(path))


def _decode(message: memoryview, schema: pa.Schema) -> pa.RecordBatch | None:
    try:
        batch = pa.ipc.read_record_batch(pa.py_buffer(message), schema)
        batch.validate(full=True)
    except (pa.ArrowException, OSError):
        return None
    return batch


def _gaps(kept: list[_Kept], first: int, closed: int) -> list[tuple[int, int]]:
    """Return the ranges of bytes that belong to no complete batch."""
    ends = [first, *(one.at + len(one.message) for one in kept)]
    begins = [*(one.at for one in kept), closed]
    return [(end, begin) for end, begin in zip(ends, begins, strict=True) if end < begin]


def _lost(
    segment: Segment, gap: tuple[int, int], kept: list[_Kept], metadata: Mapping[bytes, bytes]
) -> LostRange:
    """Describe a gap; in a shadow's stream, with the requests that were scored in it."""
    begin, end = gap
    positions = [(one.at, source_position(one.batch)) for one in kept]
    before = [position for at, position in positions if at < begin and position is not None]
    began = metadata.get(POSITION_KEY)
    read_from = str(before[-1]) if before else None if began is None else began.decode()
    last = next((one for one in kept if one.at >= end), None)
    return LostRange(
        segment=segment.sequence,
        begin=begin,
        end=end,
        read_from=read_from,
        read_to=_first_source(last.batch) if last is not None else began_at(segment) or read_from,
    )


def _first_source(batch: pa.RecordBatch) -> str | None:
    """Return the last position in the requests before the first live batch of a shadow's batch."""
    position = source_position(batch.slice(0, 1))
    return None if position is None else str(position._replace(offset=position.offset - 1))


def _rebuilt(
    head: bytes, kept: list[_Kept], segment: Segment, schema: pa.Schema, mark: bytes | None
) -> tuple[list[bytes | memoryview], list[tuple[int, int]]]:
    """Return the parts of a segment of the size it was closed with, and its lost ranges.

    Lost ranges are placed where bytes are missing. If bytes were removed or inserted, the offsets
    in the damaged file are not those that were written: then the last gap takes the remaining
    bytes.

    Raises:
        LogError: more was found than was ever written to it.
    """
    assert segment.closed is not None
    left = segment.closed - len(head) - sum(len(one.message) for one in kept)
    if left < 0:
        raise LogError(
            "this segment has more complete batches than were written to it",
            where=str(segment.path),
            hint="move it out of its folder and keep it; its rows may be in the log twice",
        )
    ends = [len(head), *(one.at + len(one.message) for one in kept)]
    missing = [one.at - end for one, end in zip(kept, ends, strict=False)]
    missing.append(max(segment.closed - ends[-1], 0))
    last = max((n for n, size in enumerate(missing) if size > 0), default=len(kept))
    parts: list[bytes | memoryview] = [head]
    lost: list[tuple[int, int]] = []
    place, waiting = len(head), 0
    for number, size in enumerate(missing):
        room = left if number == last else min(-(-max(size, 0) // 8) * 8, left)
        left -= room
        if room:
            lost.append((place, place + room))
        filled = filler(schema, room, mark) if room else b""
        if filled is None:
            waiting = room
        else:
            parts.append(filled)
        place += room
        if number < len(kept):
            message = kept[number].message
            parts.append(padded(message, waiting, mark) if waiting else message)
            place, waiting = place + len(message), 0
    if waiting:  # Nothing follows the gap: the part before it gets longer.
        parts[-1] = padded(memoryview(parts[-1]), waiting, mark)
    return parts, lost
