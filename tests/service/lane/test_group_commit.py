"""Mirrors ``gnomon.service.lane.group_commit``."""

from __future__ import annotations

import asyncio
import threading

from gnomon.errors import LogUnavailable
from gnomon.service.lane.group_commit import GroupCommit


def test_one_sync_serves_all_that_waited_when_it_began() -> None:
    """What becomes ready meanwhile waits for the next one, however early this one ends."""
    syncs: list[threading.Event] = []
    began, delivered = threading.Semaphore(0), []

    def sync() -> None:
        syncs.append(threading.Event())
        began.release()
        assert syncs[-1].wait(30)

    async def run() -> None:
        commit = GroupCommit(sync)
        for name in "ab":
            commit.after_sync(lambda error, name=name: delivered.append((name, error)))
        await asyncio.to_thread(began.acquire)
        commit.after_sync(lambda error: delivered.append(("c", error)))
        assert delivered == []
        syncs[0].set()
        await asyncio.to_thread(began.acquire)
        assert delivered == [("a", None), ("b", None)]
        syncs[1].set()
        await commit.close()
        assert delivered[2:] == [("c", None)]
        assert len(syncs) == 2

    asyncio.run(run())


def test_a_refused_sync_refuses_its_group_and_no_other() -> None:
    """Those who waited for it are told the error; the next group is synced anew."""
    errors = [LogUnavailable("no space left", where="the disk")]
    told: list[LogUnavailable | None] = []

    def sync() -> None:
        if errors:
            raise errors.pop()

    async def run() -> None:
        commit = GroupCommit(sync)
        commit.after_sync(told.append)
        commit.after_sync(told.append)
        await commit.close()
        commit.after_sync(told.append)
        await commit.close()

    asyncio.run(run())
    assert [type(one) for one in told] == [LogUnavailable, LogUnavailable, type(None)]
