"""Recovery of a stream whose writer died: torn ends are cut off, damage is kept.

A crash of the process leaves no torn data. A power failure may lose part of what was written after
the last sync, or leave zeros; such an end is cut off. An error before the last sync is damage: the
segment is closed as it is, so that readers find the damage, and the stream continues in the next.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

from gnomon import files
from gnomon.compat.platform import sync_descriptor
from gnomon.errors import LogError, LogUnavailable
from gnomon.log.segments.closed_segments import closed_segments, filled_segments, record_closed
from gnomon.log.segments.layout import (
    START,
    Position,
    Segment,
    StreamBusy,
    StreamLock,
    stream_segments,
)
from gnomon.log.segments.new_segment import create_segment, remove_unnamed
from gnomon.log.segments.schema import FORMAT_KEY
from gnomon.log.segments.tail import POSITION_KEY, EmptySegment, SegmentReader, read_position

__all__ = ["close_segments", "recover"]

_logger = logging.getLogger("gnomon.log")


def recover(folder: Path) -> bool:
    """Close segments of a dead writer, cutting torn ends; return False if the writer lives.

    Raises:
        LogUnavailable: the disk refuses.
        LogError: the newest segment is damaged rather than torn.
    """
    try:
        lock = StreamLock(folder)
    except StreamBusy:
        return False
    with contextlib.closing(lock):
        segments = stream_segments(folder)
        is_listed = all(segment.closed is not None for segment in segments[:-1])
        if segments and not (is_listed and _is_empty(segments[-1], lock.synced)):
            closed = closed_segments(folder)
            _begin_next(folder, close_segments(folder, lock), closed)
    return True


def close_segments(folder: Path, lock: StreamLock) -> int | None:
    """Close every segment of a stream; return the newest number that was ever used.

    Args:
        folder: the stream's.
        lock: the stream's lock, held by the caller.

    Raises:
        LogUnavailable: the disk refuses.
    """
    try:
        remove_unnamed(folder)
        segments, known = stream_segments(folder), closed_segments(folder)
        sizes: dict[int, int | None] = {**known}
        for segment in segments:
            if segment.closed is None:
                sizes[segment.sequence] = _close(segment, lock.synced)
        gone = _gone(segments, known, lock.synced)
        closed = {number: size for number, size in sizes.items() if size is not None} | gone
        if closed != known:
            files.sync_folder(folder)
            fresh = [
                segment._replace(closed=closed.get(segment.sequence))
                for segment in segments
                if segment.sequence not in known
            ]
            filled = {segment.sequence for segment in fresh if _has_rows(segment)} | gone.keys()
            record_closed(folder, closed, filled=filled | filled_segments(folder))
    except OSError as error:
        raise LogUnavailable.of("take the log over", error, where=str(folder)) from None
    # A number is never used again, even if its segment is lost.
    return max([*sizes, *([lock.synced.sequence] if lock.synced > START else [])], default=None)


def _gone(
    segments: Sequence[Segment], known: Mapping[int, int], synced: Position
) -> dict[int, int]:
    """Return the last segment, which was synced with rows, if its file was deleted."""
    newest = segments[-1].sequence if segments else -1
    is_gone = synced.offset > 0 and synced.sequence > newest and synced.sequence not in known
    return {synced.sequence: synced.offset} if is_gone else {}


def _begin_next(folder: Path, newest: int | None, closed: Container[int]) -> None:
    """Create an empty segment after the newest, so that the newest can be sealed.

    ``closed`` are the segments that the dead writer closed itself.
    """
    segments = stream_segments(folder)
    if newest is None or not segments:
        return
    last = segments[-1]
    with SegmentReader(last.path, last.closed) as reader:
        metadata = {k: v for k, v in reader.schema.metadata.items() if k != FORMAT_KEY}
        if (position := read_position(folder, closed)) is not None:
            metadata[POSITION_KEY] = str(position).encode()
        begun = create_segment(folder, newest + 1, reader.schema, metadata)
    try:
        sync_descriptor(begun.descriptor)  # Earlier segments may be sealed and removed from now on.
    finally:
        os.close(begun.descriptor)
    files.sync_folder(folder)


def _is_empty(newest: Segment, synced: Position) -> bool:
    """Return whether the newest segment is as :func:`_begin_next` made it, and has lost no row."""
    had_rows = newest.sequence == synced.sequence and synced.offset > 0
    try:
        with SegmentReader(newest.path, newest.closed) as reader:
            return newest.closed is None and not reader.has_rows and not had_rows
    except LogError:
        return False


def _has_rows(segment: Segment) -> bool:
    """Return whether a segment that was just closed has rows; False if it is damaged."""
    if segment.closed is None:
        return False
    try:
        with SegmentReader(segment.path, segment.closed) as reader:
            return reader.last_batch() is not None
    except LogError:
        return False


def _close(segment: Segment, synced: Position) -> int | None:
    """Return the size to close a segment with; None if it was empty and is removed.

    Raises:
        OSError: the disk refuses.
    """
    size = segment.path.stat().st_size
    promised = _promised(segment, synced, size)
    try:
        with SegmentReader(segment.path) as reader:
            end = reader.whole_end()
    except EmptySegment:
        if promised == 0:
            segment.path.unlink()
            return None
        end = 0
    except LogError:  # Its schema is unreadable or of another version: keep it.
        return max(size, promised)
    if end < promised:
        _logger.error("%s is damaged after byte %d; it is kept", segment.path, end)
        return max(size, promised)
    if end < size:
        _logger.warning("%s: %d torn bytes cut off its end", segment.path, size - end)
        os.truncate(segment.path, end)
    files.sync_file(segment.path)
    return end


def _promised(segment: Segment, synced: Position, size: int) -> int:
    """Return up to which byte a segment is known to have been on disk."""
    if segment.sequence == synced.sequence:
        return synced.offset
    return size if segment.sequence < synced.sequence else 0
