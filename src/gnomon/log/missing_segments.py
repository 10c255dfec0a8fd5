"""Segments with rows whose file is gone, though nobody sealed them.

A stream's list of closed segments says which of them have rows, and its lock which segment was
synced last. The sealer removes such a file only after the table has its rows; so one that is
neither there nor in the table was deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gnomon.errors import LogError
from gnomon.log.closed_segments import closed_segments, filled_segments
from gnomon.log.layout import (
    Segment,
    segment_path,
    stream_identity,
    stream_segments,
    synced_position,
)
from gnomon.log.lost_ranges import lost_ranges

__all__ = ["MissingSegment", "missing_segments"]


class MissingSegment(LogError):
    """A segment's file is gone."""

    @classmethod
    def of(cls, segment: Segment) -> MissingSegment:
        """The error that names it."""
        return cls(
            f"a log segment of {segment.closed:,} bytes is gone, and was not sealed",
            where=str(segment.path),
            hint="put it back; without it, gnomon log repair counts it as lost",
        )


def missing_segments(folder: Path, sealed: Callable[[str], int]) -> list[Segment]:
    """Those of a stream that are not known to be lost, oldest first.

    Args:
        folder: the stream's.
        sealed: up to which segment the table has the stream of a key; -1 for none. Called after
            the folder was listed, so that what is removed meanwhile is in the table.

    Raises:
        LogError: a list beside the segments is damaged.
    """
    synced = synced_position(folder)
    filled = filled_segments(folder) | ({synced.sequence} if synced.offset else set())
    gone = filled - {segment.sequence for segment in stream_segments(folder)}
    gone -= {one.segment for one in lost_ranges(folder)} if gone else frozenset()
    if not gone:
        return []
    reached = sealed(f"{folder.parent.name}/{folder.name}/{stream_identity(folder)}")
    sizes = {synced.sequence: synced.offset, **closed_segments(folder)}
    return [
        Segment(number, segment_path(folder, number), sizes.get(number, 0))
        for number in sorted(gone)
        if number > reached
    ]
