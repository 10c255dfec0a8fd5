"""What a client sends in a stream of records, and how it reads the answers: all but the I/O."""

from __future__ import annotations

from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Callable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from typing import Any, Protocol, TypeVar

import msgspec

from gnomon.errors import InvalidRequest, ServerError
from gnomon.service.calls import Row, checked, encode, failure_of
from gnomon.service.client_rows import is_nameless, one_record, records, slice_of

T_co = TypeVar("T_co", covariant=True)

__all__ = [
    "Chunks",
    "Progress",
    "RowStream",
    "StreamRow",
    "Talk",
    "chunked",
    "chunked_async",
]

CHUNK_ROWS = 2_048
"""Rows that a client makes text of at a time."""


class Talk(Protocol[T_co]):
    """What is said in a stream, in either format."""

    def encode(self, chunk: Any) -> bytes:
        """Rows as a part of the body."""

    def last(self) -> bytes:
        """What ends the body."""

    def answers(self, data: bytes) -> Sequence[T_co]:
        """The answers in what came."""

    def end(self) -> None:
        """No more comes."""


Progress = Callable[[int], None]
"""Called with the number of rows answered since the last call."""


class StreamRow(Row, frozen=True, kw_only=True):
    """The answer to one row of a stream, or the error of this row.

    Attributes:
        line: its number in the stream, from 1.
        request_id: of the batch that it was scored in, in the inference log.
        row: its number in that.
        artifact: the tag of the artifact that answered; it changes with a promotion.
    """

    line: int
    request_id: str
    row: int
    artifact: str


class RowStream:
    """Lines that are sent, and the answers in the lines that come.

    Args:
        columns: the names of rows that have none.
        progress: see :data:`Progress`.
        where: the server's URL, for errors.
    """

    def __init__(self, columns: Sequence[str], progress: Progress | None, where: str) -> None:
        self._columns = columns
        self._progress = progress
        self._where = where
        self._tail = b""
        self._sent = 0
        self._answered = 0
        self._read = msgspec.json.Decoder(StreamRow).decode

    def last(self) -> bytes:
        """What ends the stream: nothing."""
        return b""

    def encode(self, chunk: Any) -> bytes:
        """Rows as lines.

        Raises:
            InvalidRequest: they are nothing that can be sent.
        """
        found = records(chunk, self._columns)
        lines = [
            encode(checked(record, f"row {self._sent + place}"))
            for place, record in enumerate(found, 1)
        ]
        self._sent += len(lines)
        return b"".join(line + b"\n" for line in lines)

    def answers(self, data: bytes) -> list[StreamRow]:
        """The answers in what came.

        Raises:
            GnomonError: the one that the server ended the stream with.
            ServerError: these are no answers of Gnomon's.
        """
        lines = (self._tail + data).split(b"\n")
        self._tail = lines.pop()
        rows = [self._answer(line) for line in lines if line]
        self._answered += len(rows)
        if rows and self._progress is not None:
            self._progress(len(rows))
        return rows

    def end(self) -> None:
        """No more comes.

        Raises:
            ServerError: there are fewer answers than rows.
        """
        if self._tail or self._answered != self._sent:
            raise ServerError(
                f"expected {self._sent:,} answers, got {self._answered:,}",
                where=self._where,
                hint="send the rest again",
            )

    def _answer(self, line: bytes) -> StreamRow:
        try:
            return self._read(line)
        except msgspec.DecodeError:
            raise failure_of(line, self._where) from None


class Chunks:
    """Rows some at a time, of what a source of rows gives one after the other."""

    def __init__(self) -> None:
        self._records: list[Any] = []

    def add(self, part: Any) -> Iterator[Any]:
        """The chunks that are complete with a record, a frame, a table or a list of records."""
        record = one_record(part)
        if record is not None:
            self._records.append(record)
            if len(self._records) >= CHUNK_ROWS:
                yield from self.rest()
            return
        yield from self.rest()
        for start in range(0, len(part) if hasattr(part, "__len__") else 1, CHUNK_ROWS):
            yield slice_of(part, start, CHUNK_ROWS)

    def rest(self) -> Iterator[Any]:
        """The chunk that is not full."""
        if self._records:
            yield self._records
            self._records = []


def parts_of(rows: Any) -> Iterable[Any]:
    """What there is to iterate over: a frame or a table is one part.

    Raises:
        InvalidRequest: nothing; the message says what can be given.
    """
    if callable(getattr(rows, "iter_batches", None)):  # Of a Parquet file.
        batches: Iterable[Any] = rows.iter_batches(CHUNK_ROWS)
        return batches
    if hasattr(rows, "columns") or is_nameless(rows) or one_record(rows) is not None:
        return [rows]
    if isinstance(rows, Iterable) and not isinstance(rows, str | bytes | Mapping):
        return rows
    raise InvalidRequest(
        f"expected rows, got {type(rows).__module__}.{type(rows).__qualname__}",
        where="$",
        hint="give a frame, an Arrow table, or what iterates over records, frames or batches, "
        "such as pandas.read_csv(…, chunksize=2048) or pyarrow.parquet.ParquetFile(…)",
    )


def chunked(rows: Any) -> Iterator[Any]:
    """Rows some at a time: of a frame, a table, or whatever iterates over records or frames."""
    chunks = Chunks()
    for part in parts_of(rows):
        yield from chunks.add(part)
    yield from chunks.rest()


async def chunked_async(rows: Any) -> AsyncIterator[Any]:
    """The same, also of what iterates asynchronously."""
    if not isinstance(rows, AsyncIterable):
        for chunk in chunked(rows):
            yield chunk
        return
    chunks = Chunks()
    async for part in rows:
        for chunk in chunks.add(part):
            yield chunk
    for chunk in chunks.rest():
        yield chunk
