"""Every outcome goes through here: counted, appended to the log, and only then answered."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from gnomon.errors import GnomonError, LogUnavailable
from gnomon.preprocessing import Contract
from gnomon.service.answers import answers
from gnomon.service.metrics import Metrics
from gnomon.service.ticket import Answer, Ticket
from gnomon.settings import Settings
from gnomon.shadow.log import SegmentWriter, request_schema
from gnomon.shadow.log.schema import ENVELOPE

if TYPE_CHECKING:
    from gnomon.service.batching import Lane

__all__ = ["Recorder"]

FIELDS = [(field.name, field.type) for field in ENVELOPE]
REMEMBERED_ROWS = 128
"""The longest columns kept for the next batch that has them; together they are about a megabyte."""


class Recorder:
    """The gateway's one writer to the inference log, and its books.

    Until :meth:`open` has succeeded, and whenever the disk refuses, outcomes are unlogged: counted
    so, and refused or served as the settings say. Each is tried anew.

    Args:
        settings: segment sizes, and what to do when the log cannot be written.
        metrics: the counters outcomes are added to.

    Attributes:
        error: why the log could not be opened or written the last time that was tried; None if it
            could.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._schema = request_schema(Contract(task="regression", features=(), outputs=()))
        self._writer: SegmentWriter | None = None
        self._settings = settings
        self._metrics = metrics
        self._waiting: list[tuple[Ticket, str, GnomonError, Lane | None]] = []
        self.error: LogUnavailable | None = LogUnavailable("the log is not open yet")

    @property
    def is_open(self) -> bool:
        """Whether it has a stream to write to."""
        return self._writer is not None

    @property
    def position(self) -> str:
        """The end of the open request stream: where a shadow started now begins to read."""
        assert self._writer is not None
        return str(self._writer.position)

    def open(self, folder: Path) -> None:
        """Take a slice's request stream. May be called from another thread.

        Raises:
            LogUnavailable: another process writes this stream, or the disk refuses.
        """
        try:
            self._writer = SegmentWriter(folder, self._schema, settings=self._settings)
        except LogUnavailable as error:
            self.error = error.with_traceback(None)
            raise
        self.error = None

    async def fsync(self) -> None:
        """Force the log to disk, in a thread."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.fsync)

    def rotate_if_due(self) -> None:
        """Close a segment that is old or large enough; one that no other can follow goes on."""
        if self._writer is not None and self._writer.needs_rotation:
            with contextlib.suppress(LogUnavailable):
                self._writer.rotate()

    def close(self) -> None:
        """Flush what waits, sync, and give the stream up.

        Raises:
            LogUnavailable: the disk refused to sync; the stream is given up all the same.
        """
        self._flush()
        if self._writer is not None:
            self._writer.close()

    def answered(
        self,
        lane: Lane,
        tickets: Sequence[Ticket],
        inputs: pa.RecordBatch,
        scored: pa.RecordBatch,
        micros: int,
        sent: int,
    ) -> None:
        """Log a scored batch with one write, then let its answers leave.

        Args:
            lane: the lane that scored it.
            tickets: the requests, in row order.
            inputs: their decoded rows.
            scored: their outputs, in the scored schema.
            micros: microseconds the worker spent.
            sent: monotonic nanoseconds at which the batch left for the worker.
        """
        for ticket in tickets:
            ticket.settled = True
        errors = scored.column("error")
        batch = self._batch(
            tickets,
            lane,
            outcome=["answered" if error is None else "failed" for error in errors.to_pylist()]
            if errors.null_count != len(errors)
            else "answered",
            code=None
            if errors.null_count == len(errors)
            else ["prediction_failed" if e is not None else None for e in errors.to_pylist()],
            error=errors,
            sent=sent,
            micros=micros,
            columns=(*inputs.columns, *scored.columns[:-1]),
        )
        made = answers(tickets, scored, lane.contract, lane.artifact.tag)
        refused = self._append(batch, request_schema(lane.contract))
        if refused is not None:
            self._metrics.settled("failed", batch.num_rows, refused.code)
            made = [Answer.of(refused, ticket.request_id) for ticket in tickets]
        else:
            failed = len(errors) - errors.null_count
            self._metrics.settled("answered", len(errors) - failed)
            self._metrics.settled("failed", failed, "prediction_failed")
        self._metrics.outside(lane.decoder.outside([row for t in tickets for row in t.rows]))
        self._metrics.batch(batch.num_rows, micros)
        now = time.perf_counter_ns()
        for ticket, answer in zip(tickets, made, strict=True):
            self._metrics.latency((now - ticket.started) / 1e9)
            ticket.reply(answer)

    def unanswered(
        self, ticket: Ticket, outcome: str, error: GnomonError, lane: Lane | None = None
    ) -> None:
        """Settle a request that gets an error; it is logged with others of this loop turn.

        Args:
            ticket: the request.
            outcome: ``rejected``, ``failed``, ``timed_out`` or ``shed``.
            error: what its client is told.
            lane: the lane it had reached, if any.
        """
        ticket.settled = True
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append((ticket, outcome, error, lane))

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for lane in {id(entry[3]): entry[3] for entry in waiting}.values():
            entries = [entry for entry in waiting if entry[3] is lane]
            tickets = [entry[0] for entry in entries]
            for ticket in tickets:
                ticket.rows = ticket.rows or [None]
            sizes = [len(ticket.rows) for ticket in tickets]
            batch = self._batch(
                tickets,
                lane,
                outcome=_spread([entry[1] for entry in entries], sizes),
                code=_spread([entry[2].code for entry in entries], sizes),
                error=_spread([str(entry[2]) for entry in entries], sizes),
            )
            self._append(batch, self._schema)
        for ticket, outcome, error, _ in waiting:
            self._metrics.settled(outcome, len(ticket.rows), error.code)
            ticket.reply(Answer.of(error, ticket.request_id))

    def _batch(
        self,
        tickets: Sequence[Ticket],
        lane: Lane | None,
        *,
        outcome: Any,
        code: Any,
        error: Any,
        sent: int | None = None,
        micros: int | None = None,
        columns: Sequence[pa.Array] = (),
    ) -> pa.RecordBatch:
        """A record a row: the envelope, then the input and output columns where there are any."""
        sizes = [len(ticket.rows) for ticket in tickets]
        total = sum(sizes)
        alone = total == len(tickets)
        now = time.perf_counter_ns()
        values: dict[str, Any] = {
            "request_id": _spread([ticket.request_id for ticket in tickets], sizes),
            "row": 0 if alone else [row for size in sizes for row in range(size)],
            "role": "live",
            "outcome": outcome,
            "client_id": _any(_spread([ticket.client_id for ticket in tickets], sizes)),
            "arrived": _spread([ticket.arrived for ticket in tickets], sizes),
            "protocol": "json",
            "raw": _first([ticket.body for ticket in tickets], sizes),
            "unknown": _any(_first([list(ticket.unknown) or None for ticket in tickets], sizes)),
            "error_code": code,
            "error": error,
            "artifact": None if lane is None else lane.artifact.tag,
            "digest": None if lane is None else lane.artifact.digest,
            "epoch": None if lane is None else lane.epoch,
            "queued_us": None
            if sent is None
            else _spread([(sent - ticket.started) // 1000 for ticket in tickets], sizes),
            "scored_us": micros,
            "total_us": _spread([(now - ticket.started) // 1000 for ticket in tickets], sizes),
            "batch_rows": None if sent is None else total,
        }
        envelope = [_column(values[name], kind, total) for name, kind in FIELDS]
        if lane is not None and columns:
            schema = request_schema(lane.contract)
        else:
            schema = self._schema
            columns = [pa.nulls(total, kind) for kind in schema.types[len(FIELDS) :]]
        return pa.RecordBatch.from_arrays([*envelope, *columns], schema=schema)

    def _append(self, batch: pa.RecordBatch, schema: pa.Schema) -> LogUnavailable | None:
        """Append before answer. An error is only returned when the settings say to refuse."""
        if self._writer is not None:
            self.error = self._write(self._writer, batch, schema)
        if self.error is None:
            return None
        self._metrics.unlogged(batch.num_rows, self.error.reason)
        return self.error if self._settings.log_failure == "refuse" else None

    def _write(
        self, writer: SegmentWriter, batch: pa.RecordBatch, schema: pa.Schema
    ) -> LogUnavailable | None:
        try:
            if schema != self._schema:
                writer.rotate(schema)
                self._schema = schema
            else:
                self.rotate_if_due()
            writer.append(batch)
        except LogUnavailable as error:
            return error.with_traceback(None)
        return None


def _column(value: Any, kind: pa.DataType, rows: int) -> pa.Array:
    """A column from a list, an array, or one value for every row."""
    if isinstance(value, pa.Array):
        return value
    if isinstance(value, list):
        return pa.array(value, kind)
    if rows <= REMEMBERED_ROWS and (value is None or isinstance(value, str)):
        return _repeated(value, kind, rows)
    return pa.repeat(pa.scalar(value, kind), rows)


@lru_cache(maxsize=1024)
def _repeated(value: str | None, kind: pa.DataType, rows: int) -> pa.Array:
    """A column that many batches have."""
    return pa.repeat(pa.scalar(value, kind), rows)


def _any(values: list[Any]) -> list[Any] | None:
    """The values; None when all of them are."""
    return values if any(value is not None for value in values) else None


def _spread(values: list[Any], sizes: list[int]) -> list[Any]:
    """Each request's value on every one of its rows."""
    if len(values) == sum(sizes):
        return values
    return [value for value, size in zip(values, sizes, strict=True) for _ in range(size)]


def _first(values: list[Any], sizes: list[int]) -> list[Any]:
    """Each request's value on its first row only."""
    if len(values) == sum(sizes):
        return values
    return [
        value if row == 0 else None
        for value, size in zip(values, sizes, strict=True)
        for row in range(size)
    ]
