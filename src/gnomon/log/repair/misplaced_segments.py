"""Segments that are in another stream, or have another number, than when they were written.

Restoring a backup file by file, or a script that renames files, can exchange segments. Nothing is
lost then, as the header of each says where it belongs; repair moves it there if that place is free.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gnomon import files
from gnomon.errors import LogError
from gnomon.log.segments import closed_segments
from gnomon.log.segments.layout import Segment, stream_identity, stream_segments
from gnomon.log.segments.tail import MisplacedSegment, SegmentReader

__all__ = ["Misplaced", "put_back", "set_aside_misplaced"]


class Misplaced(NamedTuple):
    """A segment that was in the wrong place.

    Attributes:
        path: its current path.
        home: the slice, stream, identity of the folder and segment that its header names.
    """

    path: Path
    home: tuple[str, str, str, str]


def set_aside_misplaced(streams: list[Path]) -> Iterator[Misplaced]:
    """Move misplaced segments out of their streams, and yield them.

    Raises:
        OSError: the disk refuses.
    """
    for stream in streams:
        for segment in stream_segments(stream):
            try:
                SegmentReader(segment.path).close()
            except MisplacedSegment as error:
                path = closed_segments.set_aside(stream, segment.path.name)
                yield Misplaced(path, error.home)
            except LogError:
                continue


def put_back(segment: Segment, found: list[Misplaced]) -> bool:
    """Restore a missing segment from those that were set aside; return whether it was among them.

    Args:
        segment: a closed segment, or the last one that a dead writer had synced.
        found: the segments that were set aside; a restored one is removed from the list.

    Raises:
        OSError: the disk refuses.
    """
    folder = segment.path.parent
    home = (folder.parent.name, folder.name, stream_identity(folder), segment.name)
    for one in found:
        if one.home == home and _takes_place(one.path, segment):
            found.remove(one)
            return True
    return False


def _takes_place(path: Path, segment: Segment) -> bool:
    """Move a file to a segment's path, unless it is damaged or the path exists."""
    with contextlib.suppress(FileExistsError, LogError):
        os.link(path, segment.path)
        try:
            with SegmentReader(segment.path, segment.closed) as reader:
                reader.verify()
        except LogError:
            segment.path.unlink()
            raise
        files.sync_folder(segment.path.parent)
        files.remove(path)
        return True
    return False
