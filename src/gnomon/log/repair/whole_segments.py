"""The undamaged segments that are in their places, also those that no list names."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from gnomon.errors import LogError
from gnomon.log.segments.layout import stream_segments
from gnomon.log.segments.tail import SegmentReader

__all__ = ["whole_segments"]


def whole_segments(stream: Path) -> Iterator[SegmentReader]:
    """Yield those of a stream, each open until the next is asked for."""
    for segment in stream_segments(stream):
        with contextlib.suppress(LogError), SegmentReader(segment.path, segment.closed) as one:
            one.verify()
            yield one
