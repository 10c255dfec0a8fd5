"""A new segment, which gets its name when its schema is in it."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from gnomon import files
from gnomon.errors import LogUnavailable
from gnomon.log.framing import checksummed, new_mark
from gnomon.log.layout import segment_path
from gnomon.log.schema import FORMAT, FORMAT_KEY, MARK_KEY, SEGMENT_KEY

__all__ = ["NewSegment", "create_segment", "no_space", "remove_unnamed"]

_TEMPORARY = ".new"


class NewSegment(NamedTuple):
    """A segment that was just made.

    Attributes:
        descriptor: of its file, open for appending.
        size: in bytes, its schema's.
        mark: what its batches are to be marked with.
    """

    descriptor: int
    size: int
    mark: bytes


def create_segment(
    folder: Path, sequence: int, schema: pa.Schema, metadata: Mapping[bytes, bytes]
) -> NewSegment:
    """A new segment, with its schema and a mark of its own.

    Raises:
        LogUnavailable: the disk refuses; then there is no such segment.
    """
    path = segment_path(folder, sequence)
    temporary = folder / f".{path.name}{_TEMPORARY}"
    mark = new_mark()
    own = {
        FORMAT_KEY: b"%d" % FORMAT,
        SEGMENT_KEY: b"%08d" % sequence,
        MARK_KEY: mark.hex().encode(),
    }
    versioned = schema.with_metadata({**metadata, **own})
    header = b"".join(checksummed(versioned.serialize()))
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
    try:
        descriptor = os.open(temporary, flags, files.file_mode())
        try:
            if os.write(descriptor, header) != len(header):
                raise no_space()
            os.rename(temporary, path)
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LogUnavailable.of("begin a log segment", error, where=str(path)) from None
    return NewSegment(descriptor, len(header), mark)


def remove_unnamed(folder: Path) -> None:
    """Remove what a crash left of segments that did not get their name."""
    for leftover in folder.glob(f".*{_TEMPORARY}"):
        leftover.unlink(missing_ok=True)


def no_space() -> OSError:
    """What a write that was not taken whole means."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
