"""The record batches that a client sends in a stream, and the batches of answers it receives."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa

from gnomon.errors import InvalidRequest, MalformedBody, ServerError
from gnomon.service.client.rows import scalar
from gnomon.service.client.stream_calls import Progress
from gnomon.service.http.arrow_messages import ClientMessages
from gnomon.wire_errors import SentError

__all__ = ["BatchStream"]

MOST_BYTES = 1 << 30
"""The longest message of answers; a batch of answers is about as long as the batch it answers."""


class BatchStream:
    """An Arrow stream in both directions: batches that are sent, and batches of answers.

    Args:
        progress: see :data:`~gnomon.service.client.stream_calls.Progress`.
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
        """Return a batch, a table or a frame as a part of the stream.

        Raises:
            InvalidRequest: ``chunk`` is none of these, or its columns differ from earlier ones.
        """
        table = _table(chunk)
        if self._writer is None:
            self._writer = pa.ipc.new_stream(self._sink, table.schema)
            self._schema = table.schema
        try:
            self._writer.write_table(table.cast(self._schema))
        except (pa.ArrowInvalid, ValueError) as error:
            raise InvalidRequest(
                f"expected batches with the same columns: {error}", where=f"row {self._sent + 1}"
            ) from None
        self._sent += table.num_rows
        return self._written()

    def last(self) -> bytes:
        """Return the end of the stream."""
        if self._writer is not None:
            self._writer.close()
        return self._written()

    def answers(self, data: bytes) -> list[pa.RecordBatch]:
        """Return the batches of answers in received bytes.

        Raises:
            GnomonError: the error with which the server ended the stream.
            ServerError: these are not answers from Gnomon.
        """
        batches = []
        try:
            self._messages.feed(data)
            while (message := self._messages.take()) is not None:
                batch = pa.ipc.open_stream(message.stream).read_next_batch()
                _raise_failure(batch)
                batches.append(batch)
        except (MalformedBody, pa.ArrowException, KeyError) as error:
            raise ServerError(f"expected answers in Arrow: {error}", where=self._where) from None
        rows = sum(batch.num_rows for batch in batches)
        self._answered += rows
        if rows and self._progress is not None:
            self._progress(rows)
        return batches

    def end(self) -> None:
        """Check, at the end of the answers, that every row has one.

        Raises:
            ServerError: the number of answers differs from that of rows.
        """
        if self._answered != self._sent:
            raise ServerError(
                f"expected {self._sent:,} answers, got {self._answered:,}",
                where=self._where,
                hint="send the remaining rows again",
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
    if callable(getattr(chunk, "to_arrow", None)):  # A frame of polars.
        return chunk.to_arrow()
    try:
        if isinstance(chunk, list):
            names = dict.fromkeys(name for row in chunk for name in row)
            return pa.table({name: [scalar(row.get(name)) for row in chunk] for name in names})
        return pa.Table.from_pandas(_with_interval_texts(chunk), preserve_index=False)
    except (pa.ArrowException, TypeError, AttributeError) as error:
        raise InvalidRequest(f"expected rows that Arrow can hold: {error}", where="$") from None


def _with_interval_texts(frame: Any) -> Any:
    """Return a frame with categories that are intervals as texts: Arrow cannot read them again."""
    names = [
        name
        for name, dtype in frame.dtypes.items()
        if type(getattr(dtype, "categories", None)).__name__ == "IntervalIndex"
    ]
    if not names:
        return frame
    from gnomon.contract.interval_categories import interval_text

    frame = frame.copy(deep=False)
    for name in names:
        frame[name] = frame[name].map(interval_text, na_action="ignore")
    return frame


def _raise_failure(batch: pa.RecordBatch) -> None:
    """Raise the error in the last batch of a failed stream: one row without a request id."""
    if batch.num_rows == 1 and batch.column("request_id").null_count:
        code, message = (batch.column(name)[0].as_py() for name in ("error_code", "error"))
        raise SentError(code, message).error(unknown=ServerError)
