"""What a client may take of a gateway: time to send, time to listen, and descriptors.

uvicorn closes a connection that is idle after an answer, and no other. A client that sends its
request byte by byte, or never reads its answer, keeps its connection for ever, and with it a server
that was told to stop.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gnomon.errors import GnomonError, Overloaded
from gnomon.service.front_door import FrontDoor
from gnomon.service.http import CLOSE, error_response, response, too_slow

__all__ = ["KEPT_DESCRIPTORS", "LimitedConnection", "raise_descriptor_limit"]

KEPT_DESCRIPTORS = 256
"""Kept free of connections: log segments, workers and the storage root need some too."""

STOP_SECONDS = 2.0
"""What a client gets to finish its request, or to take its answer, when the server stops."""


def raise_descriptor_limit() -> None:
    """Let this process open as many files and connections as it is allowed to at all."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class LimitedConnection(HttpToolsProtocol):
    """A connection to a :class:`~gnomon.service.front_door.FrontDoor` that ends in bounded time.

    Its settings' ``client_seconds`` is the limit on an idle client that has asked nothing yet, on
    the head of a request, and on an answer that is not taken. The limit on bodies is the front
    door's, which can log what it refuses.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        app = self.config.app
        self.door = app if isinstance(app, FrontDoor) and not self.root_path else None
        self._timer: asyncio.TimerHandle | None = None
        self._in_head = False
        if self.door is not None:
            # By then every request was answered; what still runs are control calls.
            deadline = self.door.runtime().settings.deadline
            self.config.timeout_graceful_shutdown = int(deadline + 2 * STOP_SECONDS + 1)

    @property
    def owes(self) -> bool:
        """Whether a request has come whole, and its answer has not been written."""
        return bool(self.cycle and not self.cycle.more_body and not self.cycle.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the event loop."""
        super().connection_made(transport)
        if self.door is None:
            return
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - KEPT_DESCRIPTORS
        if len(self.connections) > most:
            self._refuse(
                Overloaded(
                    f"{most:,} connections are open already",
                    hint="raise the limit on open files (ulimit -Hn), or add a server",
                )
            )
            return
        seconds = self.door.runtime().settings.client_seconds
        client = transport.get_extra_info("socket")
        if client.family in (socket.AF_INET, socket.AF_INET6):
            # The kernel gives up on an answer that it cannot hand over for so long.
            milliseconds = int(seconds * 1000)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._stop_timing()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Called by uvicorn's parser: from now on the client has its time for a whole request."""
        super().on_message_begin()
        self._in_head = True
        self._time()

    def on_headers_complete(self) -> None:
        """Called by uvicorn's parser."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Called by uvicorn's parser."""
        self._stop_timing()
        super().on_message_complete()

    def shutdown(self) -> None:
        """Called when the server stops."""
        self.end_soon()
        super().shutdown()

    def end_soon(self) -> None:
        """Close in a while, or once the client is owed no answer; whatever the client does."""
        self.loop.call_later(STOP_SECONDS, self._end)

    def _end(self) -> None:
        if self.owes:
            self.end_soon()
        else:
            self.transport.abort()

    def _time(self) -> None:
        if self.door is not None:
            seconds = self.door.runtime().settings.client_seconds
            self._timer = self.loop.call_later(seconds, self._late, seconds)

    def _stop_timing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self, seconds: float) -> None:
        """The client's time for a request is over."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._time()  # The answer to come is either to an earlier one or the front door's 408.
        elif self._in_head:
            self._refuse(too_slow(seconds))
        else:
            self.transport.close()  # The answer did not wait for the body.

    def _refuse(self, error: GnomonError) -> None:
        """Answer what has not come to the front door, and close."""
        status, headers, body = error_response(error)
        self.transport.write(response(status, body, {*headers, CLOSE}))
        self.transport.close()
