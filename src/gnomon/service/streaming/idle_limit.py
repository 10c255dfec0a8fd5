"""The limit on how long a client of a stream may neither send data nor read answers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from gnomon.service.http.asgi import Message, Receive, too_idle

__all__ = ["IdleLimit"]


class IdleLimit:
    """A limit on the time without progress in either direction.

    A client that processes answers sends nothing for a while, and one that waits for an answer
    before it sends the next record cannot do anything. Neither is idle: the time restarts whenever
    data is received or read by the client, and it is paused while an answer is due or unread. If a
    client never reads, the operating system resets the connection.

    Args:
        seconds: the limit.
        unread: returns how many bytes were sent that the client has not read.
    """

    def __init__(self, seconds: float, unread: Callable[[], int]) -> None:
        self._seconds = seconds
        self._unread = unread
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._owed = 0
        self._waits: asyncio.Timeout | None = None

    def moved(self) -> None:
        """Restart the time: the client sent or read something."""
        self._since = self._loop.time()
        self._set()

    def owe(self) -> None:
        """Pause the time: the client waits for an answer, or for the server to read more."""
        self._owed += 1
        self._set()

    def settle(self) -> None:
        """End one pause that :meth:`owe` began."""
        self._owed -= 1
        self.moved()

    async def receive(self, receive: Receive) -> Message:
        """Return the next message from the client.

        Raises:
            RequestTimeout: the client was idle for too long.
        """
        while True:
            self.moved()
            with contextlib.suppress(TimeoutError):
                try:
                    async with asyncio.timeout(None) as self._waits:
                        self._set()
                        return await receive()
                finally:
                    self._waits = None
            # Not inside an `except`: the context of the error would refer to the task, and the task
            # refers to its error, so both would wait for a complete garbage collection.
            if not self._unread():
                raise too_idle(self._seconds)

    def _set(self) -> None:
        if self._waits is not None and not self._waits.expired():
            self._waits.reschedule(None if self._owed else self._since + self._seconds)
