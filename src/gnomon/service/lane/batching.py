"""The live lane: a bounded queue for the live artifact's workers, with batching without a timer."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

import msgspec
import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.contract import Decoder
from gnomon.errors import DeadlineExceeded, GnomonError, Overloaded
from gnomon.log import request_schema
from gnomon.service.http.asgi import unexpected
from gnomon.service.lane.answer_encoding import answers
from gnomon.service.lane.batch_queue import BatchQueue, RequestPart
from gnomon.service.lane.batch_size import BatchSize
from gnomon.service.lane.codec import Codec
from gnomon.service.lane.codec_messages import Read, Records
from gnomon.service.lane.pending_request import Answer, PendingRequest
from gnomon.service.lane.recording import Recorder
from gnomon.service.lane.records import LaneIdentity, PendingRecords, WorkerCall
from gnomon.settings import Settings
from gnomon.worker import Supervisor
from gnomon.worker.adopted_process import HolderHandle
from gnomon.worker.connection import Scored
from gnomon.worker.messages import ERROR

__all__ = ["ROOM_SECONDS", "Lane"]

logger = logging.getLogger("gnomon")

SOON_SECONDS = 0.01
"""A request that arrived longer ago than this when it is queued, because of earlier requests on its
connection or a large body, has its deadline before some that were queued earlier."""
CALL_COSTS_MOST = 2.0
"""Up to this many times the fastest call, the fixed cost of a call exceeds that of its rows.

Then large batches are best, as a call costs nearly the same for one row as for a hundred: the
answers are sent before the next batch is made, so that their clients' next requests can join it.
Beyond this, rows cost the same in any batch, and the next batch is sent first, so that the worker
does not wait. See ``docs/benchmarks.md``.
"""

ROOM_SECONDS = 0.005
"""How often a part of a stream that waits for room in the queue checks again."""
STREAM_BATCHES = 4
"""Batches in a part of a stream: enough that the fixed cost of a part is small, and few enough that
it is answered well within any deadline."""
SOON_VALUES = 4_096
"""The most values of an answer (rows times columns) that can be encoded in a few milliseconds."""


class Lane:
    """One artifact that can answer: its decoder, its workers and their queue.

    Each worker has one batch in flight. Meanwhile requests queue; once it is answered, and the
    event loop has read the requests that have arrived, the queue becomes the next batch. There is
    no timer, so an idle lane adds no latency.

    Args:
        artifact: the inspected artifact.
        settings: queue, batch and time limits.
        recorder: logs every outcome before its answer is sent.
        epoch: the rollout decision that made this artifact live.
        codec: reads large bodies and writes large answers.
        on_death: called with the reason when a worker ends unexpectedly.
        holders: workers of this artifact that outlived the previous gateway.
    """

    def __init__(
        self,
        artifact: Artifact,
        settings: Settings,
        recorder: Recorder,
        epoch: int,
        codec: Codec,
        on_death: Callable[[str], None] = lambda reason: None,
        holders: Iterable[HolderHandle] = (),
    ) -> None:
        self.artifact = artifact
        self.contract = artifact.contract
        self.decoder = Decoder(artifact.contract)
        self._encoded_contract = msgspec.json.encode(artifact.contract)
        self._codec = codec
        self._reading = 0
        self.identity = LaneIdentity(
            artifact.tag, artifact.digest, epoch, request_schema(artifact.contract)
        )
        self._settings = settings
        self._recorder = recorder
        self._size = BatchSize(settings.batch_rows, settings.batch_seconds)
        self._queue = BatchQueue(self._size)
        self._unsettled: deque[PendingRequest] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        remaining = iter(holders)
        self._workers = [
            Supervisor(artifact, settings, on_death, next(remaining, None))
            for _ in range(settings.workers)
        ]
        self._free = [*self._workers]
        self._fastest = math.inf
        """Microseconds of the fastest call so far: about the fixed cost of a call."""
        self._gathering = False
        self._gathered = 0
        self._patience = 0.0
        self._batches: set[asyncio.Task[None]] = set()

    def became_live(self, epoch: int) -> None:
        """Log later answers with this rollout decision."""
        self.identity = self.identity._replace(epoch=epoch)

    @property
    def restarts(self) -> int:
        """How often workers of this lane were replaced."""
        return sum(worker.restarts for worker in self._workers)

    def outliving(self) -> list[HolderHandle]:
        """Return the workers another gateway could take over; see :meth:`Supervisor.outliving`."""
        handles = (worker.outliving() for worker in self._workers)
        return [handle for handle in handles if handle is not None]

    async def start(self) -> None:
        """Start the workers, and wait until all have verified the artifact and serve.

        Raises:
            ArtifactError: a worker refused the artifact.
            WorkerError: a worker was not ready in time.
        """
        starting = [asyncio.create_task(worker.start()) for worker in self._workers]
        try:
            await asyncio.gather(*starting)
        except GnomonError:
            await asyncio.gather(*starting, return_exceptions=True)
            await self.close()
            raise

    async def close(self) -> None:
        """Answer the requests that are queued or in flight, then end the workers."""
        while self._batches or self._queue or self._reading:
            await asyncio.sleep(0.005)
        if self._alarm is not None:
            self._alarm.cancel()
        await asyncio.gather(*(worker.close() for worker in self._workers))

    async def read(self, body: bytes | bytearray) -> tuple[Read, pa.RecordBatch]:
        """Decode a large body in another process; :meth:`close` waits for it.

        Raises:
            InvalidRequest, DeadlineExceeded, WorkerError: see :meth:`Codec.read`.
        """
        self._reading += 1
        try:
            return await self._codec.read(
                self._encoded_contract, self.decoder.schema, body, self._settings.body_rows
            )
        finally:
            self._reading -= 1

    async def read_records(
        self, part: bytes, form: str
    ) -> tuple[Records, bytes, pa.RecordBatch | None]:
        """Decode a part of a stream in another process; :meth:`close` waits for it.

        Waits until the queue has room for the rows: other requests may have filled it meanwhile.

        Raises:
            InvalidRequest, DeadlineExceeded, WorkerError: see :meth:`Codec.read_records`.
        """
        self._reading += 1
        try:
            read = await self._codec.read_records(
                self._encoded_contract, self.decoder.schema, part, form
            )
            while read[2] is not None and not self.has_room(read[2].num_rows):
                await asyncio.sleep(ROOM_SECONDS)
            return read
        finally:
            self._reading -= 1

    @property
    def stream_rows(self) -> int:
        """The best number of rows of a stream to read at a time: a few batches."""
        return min(self._size.rows * STREAM_BATCHES, self._settings.body_rows)

    def has_room(self, rows: int) -> bool:
        """Return whether ``rows`` rows of a stream may be queued; streams leave room for others."""
        waiting = self._queue.large_rows
        return not waiting or waiting + rows <= self._settings.queue_rows // 2

    def submit(self, request: PendingRequest) -> None:
        """Queue a decoded request, or shed it if the queue is full."""
        waiting = self._queue.ahead_of(request)
        if waiting and waiting + len(request.rows) > self._settings.queue_rows:
            self._recorder.unanswered(request, "shed", self._overloaded(waiting))
            return
        loop = asyncio.get_running_loop()
        elapsed = (time.perf_counter_ns() - request.started) / 1e9
        if elapsed >= self._settings.deadline:
            self._time_out(request)
            return
        request.expires = loop.time() + self._settings.deadline - elapsed
        if elapsed >= SOON_SECONDS:
            self._time_alone(request)
        else:
            self._unsettled.append(request)
            if self._alarm is None:
                self._alarm = loop.call_at(request.expires, self._expire)
        self._queue.add(request)
        self._gather()

    def _gather(self) -> None:
        """Begin to gather a batch for a free worker, unless one is being gathered."""
        if self._free and self._queue and not self._gathering:
            self._gathering, self._gathered = True, 0
            self._patience = time.perf_counter() + self._fastest / 1e6
            asyncio.get_running_loop().call_soon(self._gather_on)

    def _gather_on(self) -> None:
        """Send the queued requests once a turn of the event loop brings no more.

        The wait is limited to the time of a call, which is what a larger batch can save.
        """
        grows = self._gathered < self._queue.rows and self._queue.can_grow
        if grows and time.perf_counter() < self._patience:
            self._gathered = self._queue.rows
            asyncio.get_running_loop().call_soon(self._gather_on)
        else:
            self._gathering = False
            self._send()

    def _send(self) -> None:
        while self._free and (batch := self._queue.take()):
            run = self._run_part if isinstance(batch, RequestPart) else self._run
            task = asyncio.get_running_loop().create_task(run(self._free.pop(), batch))  # type: ignore[arg-type]
            self._batches.add(task)
            task.add_done_callback(self._batches.discard)

    async def _run(self, worker: Supervisor, requests: list[PendingRequest]) -> None:
        """Score small requests, and answer them."""
        holds_worker = True
        try:
            pending, scored, call = await self._score(worker, requests)
            micros = scored.worked  # What it waited for a processor says nothing of calls and rows.
            if micros:  # 0 if the worker died on every row.
                self._fastest = min(self._fastest, micros)
            if micros > CALL_COSTS_MOST * self._fastest:
                holds_worker = False
                self._free.append(worker)
                self._send()
                await asyncio.sleep(0)  # The next batch is sent first.
            self._answer(pending, scored.batch, [call])
        except Exception as error:
            self._fail(requests, error)
        finally:
            if holds_worker:
                self._release(worker)

    async def _score(
        self, worker: Supervisor, requests: list[PendingRequest]
    ) -> tuple[PendingRecords, Scored, WorkerCall]:
        """Score a batch, and prepare its log records while the worker is busy."""
        sent = time.perf_counter_ns()
        rows = [row for request in requests for row in request.rows]
        inputs = self.decoder.batch(rows)
        sent_batch = await worker.begin(inputs)
        try:
            outside = self.decoder.outside(rows)
            pending = self._recorder.prepare_records(self.identity, requests, inputs, sent, outside)
        finally:
            scored = await worker.finish(sent_batch)
        self._learn_size(scored)
        return pending, scored, WorkerCall(inputs.num_rows, sent, scored.micros, scored.worked)

    async def _run_part(self, worker: Supervisor, part: RequestPart) -> None:
        """Score a part of a large request, and answer the request if it was the last part."""
        sent = time.perf_counter_ns()
        large = part.request
        holds_worker = True
        try:
            inputs = large.inputs(self.decoder)
            scored = await worker.score(inputs.slice(part.start, part.rows), large.searched)
            holds_worker = False
            self._release(worker)
            self._learn_size(scored)
            if large.add(part, scored, sent) and not large.pending.settled:
                outputs, calls = large.whole()
                pending = self._recorder.prepare_records(
                    self.identity, [large.pending], inputs, sent, large.pending.outside
                )
                await self._answer_large(pending.in_parts(calls), outputs, calls)
        except Exception as error:
            self._fail([large.pending], error)
        finally:
            if holds_worker:
                self._release(worker)

    def _learn_size(self, scored: Scored) -> None:
        """Record how long a batch took, unless it has bad rows: the search for them takes extra
        time."""
        if scored.batch.column(ERROR).null_count == scored.batch.num_rows:
            self._size.took(scored.batch.num_rows, scored.worked)

    def _release(self, worker: Supervisor) -> None:
        self._free.append(worker)
        self._gather()

    async def _answer_large(
        self, pending: PendingRecords, outputs: pa.RecordBatch, calls: Sequence[WorkerCall]
    ) -> None:
        """Answer one request; a long answer is encoded in another process."""
        [request] = pending.requests
        if request.form == "arrow":
            self._answer(pending, outputs, calls, [Answer(200, outputs.serialize().to_pybytes())])
            return
        is_json = request.form == "json"
        if is_json and (request.single or outputs.num_rows * outputs.num_columns <= SOON_VALUES):
            self._answer(pending, outputs, calls)
            return
        numbers = None if is_json else request.numbers
        body = await self._codec.write(
            self._encoded_contract, outputs, request.request_id, self.artifact.tag, numbers
        )
        self._answer(pending, outputs, calls, [Answer(200, body)])

    def _answer(
        self,
        pending: PendingRecords,
        outputs: pa.RecordBatch,
        calls: Sequence[WorkerCall],
        encoded: list[Answer] | None = None,
    ) -> None:
        """Send a batch's answers; they are encoded here unless ``encoded`` has them."""
        if any(request.settled for request in pending.requests):
            unsettled = pa.array(
                [not request.settled for request in pending.requests for _ in request.rows]
            )
            pending, outputs = pending.filter(unsettled), outputs.filter(unsettled)
        if pending.requests:
            if encoded is None:
                encoded = answers(pending.requests, outputs, self.contract, self.artifact.tag)
            self._recorder.answered(self.identity, pending, outputs, calls, encoded)
        self._forget_settled()

    def _fail(self, requests: list[PendingRequest], error: Exception) -> None:
        """Answer those that were not answered, whatever went wrong."""
        outcome = "timed_out" if isinstance(error, DeadlineExceeded) else "failed"
        if not isinstance(error, GnomonError):
            logger.error("a batch failed", exc_info=error)
            error = unexpected(error)
        for request in requests:
            if not request.settled:
                self._recorder.unanswered(request, outcome, error, self.identity)
        self._forget_settled()

    def _expire(self) -> None:
        """Time out the requests that are due, with one alarm for all, as they are in order."""
        loop = asyncio.get_running_loop()
        self._forget_settled()
        while self._unsettled and self._unsettled[0].expires <= loop.time():
            self._time_out(self._unsettled[0])
            self._forget_settled()
        self._alarm = (
            loop.call_at(self._unsettled[0].expires, self._expire) if self._unsettled else None
        )

    def _time_alone(self, request: PendingRequest) -> None:
        """Set a separate alarm for a request that is due before some that were queued earlier."""
        alarm = asyncio.get_running_loop().call_at(request.expires, self._time_out, request)
        reply = request.reply

        def answered(answer: Answer) -> None:
            alarm.cancel()
            reply(answer)

        request.reply = answered

    def _time_out(self, request: PendingRequest) -> None:
        if not request.settled:
            error = DeadlineExceeded(
                f"no answer within {self._settings.deadline:g} s",
                hint="the server is overloaded or the model slow; GNOMON_DEADLINE is the limit",
            )
            self._recorder.unanswered(request, "timed_out", error, self.identity)

    def _forget_settled(self) -> None:
        while self._unsettled and self._unsettled[0].settled:
            self._unsettled.popleft()

    def _overloaded(self, waiting: int) -> Overloaded:
        return Overloaded(
            f"{waiting} rows are already waiting; the limit is {self._settings.queue_rows}",
            hint="retry after the time given in Retry-After",
        )
