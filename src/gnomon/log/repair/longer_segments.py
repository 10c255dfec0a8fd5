"""Closed segments that are longer than their list says: the size is that of another file.

A segment is closed with all its batches, so it cannot have more. The size may have been taken from
a segment that had been moved to this name, or from an older version of this one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.log.segments import closed_segments
from gnomon.log.segments.layout import Segment, StreamBusy, StreamLock, stream_segments
from gnomon.log.segments.schema import MARK_KEY
from gnomon.log.segments.tail import SegmentReader

__all__ = ["correct_sizes"]


def correct_sizes(streams: Sequence[Path]) -> Iterator[str]:
    """Write the true sizes of longer segments into the lists; yield where the old lists are.

    The segments must be in their places, and each batch of them must be there once. A stream that
    is being written is left as it is.

    Raises:
        OSError: the disk refuses.
    """
    for stream in streams:
        longer = {one.sequence: end for one in stream_segments(stream) if (end := _true_end(one))}
        if longer:
            with contextlib.suppress(StreamBusy), contextlib.closing(StreamLock(stream)):
                sizes = closed_segments.closed_segments(stream) | longer
                filled = closed_segments.filled_segments(stream) | longer.keys()
                yield str(closed_segments.copy_aside(stream))
                closed_segments.record_closed(stream, sizes, filled=filled)


def _true_end(segment: Segment) -> int | None:
    """Return where a longer segment ends; None for one that is not longer, or not as written.

    A body may contain what looks like a batch, unless batches have a mark.
    """
    if segment.closed is None:
        return None
    try:
        with SegmentReader(segment.path) as reader:
            end = reader.whole_end() if MARK_KEY in reader.schema.metadata else 0
            rows = [row for _, batch in reader.batches(end=end) for row in _rows(batch)]
    except LogError:
        return None
    return end if end > segment.closed and len(set(rows)) == len(rows) else None


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[str, int]]:
    return zip(batch["request_id"].to_pylist(), batch["row"].to_pylist(), strict=True)
