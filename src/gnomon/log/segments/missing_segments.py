"""Segments that had rows, were never sealed, and whose file is missing.

A stream's list of closed segments says which of them have rows, and its lock says which segment was
synced last. The sealer removes their files only after the table has the rows. So a segment that is
neither a file nor in the table was deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gnomon.errors import LogError
from gnomon.log.lost_ranges import copied_segments, lost_ranges
from gnomon.log.segments.closed_segments import closed_segments, filled_segments
from gnomon.log.segments.layout import (
    Segment,
    segment_path,
    stream_identity,
    stream_segments,
    synced_position,
)

__all__ = ["MissingSegment", "missing_segments"]


class MissingSegment(LogError):
    """A segment's file is missing."""

    @classmethod
    def of(cls, segment: Segment) -> MissingSegment:
        """Return the error that names the segment."""
        return cls(
            f"a log segment of {segment.closed:,} bytes is missing, and was not sealed",
            where=str(segment.path),
            hint="restore the file; without it, gnomon log repair counts it as lost",
        )


def missing_segments(folder: Path, sealed: Callable[[str], int]) -> list[Segment]:
    """Return a stream's missing segments that are not known to be lost, oldest first.

    Args:
        folder: the stream's.
        sealed: returns the last segment in the table of the stream with a key; -1 for none. It is
            called after the folder was listed, so that segments removed meanwhile are in the table.

    Raises:
        LogError: a list in the folder is damaged.
    """
    synced = synced_position(folder)
    filled = filled_segments(folder) | ({synced.sequence} if synced.offset else set())
    gone = filled - {segment.sequence for segment in stream_segments(folder)}
    if gone:
        gone -= {one.segment for one in lost_ranges(folder)} | copied_segments(folder)
    if not gone:
        return []
    reached = sealed(f"{folder.parent.name}/{folder.name}/{stream_identity(folder)}")
    sizes = {synced.sequence: synced.offset, **closed_segments(folder)}
    return [
        Segment(number, segment_path(folder, number), sizes.get(number, 0))
        for number in sorted(gone)
        if number > reached
    ]
