"""Background tasks of a slice, and closing its parts."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import AsyncExitStack

import pytest

from gnomon.service.tasks import OwnThreads, Tasks, close_all, closing, in_thread


async def fails() -> None:
    raise ValueError("not closed")


def test_the_first_error_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    """What fails as it closes after another error is logged; alone it is raised."""

    async def run(error: Exception | None) -> None:
        async with AsyncExitStack() as opened:
            opened.push_async_exit(closing(fails))
            if error is not None:
                raise error

    with pytest.raises(KeyError, match="first"):
        asyncio.run(run(KeyError("first")))
    assert "not closed" in caplog.text
    with pytest.raises(ValueError, match="not closed"):
        asyncio.run(run(None))


def test_all_are_closed_though_one_fails() -> None:
    """Its error is raised when the others are closed too."""
    closed = []

    async def closes() -> None:
        await asyncio.sleep(0.01)
        closed.append(True)

    with pytest.raises(ValueError, match="not closed"):
        asyncio.run(close_all(closes, fails, closes))
    assert closed == [True, True]


def test_a_cancelled_caller_waits_for_its_thread() -> None:
    """What the thread takes can then be given back."""
    go_on, taken = threading.Event(), []

    def take() -> None:
        go_on.wait(10)
        taken.append(True)

    async def run() -> None:
        task = asyncio.create_task(in_thread(take))
        await asyncio.sleep(0.01)
        task.cancel()
        asyncio.get_running_loop().call_later(0.05, go_on.set)
        with pytest.raises(asyncio.CancelledError):
            await task
        assert taken == [True]

    asyncio.run(run())


def test_repeated_work_goes_on_after_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """Each new error is logged once."""
    rounds = 0

    async def work() -> None:
        nonlocal rounds
        rounds += 1
        raise ValueError("first" if rounds < 3 else "second")

    async def run() -> None:
        tasks = Tasks()
        tasks.repeat("trying", 0.001, work)
        while rounds < 5:
            await asyncio.sleep(0.001)
        await tasks.stop_repeating()

    with caplog.at_level(logging.ERROR):
        asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == [
        "trying failed; trying again every 0.001 s"
    ] * 2


def test_what_finishes_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A task that fails is waited for too; that is logged."""

    async def run() -> None:
        tasks = Tasks()
        tasks.finish(asyncio.sleep(0.01))
        tasks.finish(fails())
        await tasks.finished()

    asyncio.run(run())
    assert "not closed" in caplog.text


def test_work_that_hangs_in_its_own_threads_holds_nothing_else_up() -> None:
    """Neither asyncio's threads nor those of other work; its own next work waits."""
    go_on = threading.Event()

    async def run() -> list[str]:
        slow, other, done = OwnThreads("slow", 1), OwnThreads("other", 1), []
        hanging = asyncio.ensure_future(slow.run(go_on.wait, 30))
        waiting = asyncio.ensure_future(slow.run(done.append, "next"))
        await other.run(done.append, "other")
        await in_thread(done.append, "asyncio")
        go_on.set()
        await asyncio.gather(hanging, waiting)
        return done

    assert asyncio.run(run()) == ["other", "asyncio", "next"]
