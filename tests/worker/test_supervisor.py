"""Overlapping calls, and how often a worker is started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest
import uvloop
from msgspec import structs

from gnomon.artifact import Artifact
from gnomon.errors import DeadlineExceeded
from gnomon.settings import Settings
from gnomon.worker import supervisor
from gnomon.worker.messages import ERROR
from gnomon.worker.supervisor import Supervisor
from tests.packing import times
from tests.worker.conftest import Toy, rows

KILLS, HANGS = -666.0, -999.0
"""What the toy makes of these values."""


@pytest.fixture
def artifact(toy: Toy) -> Artifact:
    return toy(times(1))


@asynccontextmanager
async def supervised(artifact: Artifact, settings: Settings) -> AsyncIterator[Supervisor]:
    """A worker that serves."""
    owner = Supervisor(artifact, settings)
    await owner.start()
    try:
        yield owner
    finally:
        await owner.close()


async def answers(owner: Supervisor, artifact: Artifact, values: list[float]) -> list[object]:
    """What each row was answered: a number, or the beginning of its error."""
    scored = (await owner.score(rows(artifact, values))).batch
    results = zip(*(scored.column(name).to_pylist() for name in ("prediction", ERROR)), strict=True)
    return [answer if error is None else error.partition(":")[0] for answer, error in results]


def test_overlapping_calls_get_their_own_rows(artifact: Artifact, settings: Settings) -> None:
    """Many batches in flight at once, each answered with its own rows in their order."""

    async def run() -> None:
        async with supervised(artifact, settings) as owner:
            batches = [[float(10 * n + k) for k in range(n)] for n in range(1, 9)]
            calls = (answers(owner, artifact, values) for values in batches)
            assert await asyncio.gather(*calls) == batches
            assert owner.restarts == 0

    uvloop.run(run())


def test_only_the_row_that_kills_is_blamed_among_overlapping_calls(
    artifact: Artifact, settings: Settings
) -> None:
    """Rows that were in the worker with the row that kills it are retried, and each is tried
    alone before it is blamed.
    """

    async def client(owner: Supervisor, values: list[float]) -> None:
        for value in values:
            expected: list[object] = ["crashed" if value == KILLS else value]
            assert await answers(owner, artifact, [value]) == expected

    async def run() -> None:
        async with supervised(artifact, settings) as owner:
            healthy = [float(n) for n in range(12)]
            killing = [KILLS, 1.0, KILLS, KILLS, 2.0, KILLS]
            await asyncio.gather(
                *(client(owner, values) for values in (killing, healthy, killing, healthy, healthy))
            )
            assert owner.restarts >= 2

    uvloop.run(run())


def test_calls_behind_one_that_hangs_cost_one_worker(
    artifact: Artifact, settings: Settings
) -> None:
    """The worker is killed once, and its successor is not killed for the calls that waited.

    They time out together with it, except one that the successor answers in time.
    """
    # A successor that a busy machine keeps from answering within it is killed, too.
    impatient = structs.replace(settings, deadline=3.0)

    async def run() -> None:
        async with supervised(artifact, impatient) as owner:
            calls = [answers(owner, artifact, [value]) for value in (HANGS, 1.0, 2.0, 3.0)]
            hung, *waited = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(hung, DeadlineExceeded)
            for value, result in zip((1.0, 2.0, 3.0), waited, strict=True):
                assert result == [value] or isinstance(result, DeadlineExceeded)
            assert await answers(owner, artifact, [5.0]) == [5.0]
            assert owner.restarts == 1

    uvloop.run(run())


async def killed(owner: Supervisor, seen: set[int]) -> float:
    """Kill the holder; how long it took until another process was started."""
    (holder,) = {child.pid for child in psutil.Process().children()} - seen
    seen.add(holder)
    os.kill(holder, signal.SIGKILL)
    began = time.monotonic()
    while not {child.pid for child in psutil.Process().children()} - seen:
        assert time.monotonic() < began + 30
        await asyncio.sleep(0.005)
    return time.monotonic() - began


@pytest.mark.slow
def test_a_worker_that_keeps_ending_is_started_ever_more_slowly(
    artifact: Artifact, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is started at once after the first death, then with growing pauses; once it has served,
    at once again.
    """
    pauses = (0.0, 0.2, 1.5)
    monkeypatch.setattr(supervisor, "RESPAWN_SECONDS", pauses)

    async def run() -> None:
        others = {child.pid for child in psutil.Process().children()}
        async with supervised(artifact, settings) as owner:
            took = [await killed(owner, others) for _ in (*pauses, "and the last again")]
            assert all(
                seconds >= pause for seconds, pause in zip(took, (*pauses, 1.5), strict=True)
            ), took
            assert await answers(owner, artifact, [5.0]) == [5.0]
            assert await killed(owner, others) < pauses[-1]
            assert await answers(owner, artifact, [6.0]) == [6.0]

    uvloop.run(run())


def test_the_pauses_between_starts_grow() -> None:
    """The first start is not delayed, and the last pause leaves the machine to others."""
    pauses = supervisor.RESPAWN_SECONDS
    assert pauses[0] == 0
    assert list(pauses) == sorted(set(pauses))
    assert pauses[-1] >= 5


def test_after_a_death_too_waiting_for_a_processor_is_not_work(
    toy: Toy, settings: Settings
) -> None:
    """The rows of a batch that killed its scorer are scored again by a scorer that also has to
    wait.
    """
    artifact = toy(times(1, "sum(range(2_000_000))"))
    spin = "import os; os.sched_setaffinity(0, {0})\nwhile True: pass"

    async def run() -> None:
        async with supervised(artifact, settings) as owner:
            holder = psutil.Process(owner.pid).parent()
            assert holder is not None
            holder.cpu_affinity([0])
            others = [subprocess.Popen([sys.executable, "-c", spin]) for _ in range(3)]
            try:
                scored = await owner.score(rows(artifact, [1.0, KILLS, 2.0, 3.0]))
            finally:
                for other in others:
                    other.kill()
                    other.wait()
        assert scored.batch.column(ERROR).null_count == 3
        assert scored.waited > scored.micros / 3

    uvloop.run(run())
