"""Record batches as a client sends them in a stream, and the batches of answers."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa

from gnomon.errors import InvalidRequest, MalformedBody, ServerError
from gnomon.sent_errors import SentError
from gnomon.service.arrow_messages import ClientMessages
from gnomon.service.stream_calls import Progress

__all__ = ["BatchStream"]

MOST_BYTES = 1 << 30
"""A batch of answers is about as long as the batch that it answers."""


class BatchStream:
    """Batches that are sent, and those that come.

    Args:
        progress: see :data:`~gnomon.service.stream_calls.Progress`.
        where: the server's URL, for errors.
    """

    def __init__(self, progress: Progress | None, where: str) -> None:
        self._progress = progress
        self._where = where
        self._sink = io.BytesIO()
        self._writer: Any = None
        self._messages = ClientMessages(MOST_BYTES)
        self._sent = 0
        self._answered = 0

    def encode(self, chunk: Any) -> bytes:
        """A batch, a table or a frame as a part of the stream.

        Raises:
            InvalidRequest: it is none of these, or its columns are others than of those before.
        """
        table = _table(chunk)
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._sink, table.schema)
            self._schema = table.schema
        try:
            self._writer.write_table(table.cast(self._schema))
        except (pa.ArrowInvalid, ValueError) as error:
            raise InvalidRequest(
                f"expected batches of the same columns: {error}", where=f"row {self._sent + 1}"
            ) from None
        self._sent += table.num_rows
        return self._written()

    def last(self) -> bytes:
        """What ends the stream."""
        if self._writer is not None:
            self._writer.close()
        return self._written()

    def answers(self, data: bytes) -> list[pa.RecordBatch]:
        """The batches in what came.

        Raises:
            GnomonError: the one that the server ended the stream with.
            ServerError: these are no answers of Gnomon's.
        """
        found = []
        try:
            self._messages.feed(data)
            while (message := self._messages.take()) is not None:
                batch = pa.ipc.open_stream(message.stream).read_next_batch()
                _raise_failure(batch)
                found.append(batch)
        except (MalformedBody, pa.ArrowException, KeyError) as error:
            raise ServerError(f"expected answers in Arrow: {error}", where=self._where) from None
        rows = sum(batch.num_rows for batch in found)
        self._answered += rows
        if rows and self._progress is not None:
            self._progress(rows)
        return found

    def end(self) -> None:
        """No more comes.

        Raises:
            ServerError: there are fewer answers than rows.
        """
        if self._answered != self._sent:
            raise ServerError(
                f"expected {self._sent:,} answers, got {self._answered:,}",
                where=self._where,
                hint="send the rest again",
            )

    def _written(self) -> bytes:
        data = self._sink.getvalue()
        self._sink.seek(0)
        self._sink.truncate()
        return data


def _table(chunk: Any) -> pa.Table:
    if isinstance(chunk, pa.Table):
        return chunk
    if isinstance(chunk, pa.RecordBatch):
        return pa.Table.from_batches([chunk])
    if callable(getattr(chunk, "to_arrow", None)):  # Of polars.
        return chunk.to_arrow()
    try:
        if isinstance(chunk, list):
            return pa.Table.from_pylist(chunk)
        return pa.Table.from_pandas(chunk, preserve_index=False)
    except (pa.ArrowException, TypeError, AttributeError) as error:
        raise InvalidRequest(f"expected rows that Arrow can hold: {error}", where="$") from None


def _raise_failure(batch: pa.RecordBatch) -> None:
    """The last batch of a stream that failed is one row that belongs to no request."""
    if batch.num_rows == 1 and batch.column("request_id").null_count:
        code, told = (batch.column(name)[0].as_py() for name in ("error_code", "error"))
        raise SentError(code, told).error(unknown=ServerError)
