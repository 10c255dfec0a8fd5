"""The records that a client sends in a stream, and the reading of the answers, without the I/O."""

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
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from gnomon.errors import InvalidRequest, ServerError
from gnomon.files import refuse_special
from gnomon.service.client.answers import Row
from gnomon.service.client.failures import failure_of
from gnomon.service.client.record_json import checked, encode
from gnomon.service.client.rows import is_nameless, one_record, records, slice_of

T_co = TypeVar("T_co", covariant=True)

__all__ = [
    "Progress",
    "RowChunks",
    "RowStream",
    "StreamCoder",
    "StreamRow",
    "chunked",
    "chunked_async",
]

CHUNK_ROWS = 2_048
"""Rows that a client encodes at a time."""


class StreamCoder(Protocol[T_co]):
    """The encoding of a stream's rows and the decoding of its answers, in either format."""

    def encode(self, chunk: Any) -> bytes:
        """Encode rows as a part of the body."""

    def last(self) -> bytes:
        """Return the end of the body."""

    def answers(self, data: bytes) -> Sequence[T_co]:
        """Return the answers in received bytes."""

    def end(self) -> None:
        """Check, at the end of the answers, that every row has one."""


Progress = Callable[[int], None]
"""Called with the number of rows answered since the last call."""


class StreamRow(Row, frozen=True, kw_only=True):
    """The answer to one row of a stream, or the error of this row.

    Attributes:
        line: its number in the stream, from 1.
        request_id: the name, in the inference log, of the batch in which it was scored.
        row: its number in that batch.
        artifact: the tag of the artifact that answered; it changes with a promotion.
    """

    line: int
    request_id: str
    row: int
    artifact: str


class RowStream:
    """A stream of JSON lines: rows that are sent, and the answers that are received.

    Args:
        columns: the column names, for rows without names.
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
        """Return the end of the stream: nothing."""
        return b""

    def encode(self, chunk: Any) -> bytes:
        """Encode rows as lines.

        Raises:
            InvalidRequest: the rows cannot be sent.
        """
        rows = records(chunk, self._columns)
        lines = [
            encode(checked(record, f"row {self._sent + place}"))
            for place, record in enumerate(rows, 1)
        ]
        self._sent += len(lines)
        return b"".join(line + b"\n" for line in lines)

    def answers(self, data: bytes) -> list[StreamRow]:
        """Return the answers in received bytes.

        Raises:
            GnomonError: the error with which the server ended the stream.
            ServerError: these are not answers from Gnomon.
        """
        lines = (self._tail + data).split(b"\n")
        self._tail = lines.pop()
        rows = [self._answer(line) for line in lines if line]
        self._answered += len(rows)
        if rows and self._progress is not None:
            self._progress(len(rows))
        return rows

    def end(self) -> None:
        """Check, at the end of the answers, that every row has one.

        Raises:
            ServerError: the number of answers differs from that of rows.
        """
        if self._tail or self._answered != self._sent:
            cut = " and the beginning of a line" if self._tail else ""
            raise ServerError(
                f"expected {self._sent:,} answers, got {self._answered:,}{cut}",
                where=self._where,
                hint="send the remaining rows again",
            )

    def _answer(self, line: bytes) -> StreamRow:
        try:
            return self._read(line)
        except msgspec.DecodeError:
            raise failure_of(line, self._where) from None


class RowChunks:
    """Groups the parts of a source of rows into chunks of limited size."""

    def __init__(self) -> None:
        self._records: list[Any] = []

    def add(self, part: Any) -> Iterator[Any]:
        """Add a record, a frame, a table or a list of records; yield the complete chunks."""
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
        """Yield the remaining chunk, which is not full."""
        if self._records:
            yield self._records
            self._records = []


def parts_of(rows: Any) -> Iterable[Any]:
    """Return the parts of a source of rows; a frame or a table is one part.

    Raises:
        InvalidRequest: ``rows`` is of a kind that is not accepted; the message lists the others.
    """
    if isinstance(rows, str | PathLike):
        return _parquet_batches(Path(rows))
    if callable(getattr(rows, "iter_batches", None)):  # A Parquet file.
        batches: Iterable[Any] = rows.iter_batches(CHUNK_ROWS)
        return batches
    if hasattr(rows, "columns") or is_nameless(rows) or one_record(rows) is not None:
        return [rows]
    if isinstance(rows, Iterable) and not isinstance(rows, bytes | Mapping):
        return rows
    raise InvalidRequest(
        f"expected rows, got {type(rows).__module__}.{type(rows).__qualname__}",
        where="$",
        hint="give a frame, an Arrow table, the path of a Parquet file, or an iterable of records, "
        "frames or batches, such as pandas.read_csv(…, chunksize=2048)",
    )


def _parquet_batches(path: Path) -> Iterator[Any]:
    """Yield the batches of a Parquet file.

    Raises:
        InvalidRequest: the path is not that of a Parquet file, or the file cannot be read.
    """
    if not path.name.endswith((".parquet", ".pq")):
        raise InvalidRequest(
            f"expected rows, or the path of a Parquet file, got `{path}`",
            where="$",
            hint='its name should end in .parquet or .pq; a CSV file as pandas.read_csv("…", '
            "chunksize=2048)",
        )
    import pyarrow as pa
    import pyarrow.parquet

    try:
        refuse_special(path)
        with pyarrow.parquet.ParquetFile(path) as file:
            yield from file.iter_batches(CHUNK_ROWS)
    except (OSError, pa.ArrowException) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise InvalidRequest(f"cannot read the Parquet file: {reason}", where=str(path)) from None


def chunked(rows: Any) -> Iterator[Any]:
    """Yield chunks of rows from a frame, a table, or an iterable of records or frames."""
    chunks = RowChunks()
    for part in parts_of(rows):
        yield from chunks.add(part)
    yield from chunks.rest()


async def chunked_async(rows: Any) -> AsyncIterator[Any]:
    """Yield the same chunks, also from an asynchronous iterable."""
    if not isinstance(rows, AsyncIterable):
        for chunk in chunked(rows):
            yield chunk
        return
    chunks = RowChunks()
    async for part in rows:
        for chunk in chunks.add(part):
            yield chunk
    for chunk in chunks.rest():
        yield chunk
