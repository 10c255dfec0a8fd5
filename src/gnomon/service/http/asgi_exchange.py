"""The handling of a request through ASGI, with uvicorn's request cycle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from gnomon.compat.uvicorn import RequestResponseCycle
from gnomon.service.http.asgi import Scope
from gnomon.service.http.request_head import Head

__all__ = ["Exchange", "Wire"]

_BODY_WAITING = 65_536
"""Bytes of a body that may wait for the application; beyond them the connection is not read."""

_logger = logging.getLogger("uvicorn.error")


class Wire:
    """The methods of a transport and its flow control that uvicorn's cycle needs.

    The connection decides when to close and when to read, because only the connection has the
    information whether a body or another request follows.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        writable: asyncio.Event,
        close: Callable[[], None],
        read_on: Callable[[], None],
    ) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = close
        self.resume_reading = read_on
        self.drain = writable.wait
        self._writable = writable

    @property
    def write_paused(self) -> bool:
        """Whether the client takes its answers too slowly."""
        return not self._writable.is_set()


class Exchange(RequestResponseCycle):
    """One request and its answer.

    Args:
        scope: the request's ASGI scope.
        head: its head.
        wire: its connection.
        default_headers: headers of every answer.
        can_continue: returns, when the answer begins, whether the state of the request's body
            allows another request on the connection.
        on_response: called when the answer is written.
    """

    def __init__(
        self,
        scope: Scope,
        head: Head,
        wire: Wire,
        default_headers: list[tuple[bytes, bytes]],
        can_continue: Callable[[], bool],
        on_response: Callable[[], None],
    ) -> None:
        super().__init__(
            scope=cast(Any, scope),
            transport=cast(Any, wire),
            flow=cast(Any, wire),
            logger=_logger,
            access_logger=_logger,
            access_log=False,
            default_headers=default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=head.expects,
            keep_alive=head.keep_alive,
            on_response=on_response,
        )
        self._can_continue = can_continue
        self._reads = False
        self._abort: Callable[[], None] | None = None

    async def receive(self) -> Any:
        """Receive an ASGI message."""
        if self._abort is not None and self.more_body:
            self._abort()
        self._reads = True
        try:
            return await super().receive()
        finally:
            self._reads = False

    async def send(self, message: Any) -> None:
        """Send an ASGI message, with ``connection: close`` if the rest of the body is not read."""
        if message["type"] == "http.response.start" and self.more_body:
            # A client that waits for `100 Continue` may or may not send the body without it.
            self.keep_alive &= self._can_continue() and not self.waiting_for_100_continue
        await super().send(message)

    def take(self, body: bytes, *, done: bool) -> bool:
        """Pass on a part of the body; return whether to pause until the application has read it."""
        if self.response_complete:
            return False
        self.body += body
        self.more_body = not done
        if done:
            self.waiting_for_100_continue = False
        if body or done:
            self.message_event.set()
        return len(self.body) > _BODY_WAITING

    def end(self, abort: Callable[[], None]) -> None:
        """Abort, because the body ends early, once the application asks for more of it.

        A request that the application refuses by its head alone thus gets that error, whenever the
        client stopped sending.
        """
        if self._reads or self.response_complete:
            abort()
        else:
            self._abort = abort

    def abandon(self) -> None:
        """Tell the application that the client has disconnected."""
        self.disconnected = True
        self.message_event.set()


def scope_of(head: Head, connection: Scope, state: dict[str, Any]) -> Scope:
    """Return the ASGI scope of a request; ``connection`` has the part common to its connection."""
    return {
        **connection,
        "http_version": head.version,
        "method": head.method,
        "path": head.path,
        "raw_path": head.raw_path,
        "query_string": head.query,
        "headers": head.headers,
        "state": state.copy(),
    }
