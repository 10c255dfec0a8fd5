"""New segments: the file gets its name when its schema is written.

A file that is already there is never replaced: somebody may have put segments of a backup into the
folder while its writer runs. Then the new segment gets the next free number.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from gnomon import files
from gnomon.errors import LogUnavailable
from gnomon.log.segments.ipc_messages import checksummed, new_mark
from gnomon.log.segments.layout import segment_path
from gnomon.log.segments.schema import FORMAT, FORMAT_KEY, MARK_KEY, SEGMENT_KEY

__all__ = ["NewSegment", "UnnamedSegment", "create_segment", "no_space", "remove_unnamed"]

_TEMPORARY = ".new"
_numbers = itertools.count()


class NewSegment(NamedTuple):
    """A segment that was just made.

    Attributes:
        sequence: its number.
        descriptor: of its file, open for appending.
        size: the size of its schema in bytes.
        mark: the mark for its batches.
    """

    sequence: int
    descriptor: int
    size: int
    mark: bytes


def create_segment(
    folder: Path, sequence: int, schema: pa.Schema, metadata: Mapping[bytes, bytes]
) -> NewSegment:
    """Create a segment with its schema and a new mark.

    Args:
        folder: the stream's.
        sequence: its number; if that is taken, it gets the next free one.
        schema: its columns.
        metadata: what to add to the metadata of the schema.

    Raises:
        LogUnavailable: the disk refuses; then the segment does not exist.
    """
    temporary = folder / f".{sequence:08d}{_TEMPORARY}"
    mark = new_mark()
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC
    try:
        descriptor = os.open(temporary, flags, files.file_mode())
        try:
            for number in itertools.count(sequence):
                header = _header(number, schema, metadata, mark)
                os.ftruncate(descriptor, 0)
                if os.write(descriptor, header) != len(header):
                    raise no_space()
                if _give_name(temporary, segment_path(folder, number)):
                    return NewSegment(number, descriptor, len(header), mark)
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        where = str(segment_path(folder, sequence))
        raise LogUnavailable.of("begin a log segment", error, where=where) from None
    raise AssertionError


def _give_name(temporary: Path, path: Path) -> bool:
    """Rename a file, unless another has that name.

    A link would exclude even a file that comes in the microseconds between, but then the system
    would know the open file by its first name only.

    Raises:
        OSError: the disk refuses.
    """
    if os.path.lexists(path):
        return False
    os.rename(temporary, path)
    return True


class UnnamedSegment:
    """A segment with one large batch that has no number yet; no reader sees it.

    It is written in a thread while other batches are appended to the open segment, and becomes the
    next segment with a rename: one ``write`` of many megabytes would make all other answers wait.

    Args:
        folder: of the stream.
        batch: its only batch.
        metadata: of its schema.

    Raises:
        LogUnavailable: the disk refuses; then the segment does not exist.
    """

    def __init__(
        self, folder: Path, batch: pa.RecordBatch, metadata: Mapping[bytes, bytes]
    ) -> None:
        self.batch = batch
        self._folder, self._metadata = folder, dict(metadata)
        self._temporary = folder / f".large-{os.getpid()}-{next(_numbers)}{_TEMPORARY}"
        self._mark = new_mark()
        self._first = len(self._header(0))
        parts = checksummed(batch.serialize(), self._mark)
        self.size = self._first + sum(map(len, parts))
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        try:
            self._descriptor = os.open(self._temporary, flags, files.file_mode())
            try:
                if os.pwritev(self._descriptor, parts, self._first) != self.size - self._first:
                    raise no_space()
            except OSError:
                self.discard()
                raise
        except OSError as error:
            raise LogUnavailable.of("append to the log", error, where=str(folder)) from None

    def name(self, sequence: int) -> NewSegment:
        """Give it this number, or the next free one; ``size`` in the result is the offset of its
        batch.

        Raises:
            LogUnavailable: the disk refuses; then the segment does not exist.
        """
        try:
            for number in itertools.count(sequence):
                header = self._header(number)
                assert len(header) == self._first  # Numbers are written with leading zeros.
                if os.pwrite(self._descriptor, header, 0) != len(header):
                    raise no_space()
                flags = fcntl.fcntl(self._descriptor, fcntl.F_GETFL)
                fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags | os.O_APPEND)
                if _give_name(self._temporary, segment_path(self._folder, number)):
                    return NewSegment(number, self._descriptor, self._first, self._mark)
                fcntl.fcntl(self._descriptor, fcntl.F_SETFL, flags)
        except OSError as error:
            self.discard()
            where = str(segment_path(self._folder, sequence))
            raise LogUnavailable.of("begin a log segment", error, where=where) from None
        raise AssertionError

    def discard(self) -> None:
        """Remove the file: it will not become a segment."""
        os.close(self._descriptor)
        with contextlib.suppress(OSError):
            self._temporary.unlink()

    def _header(self, sequence: int) -> bytes:
        return _header(sequence, self.batch.schema, self._metadata, self._mark)


def _header(
    sequence: int, schema: pa.Schema, metadata: Mapping[bytes, bytes], mark: bytes
) -> bytes:
    """Return the schema message of a segment; its length is the same for every number."""
    own = {
        FORMAT_KEY: b"%d" % FORMAT,
        SEGMENT_KEY: b"%08d" % sequence,
        MARK_KEY: mark.hex().encode(),
    }
    versioned = schema.with_metadata({**metadata, **own})
    return b"".join(checksummed(versioned.serialize()))


def remove_unnamed(folder: Path) -> None:
    """Remove files that a crash left of segments that have no name yet."""
    for leftover in folder.glob(f".*{_TEMPORARY}"):
        leftover.unlink(missing_ok=True)


def no_space() -> OSError:
    """Return the error for a write that was not complete."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
