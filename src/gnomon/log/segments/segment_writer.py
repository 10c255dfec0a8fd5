"""The writer of a stream: one ``write`` per batch into the open segment.

A segment is an Arrow IPC stream without its end mark: a schema message, then record batches, each
with a checksum. Its schema's metadata contains the format, model, slice, stream and number, and for
a shadow's segment how far the shadow had read when the segment began.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa

from gnomon import files
from gnomon.compat.platform import sync_content
from gnomon.errors import LogError, LogUnavailable
from gnomon.log.ledger import sealed_in_copy
from gnomon.log.segments.closed_segments import closed_segments, filled_segments, record_closed
from gnomon.log.segments.ipc_messages import checksummed
from gnomon.log.segments.layout import CLOSE, Position, StreamLock, segment_path, stream_segments
from gnomon.log.segments.new_segment import UnnamedSegment, create_segment, no_space
from gnomon.log.segments.recovery import close_segments
from gnomon.log.segments.restored_stream import sealed_number
from gnomon.log.segments.schema import check_format
from gnomon.log.segments.segment_header import IDENTITY_KEY
from gnomon.log.segments.tail import POSITION_KEY, read_position, source_position
from gnomon.settings import Settings

__all__ = ["SegmentWriter"]

_LOCK_WAIT = 2.0


@dataclasses.dataclass(slots=True)
class _Open:
    """The open segment, in one object, so that a thread that syncs never mixes two segments.

    Attributes:
        descriptor: of its file.
        sequence: its number.
        mark: the mark of its batches.
        first: the offset of its first batch.
        offset: the offset after its last batch.
        begun: when its first batch was appended, by the monotonic clock.
        last: the last batch.
        torn: whether bytes of a refused batch may follow ``offset``.
        unsure: whether the disk refused to sync it. A later sync may then succeed without the bytes
            being on disk (https://wiki.postgresql.org/wiki/Fsync_Errors), so no later sync counts.
    """

    descriptor: int
    sequence: int
    mark: bytes
    first: int
    offset: int
    begun: float = 0.0
    last: pa.RecordBatch | None = None
    torn: bool = False
    unsure: bool = False

    @property
    def position(self) -> Position:
        """The position in the stream after the last batch."""
        return Position(self.sequence, self.offset)


class SegmentWriter:
    """The only writer of a stream. Use it from one thread; ``fsync`` may run in another.

    A batch is in the log when ``append`` returns: it then survives the death of any process. After
    the next ``fsync`` it also survives a power failure. Begin the next segment with ``rotate`` when
    ``needs_rotation`` is true; ``fsync`` then closes the previous one permanently.

    Args:
        folder: the stream's.
        schema: of the first batches.
        settings: segment sizes and ages.
        metadata: of every segment's schema.
        read_to: for a shadow: how far it has read the requests; by default, what the stream says.

    Raises:
        LogUnavailable: another process is writing this stream, or the disk refuses.
        LogError: ``schema`` was not made by ``request_schema`` or ``shadow_schema``.
    """

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        *,
        settings: Settings,
        metadata: Mapping[str, str] | None = None,
        read_to: Position | None = None,
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
        self._finished: list[_Open] = []
        self._swapping = threading.Lock()
        self._syncing = threading.Lock()
        self._synced: Position | None = None
        try:
            closed = closed_segments(folder)
            newest = close_segments(folder, self._lock)
            self._read_to = read_to or read_position(folder, closed)
            used = max(-1 if newest is None else newest, sealed_number(settings, folder))
            self._open = self._begin(used + 1)
        except BaseException:
            self._lock.close()
            raise

    @property
    def position(self) -> Position:
        """The position in the stream after the last batch."""
        return self._open.position

    @property
    def needs_rotation(self) -> bool:
        """Whether the open segment has rows and must be closed.

        That is when it exceeds the size or age of the settings, counted from its first row, or
        when a ``close`` file asks for it.
        """
        if self._open.offset == self._open.first:
            return False
        age = time.monotonic() - self._open.begun
        due = (
            self._open.offset >= self._settings.segment_bytes
            or age >= self._settings.segment_seconds
        )
        return due or (self._folder / CLOSE).is_file()

    def append(self, batch: pa.RecordBatch) -> int:
        """Add a batch with one ``write``; return the segment's offset after it.

        Raises:
            LogError: the batch has another schema.
            LogUnavailable: the disk refused; nothing of the batch is in the log, and later appends
                may succeed.
        """
        if not batch.schema.equals(self._schema):
            raise _other_schema(batch.schema, self._schema, self._folder)
        segment = self._open
        parts = checksummed(batch.serialize(), segment.mark)
        size = sum(map(len, parts))
        if segment.torn:
            self._cut(segment)
        try:
            if os.writev(segment.descriptor, parts) != size:
                raise no_space()
        except OSError as error:
            with contextlib.suppress(LogUnavailable):
                self._cut(segment)
            raise self._refused("append to the log", error, segment) from None
        if segment.offset == segment.first:
            segment.begun = time.monotonic()
        segment.last = batch
        segment.offset += size
        return segment.offset

    def write_apart(self, batch: pa.RecordBatch) -> UnnamedSegment:
        """Write a large batch to a file that no reader sees yet.

        Call it from another thread while batches are appended; :meth:`append_apart` adds the
        batch to the stream.

        Raises:
            LogError: the batch has a column of a type that segments cannot have.
            LogUnavailable: the disk refused; nothing of the batch is left.
        """
        _checked(batch.schema, self._folder)
        return UnnamedSegment(self._folder, batch, self._metadata)

    def append_apart(self, written: UnnamedSegment) -> None:
        """Begin the next segment with a batch that was written by :meth:`write_apart`.

        Raises:
            LogUnavailable: the disk refused; nothing of the batch is in the log, and the current
                segment stays open.
        """
        finished, batch = self._open, written.batch
        if finished.torn:
            try:
                self._cut(finished)
            except LogUnavailable:
                written.discard()
                raise
        new = written.name(finished.sequence + 1)
        begun = _Open(
            new.descriptor, new.sequence, new.mark, first=new.size, offset=written.size,
            begun=time.monotonic(), last=batch,
        )  # fmt: skip
        self._schema = batch.schema
        with self._swapping:
            self._finished.append(finished)
            self._open = begun

    def rotate(self, schema: pa.Schema | None = None, *, read_to: Position | None = None) -> None:
        """Begin the next segment, with another schema if one is given.

        ``read_to`` is for a shadow that has read rows for which it has nothing to record: the
        sealer may then seal them.

        Raises:
            LogUnavailable: the disk refused; the current segment stays open.
        """
        before = self._schema, self._read_to
        finished = self._open
        self._read_to = read_to or (finished.last and source_position(finished.last)) or before[1]
        if schema is not None:
            self._schema = _checked(schema, self._folder)
        try:
            if finished.torn:
                self._cut(finished)
            begun = self._begin(finished.sequence + 1)
        except LogUnavailable:
            self._schema, self._read_to = before
            raise
        with self._swapping:
            self._finished.append(finished)
            self._open = begun
        with contextlib.suppress(OSError):  # A file that stays only rotates once more.
            (self._folder / CLOSE).unlink(missing_ok=True)

    def fsync(self) -> None:
        """Force appended batches to disk. It is slow; call it from another thread.

        Raises:
            LogUnavailable: the disk refused.
        """
        with self._syncing:
            if self._open.descriptor >= 0:
                self._sync()

    def close(self) -> None:
        """Sync and let another process write; closing twice does no harm.

        Appended batches stay readable.

        Raises:
            LogUnavailable: the disk refused to sync; another process may still write.
        """
        with self._syncing:
            if self._open.descriptor < 0:
                return
            try:
                self._sync()
            finally:
                for segment in (*self._finished, self._open):
                    os.close(segment.descriptor)
                    segment.descriptor = -1
                self._lock.close()

    def _sync(self) -> None:
        """Sync; files of finished segments are closed only here, so never while they are in use."""
        with self._swapping:
            finished, current, reached = self._finished, self._open, self._open.position
            self._finished = []
        if reached == self._synced:
            return
        try:
            for segment in (*finished, current):
                _sync_segment(segment)
            if finished:
                self._record_closed(finished)
            elif self._synced is None:
                files.sync_folder(self._folder)
            has_rows = reached.offset > current.first
            self._lock.note_synced(reached if has_rows else Position(reached.sequence, 0))
        except OSError as error:
            with self._swapping:
                self._finished = [*finished, *self._finished]
            raise self._refused("sync the log", error, current) from None
        for segment in finished:
            os.close(segment.descriptor)
        self._synced = reached

    def _record_closed(self, finished: list[_Open]) -> None:
        sizes = {segment.sequence: segment.offset for segment in finished}
        known = closed_segments(self._folder)
        oldest = stream_segments(self._folder)[0].sequence
        filled = set(filled_segments(self._folder))
        filled |= {segment.sequence for segment in finished if segment.last is not None}
        if any(number < oldest for number in filled):
            stream = f"{self._folder.parent.name}/{self._folder.name}"
            spool = self._folder.parent.parent
            sealed = sealed_in_copy(spool, stream, self._lock.identity)
            filled = {number for number in filled if number >= oldest or number > sealed}
        record_closed(self._folder, {**known, **sizes}, filled=filled, oldest=oldest)

    def _begin(self, sequence: int) -> _Open:
        metadata = dict(self._metadata)
        if self._read_to is not None:
            metadata[POSITION_KEY] = str(self._read_to).encode()
        new = create_segment(self._folder, sequence, self._schema, metadata)
        return _Open(new.descriptor, new.sequence, new.mark, first=new.size, offset=new.size)

    def _cut(self, segment: _Open) -> None:
        """Remove torn bytes after the last batch.

        Raises:
            LogUnavailable: the disk refuses; this is tried again before the next batch.
        """
        segment.torn = True
        try:
            os.ftruncate(segment.descriptor, segment.offset)
        except OSError as error:
            raise self._refused("append to the log", error, segment) from None
        segment.torn = False

    def _refused(self, doing: str, error: OSError, segment: _Open) -> LogUnavailable:
        where = str(segment_path(self._folder, segment.sequence))
        return LogUnavailable.of(doing, error, where=where)


def _sync_segment(segment: _Open) -> None:
    """Force a segment's bytes to disk; after one refusal, later successes are not trusted.

    Raises:
        OSError: the disk refuses, or refused before.
    """
    if segment.unsure:
        raise OSError(errno.EIO, "an earlier sync of this segment failed")
    try:
        sync_content(segment.descriptor)
    except OSError:
        segment.unsure = True
        raise


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
        f"the batch does not have the columns of its segment: expected {wrong}"
        + (f", got also {extra}" if extra else ""),
        where=str(folder),
        hint="rotate the segment when the contract changes",
    )
