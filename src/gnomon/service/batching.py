"""The live lane: a bounded queue in front of the live artifact's workers, batching by nature."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import pyarrow as pa

from gnomon.errors import DeadlineExceeded, GnomonError, Overloaded, WorkerError
from gnomon.models import Artifact
from gnomon.preprocessing import Decoder
from gnomon.service.recording import Recorder
from gnomon.service.ticket import Ticket
from gnomon.settings import Settings
from gnomon.worker import Supervisor

__all__ = ["Lane"]

IN_FLIGHT = 1
"""Batches sent to one worker at a time.

A call costs a pipeline nearly the same for one row as for a hundred, so the largest batch wins: a
second batch in flight is one that was sealed too early. See ``docs/benchmarks.md``.
"""


class Lane:
    """One artifact able to answer: its decoder, its workers and the queue before them.

    While batches are in flight, requests queue; when one returns, the queue becomes the next
    batch. There is no timer, so an idle lane adds no latency.

    Args:
        artifact: the inspected artifact.
        settings: queue, batch and time limits.
        recorder: logs every outcome before its answer leaves.
        epoch: the rollout decision that made this artifact live.
        on_death: called with the reason when a worker ends unasked.
    """

    def __init__(
        self,
        artifact: Artifact,
        settings: Settings,
        recorder: Recorder,
        epoch: int,
        on_death: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.artifact = artifact
        self.contract = artifact.contract
        self.decoder = Decoder(artifact.contract)
        self.epoch = epoch
        self.queued_rows = 0
        self._settings = settings
        self._recorder = recorder
        self._queue: deque[Ticket] = deque()
        self._unsettled: deque[Ticket] = deque()
        self._alarm: asyncio.TimerHandle | None = None
        self._workers = [Supervisor(artifact, settings, on_death) for _ in range(settings.workers)]
        self._free = [worker for worker in self._workers for _ in range(IN_FLIGHT)]
        self._pumping = False
        self._batches: set[asyncio.Task[None]] = set()

    @property
    def restarts(self) -> int:
        """How often workers of this lane were replaced."""
        return sum(worker.restarts for worker in self._workers)

    @property
    def worker_pids(self) -> list[int]:
        """Process ids of the scorers serving now."""
        return [worker.pid for worker in self._workers if worker.pid is not None]

    async def start(self) -> None:
        """Return once every worker has verified the artifact and serves.

        Raises:
            ArtifactError: a worker refused the artifact.
            WorkerError: one was not ready in time.
        """
        starting = [asyncio.create_task(worker.start()) for worker in self._workers]
        try:
            await asyncio.gather(*starting)
        except GnomonError:
            await asyncio.gather(*starting, return_exceptions=True)
            await self.close()
            raise

    async def close(self) -> None:
        """Answer what is queued and in flight, then end the workers."""
        while self._batches or self._queue:
            await asyncio.sleep(0.005)
        if self._alarm is not None:
            self._alarm.cancel()
        await asyncio.gather(*(worker.close() for worker in self._workers))

    def submit(self, ticket: Ticket) -> None:
        """Take a decoded request, or shed it when the queue is full."""
        rows = len(ticket.rows)
        if self.queued_rows + rows > self._settings.queue_rows and self._queue:
            self._recorder.unanswered(ticket, "shed", self._overloaded())
            return
        loop = asyncio.get_running_loop()
        ticket.expires = loop.time() + self._settings.deadline
        self._unsettled.append(ticket)
        if self._alarm is None:
            self._alarm = loop.call_at(ticket.expires, self._expire)
        self._queue.append(ticket)
        self.queued_rows += rows
        if self._free and not self._pumping:
            # Requests read in this turn of the loop join the same batch.
            self._pumping = True
            loop.call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        while self._free and self._queue:
            tickets = self._take()
            if tickets:
                task = asyncio.get_running_loop().create_task(self._run(self._free.pop(), tickets))
                self._batches.add(task)
                task.add_done_callback(self._batches.discard)

    def _take(self) -> list[Ticket]:
        """The next batch off the queue; requests that timed out while waiting are dropped."""
        tickets: list[Ticket] = []
        rows = 0
        while self._queue:
            size = len(self._queue[0].rows)
            if tickets and rows + size > self._settings.batch_rows:
                break
            ticket = self._queue.popleft()
            self.queued_rows -= size
            if not ticket.settled:
                tickets.append(ticket)
                rows += size
        return tickets

    async def _run(self, worker: Supervisor, tickets: list[Ticket]) -> None:
        sent = time.perf_counter_ns()
        try:
            try:
                inputs = self.decoder.batch([row for ticket in tickets for row in ticket.rows])
                scored = await worker.score(inputs)
            finally:
                await self._release(worker)
        except DeadlineExceeded as error:
            self._fail(tickets, "timed_out", error)
        except GnomonError as error:
            self._fail(tickets, "failed", error)
        except Exception as error:
            self._fail(tickets, "failed", WorkerError(f"{type(error).__name__}: {error}"))
            raise
        else:
            self._answer(tickets, inputs, scored.batch, scored.micros, sent)

    async def _release(self, worker: Supervisor) -> None:
        """Give the worker its next batch before the last one is answered: it need not wait."""
        self._free.append(worker)
        if self._queue:
            self._pump()
            await asyncio.sleep(0)

    def _answer(
        self,
        tickets: list[Ticket],
        inputs: pa.RecordBatch,
        outputs: pa.RecordBatch,
        micros: int,
        sent: int,
    ) -> None:
        if any(ticket.settled for ticket in tickets):
            keep = [not ticket.settled for ticket in tickets for _ in ticket.rows]
            inputs, outputs = inputs.filter(pa.array(keep)), outputs.filter(pa.array(keep))
            tickets = [ticket for ticket in tickets if not ticket.settled]
        if tickets:
            self._recorder.answered(self, tickets, inputs, outputs, micros, sent)
        self._forget_settled()

    def _fail(self, tickets: list[Ticket], outcome: str, error: GnomonError) -> None:
        for ticket in tickets:
            if not ticket.settled:
                self._recorder.unanswered(ticket, outcome, error, self)
        self._forget_settled()

    def _expire(self) -> None:
        """Time out what is due; one alarm is set for all, as all have the same time."""
        loop = asyncio.get_running_loop()
        self._forget_settled()
        while self._unsettled and self._unsettled[0].expires <= loop.time():
            self._recorder.unanswered(
                self._unsettled[0],
                "timed_out",
                DeadlineExceeded(
                    f"no answer within {self._settings.deadline:g} s",
                    hint="the server is overloaded or the model slow; GNOMON_DEADLINE is the limit",
                ),
                self,
            )
            self._forget_settled()
        self._alarm = (
            loop.call_at(self._unsettled[0].expires, self._expire) if self._unsettled else None
        )

    def _forget_settled(self) -> None:
        while self._unsettled and self._unsettled[0].settled:
            self._unsettled.popleft()

    def _overloaded(self) -> Overloaded:
        return Overloaded(
            f"{self.queued_rows} rows are waiting already, the most is {self._settings.queue_rows}",
            hint="retry after the pause given in Retry-After",
        )
