"""Open-loop load: requests leave when they are due, whether or not earlier ones were answered.

Arrivals are a Poisson process fixed by a seed. Latency counts from the moment a request was due,
so that waiting is counted, also for a free connection. The generator is one process on one epoll,
woken by a timer of the kernel: a timer of an event loop ticks in milliseconds. How late it was
itself is part of the result; where that is not small compared with the latency, the machine was too
busy for the figures to mean much.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import random
import select
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

__all__ = ["OpenFigure", "open_loop"]

CONNECTIONS = 256
GRACE_SECONDS = 30
"""How long after the last arrival answers are waited for."""

CLOCK_MONOTONIC, TFD_NONBLOCK, TFD_TIMER_ABSTIME = 1, os.O_NONBLOCK, 1
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class OpenFigure:
    """One measurement, in milliseconds.

    Attributes:
        sent: requests that were due.
        errors: answers that were no 200, and requests without one.
        p50: median latency, from when a request was due.
        p99: the same for the 99th percentile.
        late_p50: how late requests left, in the median.
        late_p99: the same for the 99th percentile.
    """

    sent: int
    errors: int
    p50: float
    p99: float
    late_p50: float
    late_p99: float


def open_loop(url: str, bodies: Path, rate: float, seconds: float, seed: int) -> OpenFigure:
    """Send ``rate`` requests a second, from a process of its own.

    Args:
        url: where to.
        bodies: a JSON list of request bodies, sent over and over.
        rate: arrivals a second, on average.
        seconds: for how long.
        seed: fixes the moments of arrival.
    """
    command = [sys.executable, "-m", "benchmarks.race.arrivals", url, str(bodies)]
    command += [str(rate), str(seconds), str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return OpenFigure(**json.loads(done.stdout))


class Timer:
    """A kernel timer that an epoll can wait for."""

    def __init__(self) -> None:
        self.descriptor = LIBC.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)
        if self.descriptor < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def arm(self, at: int) -> None:
        """Make the timer readable at this many nanoseconds of the monotonic clock."""
        when = (ctypes.c_long * 4)(0, 0, *divmod(max(at, 1), 1_000_000_000))
        LIBC.timerfd_settime(self.descriptor, TFD_TIMER_ABSTIME, when, None)


@dataclass(slots=True)
class Connection:
    """One kept-alive connection; ``due`` is when the request under way was, 0 when it is free."""

    socket: socket.socket
    due: int = 0
    received: bytearray = field(default_factory=bytearray)

    def complete(self) -> bool:
        """Return whether the whole answer has arrived."""
        head = self.received.find(b"\r\n\r\n")
        if head < 0:
            return False
        start = self.received.lower().find(b"content-length:", 0, head) + len(b"content-length:")
        length = int(self.received[start : self.received.find(b"\r\n", start)])
        return len(self.received) >= head + 4 + length


class Generator:
    """Sends what is due and notes when it is answered."""

    def __init__(self, url: str, bodies: Sequence[Any]) -> None:
        where = urlsplit(url)
        head = (
            f"POST {where.path} HTTP/1.1\r\nhost: {where.netloc}\r\n"
            "content-type: application/json\r\ncontent-length: "
        )
        texts = [json.dumps(body).encode() for body in bodies]
        self.requests = [f"{head}{len(text)}\r\n\r\n".encode() + text for text in texts]
        self.epoll, self.timer = select.epoll(), Timer()
        self.epoll.register(self.timer.descriptor, select.EPOLLIN)
        self.connections: dict[int, Connection] = {}
        for _ in range(CONNECTIONS):
            made = socket.create_connection((where.hostname, where.port))
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            made.setblocking(False)
            self.epoll.register(made.fileno(), select.EPOLLIN)
            self.connections[made.fileno()] = Connection(made)
        self.free = deque(self.connections.values())
        self.latencies: list[int] = []
        self.lateness: list[int] = []
        self.errors = 0

    def run(self, arrivals: deque[int]) -> OpenFigure:
        """Send at these times, in monotonic nanoseconds; wait until all are answered."""
        total, limit = len(arrivals), arrivals[-1] + GRACE_SECONDS * 1_000_000_000
        while len(self.latencies) + self.errors < total and time.monotonic_ns() < limit:
            self.send_due(arrivals)
            self.timer.arm(arrivals[0] if arrivals and self.free else limit)
            for descriptor, _ in self.epoll.poll():
                connection = self.connections.get(descriptor)
                if connection is not None:
                    self.receive(connection)
        unanswered = total - len(self.latencies) - self.errors
        return OpenFigure(
            sent=total,
            errors=self.errors + unanswered,
            p50=percentile(self.latencies, 0.5),
            p99=percentile(self.latencies, 0.99),
            late_p50=percentile(self.lateness, 0.5),
            late_p99=percentile(self.lateness, 0.99),
        )

    def send_due(self, arrivals: deque[int]) -> None:
        """Send everything that is due, as far as connections are free."""
        while self.free and arrivals and arrivals[0] <= (now := time.monotonic_ns()):
            connection = self.free.popleft()
            connection.due = arrivals.popleft()
            self.lateness.append(now - connection.due)
            connection.socket.send(self.requests[len(self.lateness) % len(self.requests)])

    def receive(self, connection: Connection) -> None:
        """Read what has arrived; a complete answer frees the connection."""
        part = connection.socket.recv(65536)
        connection.received += part
        if part and not connection.complete():
            return
        if connection.received.startswith(b"HTTP/1.1 200"):
            self.latencies.append(time.monotonic_ns() - connection.due)
        else:
            self.errors += 1
        if part:
            connection.received.clear()
            self.free.append(connection)
        else:
            self.epoll.unregister(connection.socket.fileno())


def percentile(values: Sequence[int], share: float) -> float:
    """Return a percentile of nanoseconds, in milliseconds; 0 if there are none."""
    return sorted(values)[int(len(values) * share)] / 1e6 if values else 0.0


def poisson(rate: float, seconds: float, seed: int) -> deque[int]:
    """Return times of arrival that begin a little later than now."""
    chance, moment = random.Random(seed), 0.0
    moments: deque[int] = deque()
    start = time.monotonic_ns() + 100_000_000
    while (moment := moment + chance.expovariate(rate)) < seconds:
        moments.append(start + int(moment * 1e9))
    return moments


def main() -> None:
    """Generate in this process, with higher priority where that is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path)
    parser.add_argument("rate", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("seed", type=int)
    asked = parser.parse_args()
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    generator = Generator(asked.url, json.loads(asked.bodies.read_bytes()))
    gc.disable()
    figure = generator.run(poisson(asked.rate, asked.seconds, asked.seed))
    print(json.dumps({name: getattr(figure, name) for name in OpenFigure.__dataclass_fields__}))


if __name__ == "__main__":
    main()
