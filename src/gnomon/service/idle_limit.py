"""How long a client of a stream may do nothing: neither send more nor take an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gnomon.service.http import Message, Receive, too_idle

__all__ = ["IdleLimit"]


class IdleLimit:
    """A limit on the time without progress in either direction.

    A client that is busy with answers sends nothing for a while, and one that waits for an answer
    before it sends the next record can do nothing at all. Neither is idle: the time begins anew
    with whatever comes or is taken, and does not run while the client is owed an answer, or has one
    to take. Of one that takes none the system resets the connection.

    Args:
        seconds: the limit.
        unread: how many bytes were sent that the client has not taken.
    """

    def __init__(self, seconds: float, unread: Callable[[], int]) -> None:
        self._seconds = seconds
        self._unread = unread
        self._loop = asyncio.get_running_loop()
        self._since = self._loop.time()
        self._owed = 0
        self._waits: asyncio.Timeout | None = None

    def moved(self) -> None:
        """The client sent something, or took something."""
        self._since = self._loop.time()
        self._set()

    def owe(self) -> None:
        """The client waits for the server: for an answer, or for room in what it reads from."""
        self._owed += 1
        self._set()

    def settle(self) -> None:
        """It no longer waits for what :meth:`owe` was called for."""
        self._owed -= 1
        self.moved()

    async def receive(self, receive: Receive) -> Message:
        """What the client sends next.

        Raises:
            RequestTimeout: it did nothing for too long.
        """
        while True:
            self.moved()
            try:
                async with asyncio.timeout(None) as self._waits:
                    self._set()
                    return await receive()
            except TimeoutError:
                if not self._unread():
                    raise too_idle(self._seconds) from None
            finally:
                self._waits = None

    def _set(self) -> None:
        if self._waits is not None and not self._waits.expired():
            self._waits.reschedule(None if self._owed else self._since + self._seconds)
