"""Segments in another stream, or under another number, than they were written: whose they are.

A backup that is restored file by file, or a script that renames, exchanges files. Nothing of such a
segment is lost: its header says where it belongs. So repair puts it there if that place is empty.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gnomon import files
from gnomon.errors import LogError
from gnomon.log import closed_segments
from gnomon.log.layout import Segment, stream_identity, stream_segments
from gnomon.log.tail import MisplacedSegment, SegmentReader

__all__ = ["Misplaced", "put_back", "set_aside_misplaced"]


class Misplaced(NamedTuple):
    """A segment that was in the wrong place.

    Attributes:
        path: where it is now.
        home: the slice, the stream, its folder's identity and the segment that its header names.
    """

    path: Path
    home: tuple[str, str, str, str]


def set_aside_misplaced(streams: list[Path]) -> Iterator[Misplaced]:
    """Move what is in the wrong place out of its stream.

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
    """Put a segment whose file is gone into its place again; whether it was found in another.

    Args:
        segment: it was closed, or is the last that its dead writer had synced.
        found: what was set aside; it is taken from there.

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
    """Move a file to a segment's place, unless it is damaged or the place is taken."""
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
