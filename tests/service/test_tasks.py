"""Mirrors ``gnomon.service.tasks``."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from gnomon.service.tasks import Tasks, close_all, in_thread


def test_repeated_work_outlives_its_errors(caplog: pytest.LogCaptureFixture) -> None:
    """It is done again after an error, which is logged once for as long as it stays the same."""
    done: list[int] = []
    enough = asyncio.Event()

    async def work() -> None:
        done.append(len(done))
        if len(done) == 6:
            enough.set()
        if len(done) in (2, 3, 5):
            raise OSError("the disk is full")

    async def run() -> None:
        tasks = Tasks()
        tasks.repeat("the work", 0.001, work)
        await asyncio.wait_for(enough.wait(), 30)
        await tasks.stop_repeating()
        count = len(done)
        await asyncio.sleep(0.01)
        assert len(done) == count

    with caplog.at_level(logging.ERROR, logger="gnomon"):
        asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == [
        "the work failed; trying again every 0.001 s"
    ] * 2


def test_what_is_finishing_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """However it ends; an error is logged and nobody's."""
    ended: list[str] = []

    async def closing(name: str, error: Exception | None = None) -> None:
        await asyncio.sleep(0.01)
        ended.append(name)
        if error is not None:
            raise error

    async def run() -> None:
        tasks = Tasks()
        tasks.finish(closing("one"))
        tasks.finish(closing("two", OSError("no")))
        await tasks.finished()

    asyncio.run(run())
    assert sorted(ended) == ["one", "two"]
    assert "failed" in caplog.text


def test_each_is_closed_whatever_becomes_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """The first error is raised, and the next ones are logged."""
    closed: list[str] = []

    async def fails(name: str) -> None:
        closed.append(name)
        raise OSError(name)

    async def closes() -> None:
        closed.append("last")

    with pytest.raises(OSError, match="first"):
        asyncio.run(close_all(lambda: fails("first"), lambda: fails("second"), closes))
    assert closed == ["first", "second", "last"]
    assert "second" in caplog.text


def test_a_cancelled_caller_waits_for_its_thread() -> None:
    """A thread left behind could still take a lock after that was given up."""
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def function() -> None:
        begun.set()
        assert may_end.wait(30)
        ended.set()

    async def run() -> None:
        caller = asyncio.create_task(in_thread(function))
        await asyncio.to_thread(begun.wait, 30)
        caller.cancel()
        await asyncio.sleep(0.01)
        assert not caller.done()
        may_end.set()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert ended.is_set()

    asyncio.run(run())
