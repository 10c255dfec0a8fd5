"""Writing a stream: one ``write`` a batch into the open segment, and taking over after a crash.

A segment is an Arrow IPC stream without its end mark: a schema message, then record batches. Its
schema's metadata says which format, model, slice, stream and number it is, and for a shadow's
segment how far the shadow had read when it began.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from gnomon.errors import LogError, LogUnavailable
from gnomon.settings import Settings
from gnomon.shadow.log.layout import (
    Position,
    StreamBusy,
    StreamLock,
    segment_path,
    stream_segments,
)
from gnomon.shadow.log.schema import FORMAT, FORMAT_KEY, check_format
from gnomon.shadow.log.tail import (
    IDENTITY_KEY,
    POSITION_KEY,
    SegmentReader,
    SegmentUnbegun,
    read_position,
    source_position,
)

__all__ = ["SegmentWriter", "recover"]

_LOCK_WAIT = 2.0
_TEMPORARY = ".new"


class SegmentWriter:
    """The one writer of a stream. Use it from one thread; ``fsync`` may run in another.

    A batch is in the log when ``append`` returns: it then survives the death of any process. It
    survives the loss of power after the next ``fsync``. Begin the next segment with ``rotate``
    when ``needs_rotation`` says so.

    Raises:
        LogUnavailable: another process writes this stream, or the disk refuses.
        LogError: ``schema`` is not one that ``request_schema`` or ``shadow_schema`` made.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        *,
        settings: Settings,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._schema = _checked(schema, folder)
        self._lock = StreamLock(folder, wait=_LOCK_WAIT)
        self._metadata = {
            b"gnomon.model": folder.parent.parent.name.encode(),
            b"gnomon.slice": folder.parent.name.encode(),
            b"gnomon.stream": folder.name.encode(),
            IDENTITY_KEY: self._lock.identity.encode(),
            **{key.encode(): value.encode() for key, value in (metadata or {}).items()},
        }
        self._finished: deque[int] = deque()
        self._syncing = threading.Lock()
        self._synced = Position(0, 0)
        self._descriptor = -1
        self._begun = 0.0
        self._last: pa.RecordBatch | None = None
        try:
            newest = _cut_torn_tail(folder)
            self._read_to = read_position(folder)
            self._begin(0 if newest is None else newest + 1)
        except BaseException:
            self._lock.close()
            raise

    @property
    def position(self) -> Position:
        """The place in the stream after the last batch."""
        return Position(self._sequence, self._offset)

    @property
    def needs_rotation(self) -> bool:
        """Whether the open segment has rows and is over the size or age of the settings.

        Its age is that of its first row.
        """
        if self._offset == self._first:
            return False
        age = time.monotonic() - self._begun
        return self._offset >= self._settings.segment_bytes or age >= self._settings.segment_seconds

    def append(self, batch: pa.RecordBatch) -> int:
        """Add a batch with one ``write``; return the segment's offset after it.

        Raises:
            LogError: the batch has another schema.
            LogUnavailable: the disk refused; nothing of the batch is in the log, and the next
                append may be tried.
        """
        if not batch.schema.equals(self._schema):
            raise _other_schema(batch.schema, self._schema, self._folder)
        if self._descriptor < 0:
            self._begin(self._sequence + 1)
        data = batch.serialize()
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            raise self._take_back(error) from None
        if written != data.size:
            raise self._take_back(_no_space())
        if self._offset == self._first:
            self._begun = time.monotonic()
        self._offset += written
        self._last = batch
        return self._offset

    def rotate(self, schema: pa.Schema | None = None, *, read_to: Position | None = None) -> None:
        """Close the segment and begin the next, of another schema if one is given.

        ``read_to`` is for a shadow that has read rows it has nothing to record of: it lets the
        sealer have them.

        Raises:
            LogUnavailable: the disk refused; the present segment stays open.
        """
        before = self._schema, self._read_to, self._last
        if schema is not None:
            self._schema = _checked(schema, self._folder)
        if read_to is not None:
            self._read_to, self._last = read_to, None
        try:
            self._begin(self._sequence + 1)
        except LogUnavailable:
            self._schema, self._read_to, self._last = before
            raise

    def fsync(self) -> None:
        """Force what was appended to disk. Slow; meant to be called from another thread.

        Raises:
            LogUnavailable: the disk refused.
        """
        with self._syncing:
            self._sync()

    def close(self) -> None:
        """Sync and let another process write. What was appended stays readable."""
        with self._syncing:
            try:
                self._sync()
            finally:
                if self._descriptor >= 0:
                    os.close(self._descriptor)
                    self._descriptor = -1
                self._lock.close()

    def _sync(self) -> None:
        """Only here are files of finished segments closed, so none is closed while in use."""
        reached, descriptor = self.position, self._descriptor
        if reached == self._synced:
            return
        try:
            if descriptor >= 0:
                os.fdatasync(descriptor)
            while self._finished:
                finished = self._finished.popleft()
                try:
                    os.fdatasync(finished)
                finally:
                    os.close(finished)
            if reached.sequence != self._synced.sequence:
                _sync_folder(self._folder)
        except OSError as error:
            raise LogUnavailable.of("sync the log", error, where=str(self._folder)) from None
        self._synced = reached

    def _begin(self, sequence: int) -> None:
        if self._last is not None:
            self._read_to = source_position(self._last) or self._read_to
        metadata = dict(self._metadata)
        if self._read_to is not None:
            metadata[POSITION_KEY] = str(self._read_to).encode()
        descriptor, size = _create(self._folder, sequence, self._schema, metadata)
        if self._descriptor >= 0:
            self._finished.append(self._descriptor)
        self._descriptor, self._sequence = descriptor, sequence
        self._first = self._offset = size
        self._last = None

    def _take_back(self, error: OSError) -> LogUnavailable:
        try:
            os.ftruncate(self._descriptor, self._offset)
        except OSError:
            self._finished.append(self._descriptor)
            self._descriptor = -1
        where = str(segment_path(self._folder, self._sequence))
        return LogUnavailable.of("append to the log", error, where=where)


def recover(folder: Path) -> bool:
    """Close what a dead writer left open, cutting a torn tail; False while the writer lives.

    Raises:
        LogUnavailable: the disk refuses.
        LogError: a segment is damaged rather than torn.
    """
    try:
        lock = StreamLock(folder)
    except StreamBusy:
        return False
    with contextlib.closing(lock):
        sequence = _cut_torn_tail(folder)
        if sequence is None:
            return True
        with SegmentReader(segment_path(folder, sequence)) as reader:
            has_rows, schema = reader.has_rows, reader.schema
        if has_rows:
            metadata = {k: v for k, v in schema.metadata.items() if k != FORMAT_KEY}
            if (position := read_position(folder)) is not None:
                metadata[POSITION_KEY] = str(position).encode()
            os.close(_create(folder, sequence + 1, schema, metadata)[0])
    return True


def _cut_torn_tail(folder: Path) -> int | None:
    """Make the newest segment whole and return its number; only the lock's holder may."""
    for leftover in folder.glob(f".*{_TEMPORARY}"):
        leftover.unlink()
    for segment in reversed(stream_segments(folder)):
        try:
            with SegmentReader(segment.path) as reader:
                end, _ = reader.last()
                if end < reader.size:
                    os.truncate(segment.path, end)
            return segment.sequence
        except SegmentUnbegun:
            segment.path.unlink()
    return None


def _create(
    folder: Path, sequence: int, schema: pa.Schema, metadata: Mapping[bytes, bytes]
) -> tuple[int, int]:
    """A new segment's descriptor and size. It gets its name when its schema is in it."""
    path = segment_path(folder, sequence)
    temporary = folder / f".{path.name}{_TEMPORARY}"
    header = schema.with_metadata({FORMAT_KEY: FORMAT.encode(), **metadata}).serialize()
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            if os.write(descriptor, header) != header.size:
                raise _no_space()
            os.rename(temporary, path)
        except BaseException:
            os.close(descriptor)
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise LogUnavailable.of("begin a log segment", error, where=str(path)) from None
    return descriptor, header.size


def _no_space() -> OSError:
    """What a write that was not taken whole means."""
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _checked(schema: pa.Schema, folder: Path) -> pa.Schema:
    check_format(schema.metadata, str(folder))
    for field in schema:
        if pa.types.is_dictionary(field.type):
            raise LogError(
                f"expected plain columns, got a dictionary in `{field.name}`", where=str(folder)
            )
    return schema


def _other_schema(found: pa.Schema, expected: pa.Schema, folder: Path) -> LogError:
    fields = [f for f in expected if f.name not in found.names or found.field(f.name) != f]
    wrong = ", ".join(f"`{f.name}` ({f.type})" for f in fields) or "another order"
    extra = ", ".join(f"`{name}`" for name in found.names if name not in expected.names)
    return LogError(
        f"the batch has not the columns of its segment: expected {wrong}"
        + (f", got also {extra}" if extra else ""),
        where=str(folder),
        hint="rotate the segment when the contract changes",
    )


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
