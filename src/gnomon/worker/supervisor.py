"""The asynchronous client of a worker: keeps one running without blocking the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Coroutine
from typing import NamedTuple

import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.compat.platform import send_packet
from gnomon.errors import DeadlineExceeded, GnomonError, WorkerError
from gnomon.settings import Settings
from gnomon.worker import messages
from gnomon.worker.adopted_process import HolderHandle, outlive, take_over
from gnomon.worker.bisection import bisect_batch
from gnomon.worker.connection import Scored, WorkerConnection
from gnomon.worker.spawn import Spawned, reap, spawn

__all__ = ["Supervisor"]

logger = logging.getLogger("gnomon")

RESPAWN_SECONDS = (0.0, 0.2, 1.0, 5.0)
"""Pauses before a worker process that ended is started again; the last one repeats."""

HOLDER_SECONDS = 5.0
"""Many times what a holder takes to kill its scorer."""
READ_SECONDS = 0.02


class SentBatch(NamedTuple):
    """A batch on its way to a scorer."""

    batch: pa.RecordBatch
    connection: WorkerConnection
    answer: asyncio.Future[Scored | str]


class Supervisor:
    """Owns one worker: starts it, replaces it when it dies, kills it when it hangs.

    Args:
        artifact: the inspected artifact.
        settings: thread and time limits; ``deadline`` is how long one batch may take.
        on_death: called with the reason each time a scorer or its holder ends unexpectedly.
        previous_holder: one that outlived its gateway and has loaded this artifact, to use first.
    """

    def __init__(
        self,
        artifact: Artifact,
        settings: Settings,
        on_death: Callable[[str], None] = lambda reason: None,
        previous_holder: HolderHandle | None = None,
    ) -> None:
        self._artifact = artifact
        self._settings = settings
        self._on_death = on_death
        self._schema = messages.scored_schema(artifact.contract.output_schema)
        self._previous_holder = previous_holder
        self._holder: Spawned | None = None
        self._handle: HolderHandle | None = None
        self._current: WorkerConnection | None = None
        self._serving = asyncio.Event()
        self._refusal: GnomonError | None = None
        self._rescue_lock = asyncio.Lock()
        self._no_rescues = asyncio.Event()
        self._no_rescues.set()
        self._rescues = 0
        self._failed_starts = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """The scorer's process id; None while no scorer serves."""
        return self._current.pid if self._current is not None and self._current.is_open else None

    async def start(self) -> None:
        """Start the worker, and wait until it has verified its artifact and serves.

        Raises:
            ArtifactError: the worker refused the artifact.
            WorkerError: it was not ready within ``worker_start_seconds``.
        """
        if not await self._take_over():
            self._spawn()
        try:
            async with asyncio.timeout(self._settings.worker_start_seconds):
                await self._serving.wait()
        except TimeoutError:
            self._refusal = WorkerError(
                f"no worker became ready in {self._settings.worker_start_seconds:g} s",
                where=self._artifact.tag,
                hint="raise GNOMON_WORKER_START_SECONDS if the artifact is slow to load",
            )
        if self._refusal is not None:
            refusal = self._refusal
            await self.close()
            raise refusal

    async def score(self, batch: pa.RecordBatch, searched: int = 0) -> Scored:
        """Score decoded rows. Calls may overlap; the worker takes them in order.

        A row that ends its worker even alone comes back with ``error`` starting ``crashed:``.

        Args:
            batch: the rows.
            searched: microseconds already spent on bad rows of the same request.

        Raises:
            DeadlineExceeded: the batch took longer than the deadline; its worker was killed.
            WorkerError: the worker cannot be replaced, or was closed.
        """
        return await self.finish(await self.begin(batch, searched))

    async def begin(self, batch: pa.RecordBatch, searched: int = 0) -> SentBatch:
        """Send rows, as the first half of :meth:`score`; :meth:`finish` must follow.

        Raises:
            WorkerError: the worker cannot be replaced, or was closed.
        """
        await self._no_rescues.wait()
        sent = await self._send(batch, searched)
        sent.answer.add_done_callback(self._close_gate)
        return sent

    async def finish(self, sent: SentBatch) -> Scored:
        """Wait for the answers, as the second half of :meth:`score`.

        Raises:
            DeadlineExceeded: the batch took longer than the deadline; its worker was killed.
            WorkerError: the worker cannot be replaced, or was closed.
        """
        result = await self._receive(sent)
        return result if isinstance(result, Scored) else await self._rescue(sent.batch)

    async def close(self) -> None:
        """End the worker once it has answered the batches it was sent."""
        if self._refusal is None:
            self._refusal = WorkerError("the worker was closed", where=self._artifact.tag)
        self._serving.set()
        for task in tuple(self._tasks):
            task.cancel()
        if self._current is not None:
            self._current.close()
            self._current.died("the worker was closed")
        if self._previous_holder is not None:
            self._previous_holder.end()
        await self._end()

    def outliving(self) -> HolderHandle | None:
        """Return what another gateway needs to take the worker over if this one is killed.

        From then on the worker lives as long as any process has its tether. None before it serves.
        """
        if self._holder is None or self._holder.control.fileno() < 0:
            return None
        if self._handle is None and self.pid is not None:
            self._handle = outlive(self._holder)
        return self._handle

    async def _take_over(self) -> bool:
        """Take over the previous holder, if there is one, and return whether it serves now."""
        handle, self._previous_holder = self._previous_holder, None
        taken = None if handle is None else await take_over(handle)
        if handle is None or taken is None:
            return False
        self._handle = handle
        self._hold(taken.spawned)
        logger.info("took over worker %d of the previous gateway", taken.spawned.process.pid)
        await self._connect(taken.pid, taken.data)
        return True

    def _spawn(self) -> None:
        self._hold(spawn(self._artifact, self._settings))

    def _hold(self, holder: Spawned) -> None:
        self._holder = holder
        holder.control.setblocking(False)
        asyncio.get_running_loop().add_reader(
            holder.control.fileno(), self._on_event, holder.control
        )

    def _close_control(self) -> None:
        """Close the control socket, also for other processes that have it open."""
        if self._holder is not None and self._holder.control.fileno() >= 0:
            control = self._holder.control
            asyncio.get_running_loop().remove_reader(control.fileno())
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_RDWR)
            control.close()

    async def _end(self) -> int:
        """Close the holder's control socket, wait for its end, and return its exit code."""
        self._close_control()
        if self._holder is None:
            return 0
        code = await asyncio.to_thread(reap, self._holder.process)
        self._holder = None
        if self._handle is not None:
            self._handle.close()
            self._handle = None
        return code

    def _on_event(self, control: socket.socket) -> None:
        event, data = messages.read_event(control)
        match event:
            case messages.Ready():
                assert data is not None
                self._create_task(self._connect(event.pid, data))
            case messages.Died():
                self._lose(event.reason)
            case messages.Refused():
                self._refuse(event.error())
            case None:
                self._close_control()
                if self._refusal is None:
                    self._create_task(self._respawn())

    async def _connect(self, pid: int, data: socket.socket) -> None:
        connection = WorkerConnection(pid, self._schema, self._expect_report)
        await asyncio.get_running_loop().create_connection(lambda: connection, sock=data)
        self._current, self._failed_starts = connection, 0
        self._serving.set()

    def _lose(self, reason: str) -> None:
        self._serving.clear()
        self.restarts += 1
        self._on_death(reason)
        if self._current is not None:
            self._current.died(reason)

    async def _respawn(self) -> None:
        """Start another holder after one ended, with growing pauses."""
        never_served = self._current is None
        if self._current is not None:
            self._current.close()
        code = await self._end()
        self._lose(f"the worker process ended with {code}")
        if never_served and code >= 0:
            self._refuse(
                WorkerError(
                    f"the worker ended with exit code {code} before it was ready",
                    where=self._artifact.tag,
                    hint="its own message is on standard error",
                )
            )
            return
        await asyncio.sleep(RESPAWN_SECONDS[min(self._failed_starts, len(RESPAWN_SECONDS) - 1)])
        self._failed_starts += 1
        self._spawn()

    def _refuse(self, error: GnomonError) -> None:
        """Stop serving, and wake the waiting requests with the error."""
        self._refusal = error
        self._serving.set()

    async def _send(self, batch: pa.RecordBatch, searched: int = 0) -> SentBatch:
        while self._current is None or not self._current.is_open:
            await self._serving.wait()
            if self._refusal is not None:
                raise self._refusal
            if self._current is None or not self._current.is_open:
                self._serving.clear()
        return SentBatch(batch, self._current, self._current.send(batch, searched))

    async def _receive(self, sent: SentBatch) -> Scored | str:
        """Wait for the scored rows, or the reason the scorer died."""
        await asyncio.wait((sent.answer,), timeout=self._settings.deadline)
        if not sent.answer.done():
            # If this process itself was stopped, the answer has arrived and only has to be read.
            await asyncio.wait((sent.answer,), timeout=READ_SECONDS)
        if sent.answer.done():
            return sent.answer.result()
        sent.answer.cancel()
        self._kill_scorer(sent.connection)
        raise DeadlineExceeded(
            f"a batch of {sent.batch.num_rows} rows took longer than "
            f"{self._settings.deadline:g} s; its worker was killed",
            where=self._artifact.tag,
        )

    def _kill_scorer(self, connection: WorkerConnection) -> None:
        """Ask the holder to kill a scorer; kill both if the holder does not report it in time."""
        if connection.kill_requested:
            return
        connection.kill_requested = True
        with contextlib.suppress(OSError):
            if self._holder is not None:
                send_packet(self._holder.control, messages.KILL)
        self._expect_report(connection)

    def _expect_report(self, connection: WorkerConnection) -> None:
        """Give the holder time to report a scorer's end, then kill it: it counts as stopped."""
        asyncio.get_running_loop().call_later(HOLDER_SECONDS, self._end_holder, connection)

    def _end_holder(self, connection: WorkerConnection) -> None:
        serves = self._current is connection and self._refusal is None
        if serves and not connection.is_known_dead and self._holder is not None:
            # Its scorer ends with it; when the socket closes, another holder is started.
            self._holder.process.kill()

    def _close_gate(self, answer: asyncio.Future[Scored | str]) -> None:
        """Hold new batches back while one is retried.

        A crash can only be attributed to a batch that ran alone.
        """
        if not answer.cancelled() and isinstance(answer.result(), str):
            self._rescues += 1
            self._no_rescues.clear()

    async def _rescue(self, batch: pa.RecordBatch) -> Scored:
        """Run :func:`bisect_batch` while no other batch is sent to the worker."""
        micros = waited = 0
        rescue = bisect_batch(batch, self._schema)
        attempt = next(rescue)
        try:
            async with self._rescue_lock:
                while True:
                    result = await self._receive(await self._send(attempt))
                    if isinstance(result, Scored):
                        micros += result.micros
                        waited += result.waited
                    try:
                        attempt = rescue.send(
                            result.batch if isinstance(result, Scored) else result
                        )
                    except StopIteration as done:
                        return Scored(done.value, micros, waited)
        finally:
            self._rescues -= 1
            if self._rescues == 0:
                self._no_rescues.set()

    def _create_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
