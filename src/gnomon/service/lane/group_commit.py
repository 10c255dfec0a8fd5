"""Group commit: with ``GNOMON_FSYNC_SECONDS=0``, answers wait until their log records are on disk.

One sync is for all answers that were ready before it began; answers that become ready meanwhile
are the next group. So the rate of syncs does not limit the rate of requests, as in
https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-COMMIT-DELAY.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gnomon.errors import LogUnavailable

__all__ = ["GroupCommit"]

Deliver = Callable[[LogUnavailable | None], None]
"""Sends answers, or, given the error of a failed sync, refuses them."""


class GroupCommit:
    """Syncs the log while answers wait.

    Args:
        sync: forces the log to disk; raises :class:`~gnomon.errors.LogUnavailable`.
    """

    def __init__(self, sync: Callable[[], Awaitable[None]]) -> None:
        self._sync = sync
        self._waiting: list[Deliver] = []
        self._task: asyncio.Task[None] | None = None

    def after_sync(self, deliver: Deliver) -> None:
        """Call ``deliver`` once everything that is in the log now is on disk."""
        self._waiting.append(deliver)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Wait until no answer waits any more."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            error = None
            try:
                await self._sync()
            except LogUnavailable as refused:
                error = refused.with_traceback(None)
            for deliver in group:
                deliver(error)
