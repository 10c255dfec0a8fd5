"""The blocking client of a worker, for the shadow feed, replay and notebooks."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Self

import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.compat.platform import send_packet
from gnomon.errors import PredictionFailed, WorkerError
from gnomon.settings import Settings
from gnomon.worker import messages
from gnomon.worker.bisection import bisect_batch
from gnomon.worker.spawn import Spawned, reap, spawn

__all__ = ["WorkerClient"]

MOST_KILLED = 10
"""Holders in a row that are replaced although each was killed before it served: what kills that
many, such as a lack of memory, will kill the next."""

_TRACE_HINT = "trace only rows that score"


class WorkerClient:
    """A context manager that runs one worker process and gives its caller sole use of it.

    Args:
        artifact: the inspected artifact that the worker is to load.
        settings: thread and time limits.
        deadline: seconds one batch may take before the worker counts as hung and is killed.
        python: the interpreter of another environment to run the worker in.
        verify: refuse an artifact whose golden rows give other answers than recorded. Only a
            diagnosis, which looks for what differs in that environment, sets it to false.
        after_death: called when a worker died on a batch, with the number of deaths since the
            last answer.

    Raises:
        ArtifactError: from ``__enter__``, when the worker refused the artifact.
        WorkerError: from ``__enter__``, when it did not become ready in time.
    """

    def __init__(
        self,
        artifact: Artifact,
        settings: Settings | None = None,
        *,
        deadline: float = 60.0,
        python: str | None = None,
        verify: bool = True,
        after_death: Callable[[int], None] = lambda deaths: None,
    ) -> None:
        self._after_death, self._deaths = after_death, 0
        self._python, self._verify = python, verify
        self._settings = settings or Settings.read()
        self._artifact = artifact
        self._deadline = deadline
        self._schema = messages.scored_schema(artifact.contract.output_schema)
        self._number = 0
        self.restarts = 0
        self.micros = 0
        """Microseconds the worker spent on the last batch, over all attempts that it answered."""
        self.waited = 0
        """How many of these microseconds the worker waited for a processor."""

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def worked(self) -> int:
        """Microseconds spent on the last batch, without the wait for a processor."""
        return messages.worked(self.micros, self.waited)

    def __enter__(self) -> Self:
        self._process, self._control = self._spawn()
        try:
            self._connect()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._data.close()
        self._end()

    def score(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Score decoded rows; see :meth:`gnomon.worker.Engine.score`.

        A worker that dies or hangs is replaced; only a row that ends its worker even alone fails,
        with ``error`` starting ``crashed:``.

        Raises:
            WorkerError: the worker could not be replaced.
        """
        self.micros = self.waited = 0
        result = self._try_score(batch)
        if not isinstance(result, str):
            return result
        rescue = bisect_batch(batch, self._schema)
        attempt = next(rescue)
        while True:
            try:
                attempt = rescue.send(self._try_score(attempt))
            except StopIteration as done:
                scored: pa.RecordBatch = done.value
                return scored

    def trace(self, batch: pa.RecordBatch) -> pa.Table:
        """Return every step's output for decoded rows; see :meth:`gnomon.worker.Engine.trace`.

        Raises:
            PredictionFailed: a row ended the worker or a step raised on it.
        """
        return self._look(messages.TRACE, batch.serialize(), batch.num_rows)

    def experiment(self, table: pa.Table, *, fixed: bool = False) -> pa.Table:
        """Return steps and answers for forced columns; see :meth:`gnomon.worker.Engine.experiment`.

        Raises:
            PredictionFailed: a row ended the worker or a step raised on it.
        """
        kind = messages.FIXED if fixed else messages.EXPERIMENT
        return self._look(kind, messages.table_payload(table), table.num_rows)

    def _look(self, kind: int, payload: pa.Buffer, rows: int) -> pa.Table:
        result = self._try(kind, payload)
        if isinstance(result, str):
            raise PredictionFailed(
                f"tracing {rows} rows ended the worker ({result})", hint=_TRACE_HINT
            )
        if result.kind == messages.FAILED:
            raise PredictionFailed(bytes(result.payload).decode(), hint=_TRACE_HINT)
        return messages.read_table(result.payload)

    def _try_score(self, batch: pa.RecordBatch) -> pa.RecordBatch | str:
        result = self._try(messages.SCORE, batch.serialize())
        if isinstance(result, str):
            self._deaths += 1
            self._after_death(self._deaths)
            return result
        self._deaths = 0
        return messages.read_batch(result.payload, self._schema)

    def _try(self, kind: int, payload: pa.Buffer) -> messages.Frame | str:
        """Send one frame and return the answer, or the reason the worker died."""
        self._number += 1
        frame = hung = None
        try:
            self._data.sendall(messages.pack_frame(self._number, kind, payload))
            frame = messages.recv_frame(self._data)
        except TimeoutError:
            hung = f"it took longer than {self._deadline:g} s and was killed"
            with contextlib.suppress(ConnectionError):
                send_packet(self._control, messages.KILL)
        except ConnectionError:
            pass
        if frame is not None:
            self.micros += frame.micros
            self.waited += frame.waited
            return frame
        self._data.close()
        reason = self._connect()
        return hung or reason

    def _connect(self) -> str:
        """Wait for the next scorer, starting a new holder if it is gone.

        Returns:
            The reason the previous scorer died.
        """
        reason, killed = "the worker process was killed", 0
        limit = time.monotonic() + self._settings.worker_start_seconds
        while True:
            self._control.settimeout(max(limit - time.monotonic(), 0.001))
            try:
                event, data = messages.read_event(self._control)
            except TimeoutError:
                raise WorkerError(
                    f"no worker became ready in {self._settings.worker_start_seconds:g} s",
                    where=self._artifact.tag,
                    hint="raise GNOMON_WORKER_START_SECONDS if the artifact is slow to load",
                ) from None
            match event:
                case messages.Ready():
                    assert data is not None
                    data.settimeout(self._deadline)
                    self._data = data
                    return reason
                case messages.Died():
                    reason = event.reason
                    self.restarts += 1
                case messages.Refused():
                    raise event.error()
                case None:
                    killed += 1
                    self._respawn(killed)

    def _respawn(self, killed: int) -> None:
        """Start another holder after one that ended without a message.

        Args:
            killed: how many have ended so since a scorer last served.
        """
        code = self._end()
        self.restarts += 1
        if code >= 0 or killed > MOST_KILLED:
            outcome = f"ended with exit code {code}"
            hint = "its own message is on standard error"
            if code < 0:
                outcome = f"was killed {killed} times, the last time by signal {-code},"
                hint = "if memory ran out, the system's log says so"
            raise WorkerError(
                f"the worker {outcome} before it was ready", where=self._artifact.tag, hint=hint
            )
        self._process, self._control = self._spawn()

    def _spawn(self) -> Spawned:
        return spawn(self._artifact, self._settings, self._python, verify=self._verify)

    def _end(self) -> int:
        self._control.close()
        return reap(self._process)
