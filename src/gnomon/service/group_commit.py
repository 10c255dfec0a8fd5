"""Answers that wait until what they answer is on disk, with ``GNOMON_FSYNC_SECONDS=0``.

One sync serves every answer that was ready before it began; what becomes ready meanwhile is the
next group. So the rate of requests is not bound to the rate of syncs (group commit, as in
https://www.postgresql.org/docs/current/runtime-config-wal.html#GUC-COMMIT-DELAY).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gnomon.errors import LogUnavailable

__all__ = ["GroupCommit"]

Deliver = Callable[[LogUnavailable | None], None]
"""Lets answers leave; or refuses them, with what the disk said to the sync."""


class GroupCommit:
    """Syncs in a thread while anything waits.

    Args:
        sync: forces the log to disk; raises :class:`~gnomon.errors.LogUnavailable`.
    """

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._waiting: list[Deliver] = []
        self._task: asyncio.Task[None] | None = None

    def after_sync(self, deliver: Deliver) -> None:
        """Call ``deliver`` once all that is in the log by now is on disk."""
        self._waiting.append(deliver)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Return when nothing waits any more."""
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            error = None
            try:
                await asyncio.to_thread(self._sync)
            except LogUnavailable as refused:
                error = refused.with_traceback(None)
            for deliver in group:
                deliver(error)
