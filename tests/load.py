"""Many requests with every acknowledgement recorded, and the processes of a server."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psutil

from gnomon.testing import Server
from tests.forking import children_of


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


RATE = 100.0
"""Requests a second. More would prove no more of most faults, and take the processor from what
comes up again."""


@contextmanager
def load(
    server: Server,
    connections: int = 8,
    make: Callable[[int], dict[str, Any]] = record,
    rate: float = RATE,
) -> Iterator[Load]:
    """Keep a server busy from a thread of its own until the block ends.

    Args:
        server: whom to ask.
        connections: requests that may be under way at once; each in its turn is sent with the
            others, so that they meet in batches.
        make: the record of each request by its number.
        rate: the most requests a second; ``math.inf`` for each connection asking again at once.
    """
    seen, stop = Load(), threading.Event()
    thread = threading.Thread(
        target=lambda: asyncio.run(_run(server.url, connections, make, rate, seen, stop))
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
    rate: float,
    seen: Load,
    stop: threading.Event,
) -> None:
    numbers = itertools.count()
    host, _, port = url.removeprefix("http://").partition(":")

    async def one() -> None:
        with _Connection(host, int(port)) as connection:
            while not stop.is_set():
                number, started = next(numbers), time.monotonic()
                pause = await _ask(connection, number, make(number), seen)
                await asyncio.sleep(max(pause, started + connections / rate - time.monotonic()))

    await asyncio.gather(*(one() for _ in range(connections)))


async def _ask(connection: _Connection, number: int, body: dict[str, Any], seen: Load) -> float:
    """Send one request and record its result; return the seconds to pause."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(20):
            status, headers, content = await connection.post(json.dumps(body).encode())
    except (OSError, EOFError):
        connection.close()
        seen.lost += 1
        return 0.1  # Leaves the processor to what comes up again.
    answer = json.loads(content)
    if status != 200:
        seen.refused.append(status)
        seen.errors[number] = {**answer["error"], "retry-after": headers.get("retry-after")}
        return 0.02
    now = time.monotonic()
    assert answer["request_id"] not in seen.acknowledged
    seen.acknowledged[answer["request_id"]] = answer
    seen.seconds.append(now - started)
    seen.numbers.append(number)
    seen.acknowledged_at[answer["request_id"]] = seen.last[answer["artifact"]] = now
    return 0.0


class _Connection:
    """A client that keeps its connection, at a fifth of the cost of httpx."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def __enter__(self) -> _Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def post(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """One prediction: the status, the headers by their names in small letters, the body.

        Raises:
            OSError: it was not connected, or the connection broke; or time was over.
            EOFError: the server closed it before the end of its answer.
        """
        if self._streams is not None and self._streams[0].at_eof():
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(
            b"POST /predict HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (self._host.encode(), len(body), body)
        )
        await writer.drain()
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip().split("\r\n")
        pairs = (line.split(":", 1) for line in lines)
        headers = {name.lower(): value.strip() for name, value in pairs}
        content = await reader.readexactly(int(headers["content-length"]))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(first.split(" ")[1]), headers, content

    def close(self) -> None:
        """Leave; the next request makes another connection."""
        if self._streams is not None:
            self._streams[1].close()
        self._streams = None


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
    for process in children_of(psutil.Process(server.process.pid), recursive=True):
        try:
            if not argument or argument in process.cmdline():
                found.append(process)
        except psutil.NoSuchProcess:
            continue
    return found


def wait_for_more(seen: Load, requests: int, what: str, seconds: float = 30.0) -> None:
    """Wait until so many more requests are answered."""
    enough = len(seen.acknowledged) + requests
    until(lambda: len(seen.acknowledged) >= enough, what, seconds)


def until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Poll until a condition holds; one that takes long to look at is looked at less often.

    Raises:
        AssertionError: it did not within ``seconds``.
    """
    limit = time.monotonic() + seconds
    used = time.thread_time()
    while not condition():
        assert time.monotonic() < limit, f"{what}: not within {seconds:g} s"
        used, before = time.thread_time(), used
        time.sleep(min(max(0.05, 5 * (used - before)), 1.0))
