"""One scorer's data socket on an event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, cast

import pyarrow as pa

from gnomon.worker import messages

__all__ = ["Scored", "WorkerConnection"]


class Scored(NamedTuple):
    """A scored batch.

    Attributes:
        batch: the outputs, in the scored schema.
        micros: microseconds the worker spent on it.
        waited: how many of these it waited for a processor.
    """

    batch: pa.RecordBatch
    micros: int
    waited: int = 0

    @property
    def worked(self) -> int:
        """Microseconds without the wait for a processor."""
        return messages.worked(self.micros, self.waited)


class WorkerConnection(asyncio.Protocol):
    """The connection to one scorer: sends batches and resolves their answers in order.

    Open batches get the reason for a death once the socket has closed *and* the reason is known:
    the socket may still hold answers when the reason arrives, or may close before it arrives.
    """

    def __init__(
        self, pid: int, schema: pa.Schema, on_close: Callable[[WorkerConnection], None]
    ) -> None:
        self.pid = pid
        self._schema = schema
        self._on_close = on_close
        self._answers: deque[asyncio.Future[Scored | str]] = deque()
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self._reason: str | None = None
        self._number = 0
        self.kill_requested = False
        """Whether the kill was requested, so that it is requested only once."""

    @property
    def is_open(self) -> bool:
        """Whether batches can be sent."""
        return self._transport is not None and not self._closed and self._reason is None

    @property
    def is_known_dead(self) -> bool:
        """Whether the scorer is known to have ended."""
        return self._reason is not None

    def send(self, batch: pa.RecordBatch, searched: int = 0) -> asyncio.Future[Scored | str]:
        """Send a batch.

        Args:
            batch: decoded rows.
            searched: microseconds already spent on bad rows of the same request.

        Returns:
            A future of the scored batch, or of the reason the scorer died.
        """
        assert self._transport is not None
        self._number = (self._number + 1) & 0xFFFFFFFF
        payload = batch.serialize()
        header = (len(payload), self._number, messages.SCORE, searched, 0)
        self._transport.write(messages.HEADER.pack(*header))
        self._transport.write(payload)
        answer: asyncio.Future[Scored | str] = asyncio.get_running_loop().create_future()
        self._answers.append(answer)
        return answer

    def close(self) -> None:
        """Close the socket; the scorer ends once it has read all that was sent."""
        if self._transport is not None:
            self._transport.close()

    def died(self, reason: str) -> None:
        """Record that the scorer has ended, and why."""
        self._reason = reason
        self._settle()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        self._received += data
        while len(self._received) >= messages.HEADER.size:
            length, _, _, micros, waited = messages.HEADER.unpack_from(self._received)
            end = messages.HEADER.size + length
            if len(self._received) < end:
                return
            payload = bytes(memoryview(self._received)[messages.HEADER.size : end])
            del self._received[:end]
            answer = self._answers.popleft()
            if not answer.done():
                scored = messages.read_batch(payload, self._schema)
                answer.set_result(Scored(scored, micros, waited))

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._closed = True
        self._on_close(self)
        self._settle()

    def _settle(self) -> None:
        if not self._closed or self._reason is None:
            return
        while self._answers:
            answer = self._answers.popleft()
            if not answer.done():
                answer.set_result(self._reason)
