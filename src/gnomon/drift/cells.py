"""The cells of time and segment in which rows are counted."""

from __future__ import annotations

from typing import NamedTuple

from gnomon.offline.time_buckets import moved

__all__ = ["SegmentBucket"]


class SegmentBucket(NamedTuple):
    """A segment (the empty string if the log is not split) in one time bucket."""

    segment: str
    bucket: int

    def widened(self, seconds: int, to: int) -> SegmentBucket:
        """Return the cell of a wider bucket that contains this one."""
        return SegmentBucket(self.segment, moved(self.bucket, seconds, to))
