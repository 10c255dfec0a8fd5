"""One sync covers all answers that were ready before it began."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gnomon.errors import LogUnavailable
from gnomon.service.lane.group_commit import GroupCommit
from gnomon.service.lane.recording import Recorder
from gnomon.service.metrics import Metrics
from gnomon.settings import Settings


def test_one_sync_covers_all_that_wait_when_it_begins() -> None:
    """What becomes ready meanwhile waits for the next one, however early this one ends."""
    syncs: list[threading.Event] = []
    began, delivered = threading.Semaphore(0), []

    async def sync() -> None:
        syncs.append(threading.Event())
        began.release()
        assert await asyncio.to_thread(syncs[-1].wait, 30)

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


def test_a_failed_sync_fails_its_group_only() -> None:
    """Those that waited for it get the error; the next group is synced again."""
    errors = [LogUnavailable("no space left", where="the disk")]
    results: list[LogUnavailable | None] = []

    async def sync() -> None:
        if errors:
            raise errors.pop()

    async def run() -> None:
        commit = GroupCommit(sync)
        commit.after_sync(results.append)
        commit.after_sync(results.append)
        await commit.close()
        commit.after_sync(results.append)
        await commit.close()

    asyncio.run(run())
    assert [type(result) for result in results] == [LogUnavailable, LogUnavailable, type(None)]


@pytest.mark.filterwarnings("ignore:bentoml.metrics:DeprecationWarning")
def test_the_log_is_synced_while_all_of_asyncios_threads_hang(
    settings: Settings, tmp_path: Path
) -> None:
    """They may wait for a storage root that does not answer; live waits for none of them."""
    go_on = threading.Event()

    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        hanging = asyncio.ensure_future(asyncio.to_thread(go_on.wait, 30))
        with contextlib.closing(Metrics("toy")) as metrics:
            recorder = Recorder(settings, metrics)
            recorder.open(tmp_path / "stream")
            try:
                await asyncio.wait_for(recorder.fsync(), 10)
            finally:
                go_on.set()
            await hanging
            await recorder.close()

    asyncio.run(run())
