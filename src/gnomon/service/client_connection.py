"""A client's connection at the level of bytes: reading, time limits and closing."""

from __future__ import annotations

import asyncio
import math
import socket
from abc import abstractmethod

from gnomon.compat.platform import limit_unread, unread_bytes
from gnomon.compat.uvicorn import Config, ServerState
from gnomon.errors import GnomonError
from gnomon.service.front_door import FrontDoor
from gnomon.service.http.asgi import CLOSE, error_response, response, too_slow
from gnomon.service.http.connection_limits import (
    LINGER_SECONDS,
    STOP_SECONDS,
    connection_limit,
    too_many,
)
from gnomon.service.http.framing import Framing

__all__ = ["ClientConnection"]

_LATE_SECONDS = 0.05
"""A limit whose timer fires later than this is extended by this much: the process was stopped or
busy, and the event loop calls timers before it reads bytes that the client may have sent in
time."""


class ClientConnection(asyncio.Protocol):
    """The transport of one client's connection to a front door, and its limits.

    The setting ``client_seconds`` limits the time before a first request, for the head of a
    request, and for an answer that is not taken. The front door limits the time for bodies, because
    it can log what it refuses.

    Attributes that subclasses set: ``_received``, the bytes that do not belong to a request yet;
    ``_busy``, whether a request is under way; ``_framing``, the framing of its body until the body
    ends; ``_scanned``, how many bytes of an incomplete head were checked.
    """

    def __init__(self, config: Config, server_state: ServerState) -> None:
        self.door: FrontDoor = config.app  # type: ignore[assignment]
        self.loop = asyncio.get_running_loop()
        self.server_state = server_state
        settings = self.door.runtime().settings
        self._client_seconds = settings.client_seconds
        self._keep_alive = config.timeout_keep_alive
        self._received = b""
        self._read_at = 0.0
        """When the bytes that wait for the request under way were read, on the loop's clock."""
        self._busy = False
        self._framing: Framing | None = None
        self._scanned = 0
        self._closes = False
        self._ended = False
        self._eof = False
        self._paused = False
        self._behind = False
        self._until = math.inf
        self._timer: asyncio.TimerHandle | None = None
        # By then every request was answered; only control calls may still run.
        config.timeout_graceful_shutdown = int(settings.deadline + 2 * STOP_SECONDS + 1)

    @abstractmethod
    def _next(self) -> None:
        """Continue with the received bytes."""

    @property
    def owes(self) -> bool:
        """Whether a complete request was received and its answer was not written yet."""
        return self._busy and self._framing is None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin with a client that has connected; refuse it if there are too many."""
        self.transport = transport
        self._writable = asyncio.Event()
        self._writable.set()
        self.server_state.connections.add(self)  # type: ignore[arg-type]
        most = connection_limit()
        if len(self.server_state.connections) > most:
            self._write_error(too_many(most))
            self._ended = True
            transport.close()
            return
        client = transport.get_extra_info("socket")
        if client.family in (socket.AF_INET, socket.AF_INET6):
            limit_unread(client, self._client_seconds)
        self._expect(self._client_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the connection has closed."""
        self._ended = True
        self.server_state.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        self._writable.set()

    def pause_writing(self) -> None:
        """Stop handling requests, because the client takes its answers too slowly."""
        self._writable.clear()
        self._behind = True

    def resume_writing(self) -> None:
        """Continue with requests; the time they waited for the client does not count."""
        self._writable.set()
        self._behind = False
        self._read_at = self.loop.time()
        self._next()

    def shutdown(self) -> None:
        """Close, once the request under way is answered, because the server stops."""
        self._closes = True
        self._end_soon()
        if not self._busy:
            self.transport.close()

    def unread(self) -> int:
        """Bytes that were written and that the client's system has not taken yet, as far as this
        one says."""
        if self.transport.is_closing():
            return 0
        waiting = self.transport.get_write_buffer_size()
        return waiting + unread_bytes(self.transport.get_extra_info("socket"))

    # Reading.

    def _hold(self, waited: float = 0.0) -> None:
        """Pause reading while received bytes wait for the request under way."""
        if not self._paused:
            self._read_at = self.loop.time() - waited
            self._pause()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _read_on(self) -> None:
        """Resume reading, unless received bytes wait for the request under way."""
        if self._paused and not self.owes and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    # Time.

    def _begin(self) -> None:
        """Record that a request is under way."""
        self._busy, self._scanned, self._until = True, 0, math.inf

    def _expect(self, seconds: float) -> None:
        """Set the time limit for the client's next action.

        One timer is used for all limits: it is set again when it fires, not at each request.
        """
        self._until = self.loop.time() + seconds
        if self._timer is None or self._until < self._timer.when():
            self._set_timer(self._until)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        overdue = self.loop.time() - self._until
        if overdue < 0:
            if self._until < math.inf:
                self._set_timer(self._until)
        elif overdue > _LATE_SECONDS:
            self._expect(_LATE_SECONDS)
        elif self._scanned:
            self._refuse(too_slow(self._client_seconds))
        else:
            self._close()

    def _end_soon(self) -> None:
        """Close after some time, once no answer is outstanding, even if the client does not."""
        self.loop.call_later(STOP_SECONDS, self._end)

    def _end(self) -> None:
        if self.owes:
            self._end_soon()
        else:
            self.transport.abort()

    # Endings.

    def _refuse(self, error: GnomonError) -> None:
        """Answer a request that does not reach the front door, and close."""
        self._write_error(error)
        self._closes = True
        self._close(linger=True)

    def _write_error(self, error: GnomonError) -> None:
        status, headers, body = error_response(error)
        headers = (*self.server_state.default_headers, *headers)
        if CLOSE not in headers:
            headers = (*headers, CLOSE)
        self.transport.write(response(status, body, headers))

    def _close(self, *, linger: bool = False) -> None:
        """Close; if the client may still be sending, first give it time to read its answer.

        If the connection were closed at once, the kernel would answer further bytes with a reset,
        and a client that has not read the answer would lose it: RFC 9112, section 9.6.
        """
        if self._ended:
            return
        linger |= self._framing is not None or bool(self._received)
        self._ended, self._framing, self._received = True, None, b""
        if not linger or self._eof:
            self.transport.close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._busy = False
        self._read_on()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)
