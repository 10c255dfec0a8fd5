"""Readers of a stream while it is written: of one segment, or of all segments in turn."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from gnomon.errors import LogError
from gnomon.log.segments.ipc_messages import messages
from gnomon.log.segments.layout import (
    REQUESTS,
    START,
    Position,
    Segment,
    stream_identity,
    stream_segments,
)
from gnomon.log.segments.schema import SEGMENT_KEY, message_mark
from gnomon.log.segments.segment_header import Home, home

__all__ = ["MisplacedSegment", "SegmentReader", "Tail", "read_position"]

POSITION_KEY = b"gnomon.position"


class EmptySegment(LogError):
    """A segment that a power failure left without its schema; it had no rows."""


class MisplacedSegment(LogError):
    """A segment that is in the wrong stream, in a new folder of its stream, or has another number.

    Attributes:
        home: where its header says it belongs.
    """

    home = Home("", "", "", "")


class SegmentReader:
    """The complete batches of one segment. The file stays readable after it is deleted.

    ``first`` is the offset of the first batch, ``schema`` the segment's schema with its metadata.

    Args:
        path: the segment's.
        closed: the size with which it was closed, if it was. Then it must have that size and be
            complete; otherwise its end may be torn.
        synced: up to which byte it is known to have been on disk; nothing before may be torn.
        anywhere: whether the file may have another name or folder than it was written with.

    Raises:
        LogError: not a segment, damaged, or of a newer format.
        FileNotFoundError: it does not exist (any more).
    """

    def __init__(
        self, path: Path, closed: int | None = None, synced: int = 0, *, anywhere: bool = False
    ) -> None:
        self.path = path
        self._synced = synced
        self._anywhere = anywhere
        self._closed = closed
        self._mark: bytes | None = None
        self._descriptor = os.open(path, os.O_RDONLY)
        try:
            self.schema, self.first = self._read_schema()
            name = self.schema.metadata.get(SEGMENT_KEY) if anywhere else path.stem
            self.sequence = int(name or path.stem)
        except BaseException:
            self.close()
            raise

    @property
    def size(self) -> int:
        """The current size of the file in bytes, including a torn end."""
        return os.fstat(self._descriptor).st_size

    @property
    def end(self) -> int:
        """The end of the last batch: the size it was closed with, or the file's current size."""
        return self.size if self._closed is None else self._closed

    @property
    def has_rows(self) -> bool:
        """Whether there is anything after the schema."""
        return self.end > self.first

    def verify(self) -> int:
        """Read the complete segment, and count its rows.

        Raises:
            LogError: it is damaged.
        """
        return sum(batch.num_rows for _, batch in self.batches())

    def whole_end(self) -> int:
        """Return where the last readable batch ends, whatever follows it."""
        end = self.first
        try:
            for end, _ in self._found(self.first, None):  # noqa: B007
                pass
        except LogError:
            return end
        return end

    def batches(
        self, offset: int = 0, end: int | None = None
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """Yield complete batches from ``offset`` to ``end``, each with the offset after it.

        Raises:
            LogError: the segment is damaged. A torn end is not damage.
        """
        for after, message in self._messages(max(offset, self.first), end):
            yield after, self._decode(message)

    def hold_to(self, closed: int | None, reached: int) -> None:
        """Set the closed size, and check that a batch follows ``reached`` unless it is the end.

        Raises:
            LogError: no batch follows, but the closed size is larger.
        """
        self._closed = closed
        for _ in self._messages(max(reached, self.first), None):
            return

    def last_batch(self) -> pa.RecordBatch | None:
        """Return the last batch with rows; ``None`` when there is none.

        Raises:
            LogError: the segment is damaged.
        """
        message = None
        for _, message in self._messages(self.first, None):  # noqa: B007
            pass
        last = None if message is None else self._decode(message)
        if last is None or last.num_rows:
            return last
        batches = [batch for _, batch in self.batches() if batch.num_rows]
        return batches[-1] if batches else None

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _found(self, offset: int, end: int | None) -> Iterator[tuple[int, pa.Buffer]]:
        return messages(self._descriptor, offset, end, mark=self._mark, required=True)

    def _messages(self, offset: int, end: int | None) -> Iterator[tuple[int, pa.Buffer]]:
        reached = offset
        try:
            for reached, message in self._found(offset, end):
                yield reached, message
        except LogError as error:
            raise self._damaged(str(error)) from None
        promised = self._synced if end is None else min(end, self._synced)
        if reached < promised:
            raise self._damaged(
                f"expected complete batches at least up to byte {promised}, which was synced to "
                f"disk, but they end at byte {reached}"
            )
        if self._closed is not None and end in (None, self._closed) and reached != self._closed:
            raise self._damaged(
                f"expected complete batches up to byte {self._closed}, but they end at byte "
                f"{reached}"
            )

    def _decode(self, message: pa.Buffer) -> pa.RecordBatch:
        try:
            return pa.ipc.read_record_batch(message, self.schema)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(str(error)) from None

    def _read_schema(self) -> tuple[pa.Schema, int]:
        try:
            first, message = next(messages(self._descriptor, 0), (0, None))
        except LogError as error:
            raise self._damaged(str(error)) from None
        if message is None:
            if self._closed is not None or self._synced:
                raise self._damaged("it ends before its schema does")
            raise EmptySegment("the segment ends before its schema does", where=str(self.path))
        try:
            schema = pa.ipc.read_schema(message)
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(str(error)) from None
        self._mark = message_mark(schema.metadata, str(self.path))
        if self._mark is not None and not self._anywhere:
            self._check_place(schema.metadata)
        return schema, first

    def _check_place(self, metadata: Mapping[bytes, bytes]) -> None:
        """Check that the segment is in the stream and has the number that its header says.

        A copy in another place would be sealed under its header's address and hide those rows.

        Raises:
            MisplacedSegment: the header says otherwise.
        """
        says, place = home(metadata), self.path.parent
        is_of_another = says.name != f"{place.parent.name}/{place.name}/{self.path.stem}"
        if is_of_another or stream_identity(place) not in (says.identity, ""):
            whose = "another stream" if is_of_another else "an earlier folder of this stream"
            error = MisplacedSegment(
                f"this segment belongs to {whose}: its header says {says.name}",
                where=str(self.path),
                hint="gnomon log repair puts it into its place, or moves it aside",
            )
            error.home = says
            raise error

    def _damaged(self, reason: str) -> LogError:
        return LogError(
            f"damaged log segment: {reason}",
            where=str(self.path),
            hint="gnomon log repair sets it aside and says which requests are lost",
        )


class Tail:
    """Every batch of a stream from a position on, as the stream grows.

    ``position`` is after the last batch that ``poll`` returned; give its ``str`` to a later
    ``Tail`` to continue from there. Missing segments are skipped.

    Args:
        folder: the stream's.
        position: where to begin.
        passes_over: if False, ``poll`` returns nothing at a missing segment, and ``gap`` is the
            number of the next that exists; set ``position`` to continue.

    Raises:
        LogError: a segment is damaged.
    """

    def __init__(
        self, folder: Path, position: Position = START, *, passes_over: bool = True
    ) -> None:
        self.position = position
        self.gap: int | None = None
        self._folder = folder
        self._passes_over = passes_over
        self._reader: SegmentReader | None = None

    def poll(self, most: int = 256) -> list[tuple[Position, pa.RecordBatch]]:
        """Return up to ``most`` further batches, each with the position after it; empty at the end.

        The batches of one poll are from one segment, and so have one schema.
        """
        while self._open():
            if found := self._read(most):
                return found
            following = _first_from(self._folder, self.position.sequence + 1)
            if following is None:
                break
            if found := self._read(most):  # appended before the next segment was begun
                return found
            if not self._is_read():
                break
            self.close()
            self.position = Position(self.position.sequence + 1, 0)
        return []

    def close(self) -> None:
        """Close the files."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _open(self) -> bool:
        self.gap = None
        while self._reader is None:
            segment = _first_from(self._folder, self.position.sequence)
            if segment is None:
                return False
            if segment.sequence != self.position.sequence:
                if not self._passes_over:
                    self.gap = segment.sequence
                    return False
                self.position = Position(segment.sequence, 0)
            try:
                self._reader = SegmentReader(segment.path, segment.closed)
            except FileNotFoundError:
                continue
            except EmptySegment:
                return False
        return True

    def _is_read(self) -> bool:
        """Return whether a segment that another follows is read completely.

        Its torn end, if any, was cut off by the stream's next writer.

        Raises:
            LogError: it was closed with more bytes than it has.
        """
        assert self._reader is not None
        segment = _first_from(self._folder, self.position.sequence)
        if segment is not None and segment.sequence == self.position.sequence:
            self._reader.hold_to(segment.closed, self.position.offset)
        return max(self.position.offset, self._reader.first) >= self._reader.end

    def _read(self, most: int) -> list[tuple[Position, pa.RecordBatch]]:
        assert self._reader is not None
        found: list[tuple[Position, pa.RecordBatch]] = []
        try:
            for offset, batch in self._reader.batches(self.position.offset):
                self.position = Position(self._reader.sequence, offset)
                found.append((self.position, batch))
                if len(found) == most:
                    break
        except LogError:
            if not found:
                self.close()  # A repair replaces the file under this name.
                raise
        return found


def read_position(folder: Path, closed: Container[int] | None = None) -> Position | None:
    """Return how far a shadow has read, according to its stream; ``None`` if it does not say.

    A segment without rows says how far the one before it has read. That counts only once that one
    is closed, which it is after it was synced, or gone, which it is after it was sealed: a loss of
    power may take its last rows and leave the segment after it.

    Args:
        folder: the stream's.
        closed: the segments that were closed before those of a dead writer were; by default, all
            that are.

    Raises:
        LogError: a segment is damaged.
    """
    if folder.name == REQUESTS:
        return None
    segments = stream_segments(folder)
    if closed is None:
        closed = {segment.sequence for segment in segments if segment.closed is not None}
    for number, segment in reversed(list(enumerate(segments))):
        try:
            with SegmentReader(segment.path, segment.closed) as reader:
                batch = reader.last_batch()
                began = reader.schema.metadata.get(POSITION_KEY)
        except (FileNotFoundError, EmptySegment):
            continue
        position = source_position(batch) if batch is not None else None
        if position is not None:
            return position
        if began is not None and (number == 0 or segments[number - 1].sequence in closed):
            return Position.parse(began.decode())
    return None


def source_position(batch: pa.RecordBatch) -> Position | None:
    """Return the position in the requests up to which a shadow's batch was read."""
    if "source_end" not in batch.schema.names or batch.num_rows == 0:
        return None
    last = batch.num_rows - 1
    segment = batch.column("source_segment")[last].as_py()
    offset = batch.column("source_end")[last].as_py()
    return None if segment is None or offset is None else Position(int(segment), offset)


def _first_from(folder: Path, sequence: int) -> Segment | None:
    return next((s for s in stream_segments(folder) if s.sequence >= sequence), None)
