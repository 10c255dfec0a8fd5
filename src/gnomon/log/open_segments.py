"""Rows in open segments, which no sealer may touch, and how to have the segments closed now."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gnomon import files
from gnomon.errors import LogUnavailable
from gnomon.log.segments.layout import CLOSE, folders, stream_segments
from gnomon.log.segments.recovery import recover
from gnomon.log.segments.tail import EmptySegment, SegmentReader
from gnomon.log.spool_owner import check_owner
from gnomon.settings import Settings

__all__ = ["OpenSegment", "close_now", "open_segments"]

_LOOK_SECONDS = 0.05


class OpenSegment(NamedTuple):
    """The open segment of a stream, if it has rows.

    Attributes:
        folder: the stream's.
        sequence: its number.
        rows: how many it has.
        age: seconds since its first row arrived.
    """

    folder: Path
    sequence: int
    rows: int
    age: float


def open_segments(settings: Settings, model: str) -> list[OpenSegment]:
    """Return the open segments of a model on this machine that have rows.

    Raises:
        LogError: a segment is damaged.
    """
    streams = (one for part in folders(settings.spool_path / model) for one in folders(part))
    return [found for stream in streams for found in _open(stream)]


def close_now(settings: Settings, model: str, seconds: float = 10.0) -> list[OpenSegment]:
    """Close open segments with rows, by their servers if those run; return the segments.

    Args:
        settings: the settings, with the spool.
        model: the model's name.
        seconds: how long to wait for the servers.

    Raises:
        LogUnavailable: a server did not close a segment in time, the spool belongs to another
            storage root, or the disk refuses.
        LogError: a segment is damaged, or rows that were sealed are lost.
    """
    check_owner(settings, model)
    found = open_segments(settings, model)
    asked = [one for one in found if not recover(one.folder)]
    for one in asked:
        try:
            files.create(one.folder / CLOSE, b"")
        except OSError as error:
            raise LogUnavailable.of("close the segment", error, where=str(one.folder)) from None
    until = time.monotonic() + seconds
    for one in asked:
        while not _is_closed(one):
            if time.monotonic() > until:
                raise LogUnavailable(
                    f"the server did not close a segment of {one.rows:,} rows within {seconds:g} s",
                    where=str(one.folder),
                    hint="it hangs, its disk refuses, or it syncs less often than that "
                    "(GNOMON_FSYNC_SECONDS): see gnomon status",
                )
            time.sleep(_LOOK_SECONDS)
    return found


def _open(folder: Path) -> Iterator[OpenSegment]:
    for segment in stream_segments(folder)[-1:]:
        with contextlib.suppress(FileNotFoundError, EmptySegment):
            with SegmentReader(segment.path, segment.closed) as reader:
                batches = [batch for _, batch in reader.batches() if batch.num_rows]
            if batches:
                first = batches[0].column("arrived")[0].value / 1e6
                rows = sum(batch.num_rows for batch in batches)
                yield OpenSegment(folder, segment.sequence, rows, max(time.time() - first, 0.0))


def _is_closed(one: OpenSegment) -> bool:
    """Return whether the segment is closed, and on disk as such."""
    segments = {segment.sequence: segment for segment in stream_segments(one.folder)}
    found = segments.get(one.sequence)
    return found is None or found.closed is not None
