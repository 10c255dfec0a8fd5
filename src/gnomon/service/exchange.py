"""A request that goes through ASGI, with uvicorn's request cycle."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, cast

from gnomon.compat.uvicorn import RequestResponseCycle
from gnomon.service.head import Head
from gnomon.service.http import Scope

__all__ = ["Exchange", "Wire"]

_BODY_WAITING = 65_536
"""Bytes of a body that may wait for the application; then the connection is not read on."""

_logger = logging.getLogger("uvicorn.error")


class Wire:
    """What uvicorn's cycle asks of a transport and of its flow control.

    The connection decides itself when it closes and when it reads, as it alone knows whether a body
    or another request is still to come.
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
        can_continue: whether the connection can, as far as the request's body goes, when the answer
            begins.
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
        """The ASGI ``receive``."""
        if self._abort is not None and self.more_body:
            self._abort()
        self._reads = True
        try:
            return await super().receive()
        finally:
            self._reads = False

    async def send(self, message: Any) -> None:
        """The ASGI ``send``: says ``connection: close`` where the body is not to be read on."""
        if message["type"] == "http.response.start" and self.more_body:
            # Who waits for leave to send a body may send it or not, now that it gets none.
            self.keep_alive &= self._can_continue() and not self.waiting_for_100_continue
        await super().send(message)

    def take(self, body: bytes, *, done: bool) -> bool:
        """Hand on a part of the body; whether the application should catch up first."""
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
        """No more of the body comes: break off, once the application asks for more of it.

        What it refuses by the head alone is then refused for that, whenever the client ended.
        """
        if self._reads or self.response_complete:
            abort()
        else:
            self._abort = abort

    def abandon(self) -> None:
        """The rest of the body will never come: there is nobody to answer."""
        self.disconnected = True
        self.message_event.set()


def scope_of(head: Head, connection: Scope, state: dict[str, Any]) -> Scope:
    """The ASGI scope of a request; ``connection`` has what its connection's requests share."""
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
