"""Requests in numbers, with every acknowledgement kept; and the processes of a server."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from gnomon.testing import Server


@dataclass
class Load:
    """What clients saw.

    Attributes:
        acknowledged: request id and answer of every 200.
        refused: the status of every other answer.
        errors: the error of every other answer that has one, by the number of its request, with
            its ``retry-after``.
        lost: requests that got no answer at all.
        seconds: how long each acknowledged request took.
        numbers: the number of each, in the same order.
        acknowledged_at: when each of them came, on the clock of ``time.monotonic``.
        last: when each artifact was last seen to answer, on the clock of ``time.monotonic``.
    """

    acknowledged: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[int] = field(default_factory=list)
    errors: dict[int, dict[str, Any]] = field(default_factory=dict)
    lost: int = 0
    seconds: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    acknowledged_at: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)

    @property
    def sent(self) -> int:
        """All requests."""
        return len(self.acknowledged) + len(self.refused) + self.lost


def record(number: int) -> dict[str, Any]:
    """A healthy record of the toy contract."""
    return {"x": float(number % 50 + 1), "id": f"online{number}"}


@contextmanager
def load(
    server: Server, connections: int = 8, make: Callable[[int], dict[str, Any]] = record
) -> Iterator[Load]:
    """Keep a server busy from a thread of its own until the block ends."""
    seen, stop = Load(), threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(_run(server.url, connections, make, seen, stop))
    )
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join(60)


async def _run(
    url: str,
    connections: int,
    make: Callable[[int], dict[str, Any]],
    seen: Load,
    stop: threading.Event,
) -> None:
    numbers = itertools.count()
    limits = httpx.Limits(max_connections=connections)
    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=20) as client:

        async def one() -> None:
            clock = asyncio.get_running_loop().time
            while not stop.is_set():
                started, number = clock(), next(numbers)
                try:
                    answer = await client.post("/predict", json=make(number))
                except httpx.HTTPError:
                    seen.lost += 1
                    await asyncio.sleep(0.1)  # Leaves the processor to what comes up again.
                    continue
                if answer.status_code == 200:
                    body = answer.json()
                    assert body["request_id"] not in seen.acknowledged
                    seen.acknowledged[body["request_id"]] = body
                    seen.seconds.append(clock() - started)
                    seen.numbers.append(number)
                    now = time.monotonic()
                    seen.acknowledged_at[body["request_id"]] = seen.last[body["artifact"]] = now
                else:
                    seen.refused.append(answer.status_code)
                    pause = answer.headers.get("retry-after")
                    seen.errors[number] = {**answer.json()["error"], "retry-after": pause}
                    await asyncio.sleep(0.02)

        await asyncio.gather(*(one() for _ in range(connections)))


def gateways(server: Server) -> list[psutil.Process]:
    """The gateway processes of a server."""
    return _running(server, "--service-name")


def workers(server: Server) -> list[psutil.Process]:
    """Every worker process of a server: holders and the scorers they forked."""
    return _running(server, "gnomon.worker")


def scorers(server: Server) -> list[psutil.Process]:
    """The worker processes that score: those whose parent is a worker too."""
    pids = {process.pid for process in workers(server)}
    return [process for process in workers(server) if process.ppid() in pids]


def feeds(server: Server) -> list[psutil.Process]:
    """The shadow feed processes of a server."""
    return _running(server, "gnomon.shadow.feed")


def everything(server: Server) -> list[psutil.Process]:
    """Every process of a server, the one that was started first."""
    return [psutil.Process(server.process.pid), *_running(server, "")]


def _running(server: Server, argument: str) -> list[psutil.Process]:
    """The processes under a server's first that were started with an argument, or all for none."""
    found = []
    for process in psutil.Process(server.process.pid).children(recursive=True):
        try:
            if not argument or argument in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for_more(seen: Load, requests: int, what: str, seconds: float = 30.0) -> None:
    """Until so many more requests are answered."""
    enough = len(seen.acknowledged) + requests
    until(lambda: len(seen.acknowledged) >= enough, what, seconds)


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Poll until a condition holds.

    Raises:
        AssertionError: it did not within ``seconds``.
    """
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)
