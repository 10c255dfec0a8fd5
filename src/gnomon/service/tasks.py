"""The asyncio tasks of a slice: repeated tasks, and tasks that still have to finish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

__all__ = ["OwnThreads", "Tasks", "close_all", "closing", "in_thread"]

logger = logging.getLogger("gnomon")

P = ParamSpec("P")
T = TypeVar("T")


class Tasks:
    """Starts tasks in the running event loop, and waits for their end."""

    def __init__(self) -> None:
        self._repeated: set[asyncio.Task[None]] = set()
        self._finishing: set[asyncio.Task[None]] = set()

    def repeat(self, name: str, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` at once and then every ``seconds``, until :meth:`stop_repeating`.

        An error does not end the repetition; it is logged under ``name`` unless it is the same as
        the last one.
        """
        task = asyncio.get_running_loop().create_task(_repeat(name, seconds, work))
        self._repeated.add(task)

    def finish(self, closing: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine to its end while the slice continues."""
        task = asyncio.get_running_loop().create_task(closing)
        self._finishing.add(task)
        task.add_done_callback(self._finished)

    async def stop_repeating(self) -> None:
        """Cancel the repeated tasks, and wait until all have ended."""
        for task in self._repeated:
            task.cancel()
        await asyncio.gather(*self._repeated, return_exceptions=True)

    async def finished(self) -> None:
        """Wait until the tasks of :meth:`finish` have ended."""
        while self._finishing:
            await asyncio.wait(self._finishing)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._finishing.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed", task.get_coro(), exc_info=error)


async def _repeat(name: str, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    complaint = ""
    while True:
        try:
            await work()
            complaint = ""
        except Exception as error:
            if repr(error) != complaint:
                complaint = repr(error)
                logger.exception("%s failed; trying again every %g s", name, seconds)
        await asyncio.sleep(seconds)


async def close_all(*closings: Callable[[], Awaitable[None]]) -> None:
    """Close several objects at the same time, each even if another one fails.

    Raises:
        BaseException: the first error; the others are logged.
    """
    results = await asyncio.gather(*(close() for close in closings), return_exceptions=True)
    errors = [result for result in results if isinstance(result, BaseException)]
    for error in errors[1:]:
        logger.error("closing failed", exc_info=error)
    if errors:
        raise errors[0]


def closing(
    close: Callable[[], Awaitable[None]],
) -> Callable[[object, BaseException | None, object], Awaitable[bool]]:
    """Return a function for :meth:`contextlib.AsyncExitStack.push_async_exit` that calls ``close``.

    If an exception is already being raised, an error of ``close`` is logged and does not replace
    it.
    """

    async def leave(kind: object, error: BaseException | None, traceback: object) -> bool:
        try:
            await close()
        except Exception as failed:
            if error is None:
                raise
            logger.error("closing failed after an error", exc_info=failed)
        return False

    return leave


async def in_thread(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a function in a thread, as :func:`asyncio.to_thread`, and wait for it when cancelled.

    A thread cannot be cancelled. If the caller did not wait, the thread could still acquire a lock
    that was released, or write a file that was removed.
    """
    return await _to_its_end(asyncio.ensure_future(asyncio.to_thread(function, *args, **kwargs)))


class OwnThreads:
    """Threads for work of one kind.

    asyncio has a few threads for everything. Work that hangs, such as on a slow storage root, could
    take all of them, and what answers wait for would never begin.

    Args:
        name: of the threads.
        most: how many run at a time; what comes next waits for one of them.
    """

    def __init__(self, name: str, most: int) -> None:
        self._executor = ThreadPoolExecutor(most, thread_name_prefix=name)

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one of the threads, and wait for it when cancelled."""
        loop = asyncio.get_running_loop()
        call = partial(function, *args, **kwargs)
        return await _to_its_end(loop.run_in_executor(self._executor, call))

    def close(self) -> None:
        """End the threads, each after what it does."""
        self._executor.shutdown(wait=False)


async def _to_its_end(work: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.gather(work, return_exceptions=True)
        raise
