"""Questions about the log: one is answered at a time, and few wait."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, ClassVar

import pytest

from gnomon.api.log_query import CheckShadows, LogQuery
from gnomon.errors import Busy, WorkerError
from gnomon.service.slice import log_queries
from gnomon.service.slice.log_queries import WAITING, LogQueries
from gnomon.settings import Settings


class Hanging:
    """A process that runs until it is told to go on, or ended."""

    running: ClassVar[list[Hanging]] = []
    go_on: ClassVar = threading.Event()

    def __init__(
        self, settings: Settings, model: str, policy: object, query: LogQuery[Any]
    ) -> None:
        self.query = query
        self.ended = threading.Event()

    def result(self) -> Any:
        if self.ended.is_set():
            raise WorkerError("the server stops")
        self.running.append(self)
        while not self.go_on.wait(0.001):
            if self.ended.is_set():
                raise WorkerError("the server stops")
        return self.query

    def end(self) -> None:
        self.ended.set()


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> type[Hanging]:
    monkeypatch.setattr(log_queries, "QueryProcess", Hanging)
    monkeypatch.setattr(Hanging, "running", [])
    monkeypatch.setattr(Hanging, "go_on", threading.Event())
    return Hanging


def question(number: int) -> CheckShadows:
    return CheckShadows(artifact=f"toy:{number}")


async def asked(queries: LogQueries, number: int) -> asyncio.Task[Any]:
    task = asyncio.ensure_future(queries.ask(question(number)))
    await asyncio.sleep(0)
    return task


def test_one_runs_at_a_time_and_what_is_too_much_is_refused(
    settings: Settings, hanging: type[Hanging]
) -> None:
    """The same question also: its answer is on the way, and will be fresh enough."""

    async def run() -> None:
        queries = LogQueries(settings, "toy", None)
        tasks = [await asked(queries, number) for number in range(WAITING + 1)]
        with pytest.raises(Busy, match="not answered yet"):
            await queries.ask(question(99))
        with pytest.raises(Busy, match="the same"):
            await queries.ask(question(1))
        while not hanging.running:
            await asyncio.sleep(0.001)
        assert len(hanging.running) == 1
        hanging.go_on.set()
        assert await asyncio.gather(*tasks) == [question(n) for n in range(WAITING + 1)]
        assert await queries.ask(question(1)) == question(1)

    asyncio.run(run())


def test_a_caller_who_goes_away_leaves_nothing_behind(
    settings: Settings, hanging: type[Hanging]
) -> None:
    """Neither a place in the queue, nor a question that may not be asked again."""

    async def run() -> None:
        queries = LogQueries(settings, "toy", None)
        first, second = await asked(queries, 1), await asked(queries, 2)
        second.cancel()
        await asyncio.sleep(0)
        again = await asked(queries, 2)
        hanging.go_on.set()
        assert await first == question(1)
        assert await again == question(2)

    asyncio.run(run())


def test_a_server_that_stops_ends_the_question(settings: Settings, hanging: type[Hanging]) -> None:
    """It does not wait minutes for it; those that wait are not begun."""

    async def run() -> None:
        queries = LogQueries(settings, "toy", None)
        running, waiting = await asked(queries, 1), await asked(queries, 2)
        while not hanging.running:
            await asyncio.sleep(0.001)
        queries.end()
        for task in (running, waiting):
            with pytest.raises(WorkerError, match="stops"):
                await task
        assert len(hanging.running) == 1

    asyncio.run(run())
