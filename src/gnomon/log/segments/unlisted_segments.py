"""Segments that are not listed as closed although a later one is: somebody put them there.

A writer closes its segments in order. While it runs, only it may change the list, so these segments
would neither be sealed nor be read by the next sealer, and would hold back the segments after them.
"""

from __future__ import annotations

from collections.abc import Sequence

from gnomon.errors import LogError
from gnomon.log.segments.layout import Segment

__all__ = ["UnlistedSegment", "unlisted_segments"]


class UnlistedSegment(LogError):
    """A segment that its writer does not know of."""

    @classmethod
    def of(cls, segment: Segment) -> UnlistedSegment:
        """Return the error that names the segment."""
        return cls(
            "this segment is older than a closed one, and its writer has not closed it",
            where=str(segment.path),
            hint="if it was put back here, restart the server, which takes it over; the segments "
            "after it wait for that",
        )


def unlisted_segments(segments: Sequence[Segment]) -> list[Segment]:
    """Return those of a stream's segments that are older than a closed one, but not closed."""
    newest = max((one.sequence for one in segments if one.closed is not None), default=-1)
    return [one for one in segments if one.closed is None and one.sequence < newest]
