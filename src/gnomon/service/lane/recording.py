"""The recording of every outcome: it is counted, appended to the log, and only then answered."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa

from gnomon.contract import Contract
from gnomon.errors import GnomonError, InvalidRequest, LogUnavailable
from gnomon.log import SegmentWriter, request_schema
from gnomon.service.lane.answer_encoding import failure
from gnomon.service.lane.group_commit import GroupCommit
from gnomon.service.lane.pending_request import Answer, PendingRequest
from gnomon.service.lane.records import LaneIdentity, PendingRecords, WorkerCall, record, spread
from gnomon.service.metrics import Metrics
from gnomon.service.tasks import OwnThreads
from gnomon.settings import Settings
from gnomon.worker.messages import ERROR

__all__ = ["Recorder"]

_logger = logging.getLogger("gnomon")

_LARGE_BYTES = 4 * 1024 * 1024
"""Records larger than this are written in a thread: on the event loop a write would delay all
answers by two milliseconds per megabyte. Each begins a new segment."""

_LARGE_AT_A_TIME = 4
"""How many of them are written at a time; more would not make one disk faster."""


class Recorder:
    """The gateway's only writer to the inference log, which also counts its accounts.

    Until :meth:`open` has succeeded, and whenever the disk refuses, outcomes are not logged: they
    are counted as unlogged, and refused or served as the settings say. Each outcome is a new try.

    Args:
        settings: segment sizes, and what to do when the log cannot be written.
        metrics: the counters outcomes are added to.

    Attributes:
        error: why the last attempt to open or write the log failed; None if it succeeded.
        opened_at: the end of the request stream when it was opened; None before.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._schema = request_schema(Contract(task="regression", features=(), outputs=()))
        self._writer: SegmentWriter | None = None
        self._settings = settings
        self._metrics = metrics
        self._waiting: list[tuple[PendingRequest, str, GnomonError, LaneIdentity | None]] = []
        self._large: set[asyncio.Task[None]] = set()
        self._syncing = OwnThreads("sync the log", 1)
        self._writing = OwnThreads("write the log", _LARGE_AT_A_TIME)
        self._syncs = GroupCommit(self.fsync)
        self._unsynced: LogUnavailable | None = None
        self.opened_at: str | None = None
        self.error: LogUnavailable | None = LogUnavailable("the log is not open yet")

    @property
    def is_open(self) -> bool:
        """Whether a stream is open."""
        return self._writer is not None

    @property
    def position(self) -> str:
        """The end of the request stream, from which a shadow that starts now reads."""
        assert self._writer is not None
        return str(self._writer.position)

    def open(self, folder: Path) -> None:
        """Open a slice's request stream. May be called from another thread.

        Raises:
            LogUnavailable: another process writes this stream, or it cannot be opened.
        """
        try:
            writer = SegmentWriter(folder, self._schema, settings=self._settings)
        except LogUnavailable as error:
            self.error = error.with_traceback(None)
            raise
        self.opened_at = str(writer.position)
        self._writer, self.error = writer, None

    @property
    def trouble(self) -> LogUnavailable | None:
        """Why the log is not written, or not synced to disk; None if it is."""
        return self.error or self._unsynced

    async def fsync(self) -> None:
        """Force the log to disk, in a thread that does nothing else.

        Raises:
            LogUnavailable: the sync failed.
        """
        await self._syncing.run(self._sync)

    def rotate_if_due(self) -> None:
        """Close a segment that is old or large enough; keep it if a new one cannot be created."""
        if self._writer is not None and self._writer.needs_rotation:
            with contextlib.suppress(LogUnavailable):
                self._writer.rotate()

    async def close(self) -> None:
        """Write waiting records, sync, and close the stream.

        Raises:
            LogUnavailable: the sync failed; the stream is closed nevertheless.
        """
        self._flush()
        await asyncio.gather(*self._large)
        await self._syncs.close()
        self._syncing.close()
        self._writing.close()
        if self._writer is not None:
            self._writer.close()

    def prepare_records(
        self,
        lane: LaneIdentity,
        requests: Sequence[PendingRequest],
        inputs: pa.RecordBatch,
        sent: int,
        outside: dict[str, int],
    ) -> PendingRecords:
        """Prepare the log records of a batch that is being scored, without the answers.

        Args:
            lane: the lane that scores it.
            requests: the requests, in row order.
            inputs: their decoded rows.
            sent: when the batch was sent to the worker, in monotonic nanoseconds.
            outside: by feature, the number of its rows with a value out of domain or range.
        """
        self._metrics.outside(outside)
        return PendingRecords.of(requests, lane, inputs, sent)

    def answered(
        self,
        lane: LaneIdentity,
        pending: PendingRecords,
        scored: pa.RecordBatch,
        calls: Sequence[WorkerCall],
        answers: Sequence[Answer],
    ) -> None:
        """Log a scored batch with one write, then send its answers.

        Args:
            lane: the lane that scored it.
            pending: the records prepared by :meth:`prepare_records`.
            scored: its outputs, in the scored schema.
            calls: the calls of the worker, in the order of the rows.
            answers: one per request.
        """
        errors = scored.column(ERROR)
        failed = len(errors) - errors.null_count
        outcome: str | list[str] = "answered"
        code: list[str | None] | None = None
        if failed:
            outcome, code, errors = _row_outcomes(errors.to_pylist(), pending.requests)
        batch = record(
            pending, lane.schema, outcome=outcome, code=code, error=errors,
            calls=calls, outputs=scored.columns[:-1],
        )  # fmt: skip

        def settle(log_error: LogUnavailable | None) -> None:
            results = answers
            if log_error is not None:
                self._metrics.settled("failed", len(errors), log_error.code)
                results = [Answer.of(log_error, request.request_id) for request in pending.requests]
            else:
                self._metrics.settled("answered", len(errors) - failed)
                if failed:
                    pairs = Counter(zip(outcome, code or (), strict=True))
                    for (kind, reason), rows in pairs.items():
                        if reason is not None:
                            self._metrics.settled(kind, rows, reason)
            for call in calls:
                self._metrics.batch(call.rows, call.micros, lane.epoch)
            self._answer(pending.requests, results, logged=log_error is None)

        for request in pending.requests:
            request.settled = True  # From here on nothing but the answers below can come of them.
        self._append(batch, settle)

    def unanswered(
        self,
        request: PendingRequest,
        outcome: str,
        error: GnomonError,
        lane: LaneIdentity | None = None,
    ) -> None:
        """Settle a request with an error; it is logged with others of this turn of the event loop.

        Args:
            request: the request.
            outcome: ``rejected``, ``failed``, ``timed_out`` or ``shed``.
            error: the error for its client.
            lane: the lane it had reached, if any.
        """
        request.settled = True
        if not self._waiting:
            asyncio.get_running_loop().call_soon(self._flush)
        self._waiting.append((request, outcome, error, lane))

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for lane in {id(entry[3]): entry[3] for entry in waiting}.values():
            entries = [entry for entry in waiting if entry[3] is lane]
            large = [entry for entry in entries if len(entry[0].body) > _LARGE_BYTES]
            small = [entry for entry in entries if len(entry[0].body) <= _LARGE_BYTES]
            for group in ([small] if small else []) + [[entry] for entry in large]:
                self._refuse(group, lane)

    def _refuse(
        self,
        entries: Sequence[tuple[PendingRequest, str, GnomonError, LaneIdentity | None]],
        lane: LaneIdentity | None,
    ) -> None:
        """Log requests that get an error with one write, then send their answers."""
        requests = [entry[0] for entry in entries]
        for request in requests:
            request.rows = request.rows or [None]

        def settle(log_error: LogUnavailable | None) -> None:
            for request, outcome, error, _ in entries:
                self._metrics.settled(outcome, len(request.rows), error.code)
                request.reply(Answer.of(error, request.request_id))

        try:
            batch = record(
                PendingRecords.of(requests, lane),
                self._schema,
                outcome=spread([entry[1] for entry in entries], requests),
                code=spread([entry[2].code for entry in entries], requests),
                error=spread([str(entry[2]) for entry in entries], requests),
            )
        except Exception:  # Such as a lack of memory: their clients must be answered.
            _logger.exception("%d refused requests cannot be logged", len(requests))
            self._metrics.unlogged(
                sum(len(request.rows) for request in requests), LogUnavailable.reason
            )
            settle(None)
        else:
            self._append(batch, settle)

    def _answer(
        self, requests: Sequence[PendingRequest], answers: Sequence[Answer], *, logged: bool
    ) -> None:
        """Send answers: at once, or after a sync if the settings say so.

        A failed sync is handled like a failed append, by the setting for that, although the rows
        may be in the log.
        """

        def deliver(unsynced: LogUnavailable | None) -> None:
            refusal = unsynced if self._settings.log_failure == "refuse" else None
            now = time.perf_counter_ns()
            for request, answer in zip(requests, answers, strict=True):
                self._metrics.latency((now - request.started) / 1e9)
                request.reply(answer if refusal is None else Answer.of(refusal, request.request_id))

        if logged and self._settings.fsync_seconds == 0:
            self._syncs.after_sync(deliver)
        else:
            deliver(None)

    def _sync(self) -> None:
        if self._writer is None:
            return
        try:
            self._writer.fsync()
        except LogUnavailable as error:
            self._unsynced = error.with_traceback(None)
            raise
        self._unsynced = None

    def _append(
        self, batch: pa.RecordBatch, settle: Callable[[LogUnavailable | None], None]
    ) -> None:
        """Append a batch, and then call ``settle``, which sends the answers.

        ``settle`` gets an error only if the settings say to refuse.
        """
        writer = self._writer
        if writer is not None and batch.get_total_buffer_size() > _LARGE_BYTES:
            task = asyncio.get_running_loop().create_task(self._append_large(writer, batch, settle))
            self._large.add(task)
            task.add_done_callback(self._large.discard)
            return
        if writer is not None:
            self.error = self._write(writer, batch)
        settle(self._refusal(batch))

    async def _append_large(
        self,
        writer: SegmentWriter,
        batch: pa.RecordBatch,
        settle: Callable[[LogUnavailable | None], None],
    ) -> None:
        """Write a batch in a thread; batches appended meanwhile precede it in the log."""
        try:
            writer.append_apart(await self._writing.run(writer.write_apart, batch))
        except LogUnavailable as error:
            self.error = error.with_traceback(None)
        except Exception as error:  # The client must be answered in any case.
            self.error = _not_appended(error)
        else:
            self.error, self._schema = None, batch.schema
        settle(self._refusal(batch))

    def _refusal(self, batch: pa.RecordBatch) -> LogUnavailable | None:
        """Count a batch that could not be logged, and return the error if it is to be refused."""
        if self.error is None:
            return None
        self._metrics.unlogged(batch.num_rows, self.error.reason)
        return self.error if self._settings.log_failure == "refuse" else None

    def _write(self, writer: SegmentWriter, batch: pa.RecordBatch) -> LogUnavailable | None:
        try:
            if batch.schema != self._schema:
                writer.rotate(batch.schema)
                self._schema = batch.schema
            else:
                self.rotate_if_due()
            writer.append(batch)
        except LogUnavailable as error:
            return error.with_traceback(None)
        except Exception as error:  # Whatever it is, the clients must be answered.
            _logger.exception("cannot append to the log")
            return _not_appended(error)
        return None


def _not_appended(error: Exception) -> LogUnavailable:
    """Return the error for an exception that is not the disk's."""
    return LogUnavailable(f"cannot append to the log: {type(error).__name__}: {error}")


def _row_outcomes(
    errors: Sequence[str | None], requests: Sequence[PendingRequest]
) -> tuple[list[str], list[str | None], pa.Array]:
    """Return the outcome of each scored row, and the code and text of its error."""
    paths = (
        "$" if request.single else f"$.rows[{number}]"
        for request in requests
        for number in range(len(request.rows))
    )
    failures = [None if e is None else failure(e, p) for e, p in zip(errors, paths, strict=True)]
    outcome = [
        "answered" if e is None else "rejected" if isinstance(e, InvalidRequest) else "failed"
        for e in failures
    ]
    text = [
        str(e) if isinstance(e, InvalidRequest) else raw
        for e, raw in zip(failures, errors, strict=True)
    ]
    return outcome, [None if e is None else e.code for e in failures], pa.array(text, pa.string())
