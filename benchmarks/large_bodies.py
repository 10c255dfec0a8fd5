"""How long one large body holds the gateway's event loop, and others, by kind and size of body.

``python -m benchmarks.large_bodies [--turns 3] [--kinds text,lists] [--sizes 60000,16700000]``.
A client sends small requests one after the other all the time, while another one has a large body
answered; in the row ``nothing`` there is no other. The flights logistic regression, no shadow.

What a body costs others is the longest turn of the event loop (:mod:`benchmarks.loop_turns`):
its processor time, and how long it held the loop, which is the time on the clock without what the
thread stood ready and had no processor. The worst delay of the small client is beside it: on a busy
machine it is mostly the machine's.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import psutil

from benchmarks.loop_turns import LoopTurns, Turn
from benchmarks.race import cases
from benchmarks.race.contenders import BASE, named
from benchmarks.race.results import machine
from benchmarks.race.serving import serving

SIZES = (4_000, 60_000, 70_000, 1_000_000, 16_700_000)
"""Just under and over the sizes at which bodies leave the event loop, and just under the limit."""
LEAST_SECONDS = 0.5
"""The shortest time a small client is watched."""

Make = Callable[[dict[str, object], int], bytes]


def main() -> None:
    """Serve, measure in turns, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.large_bodies", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--kinds", default=",".join(["nothing", *KINDS]))
    parser.add_argument("--sizes", default=",".join(map(str, SIZES)))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        (case,) = cases.prepare(cases.NAMES[:1], Path(folder))
        small = json.dumps(case.records[0]).encode()
        measured = LoopTurns(Path(folder))
        contender = dataclasses.replace(named(BASE), shadowed=False, variables=measured.environment)
        with serving(contender, case, Path(folder)) as served:
            pid = gateway()
            print(f"{machine()}\n\n{HEAD}", flush=True)
            for kind in asked.kinds.split(","):
                for size in map(int, asked.sizes.split(",")):
                    body = KINDS[kind](dict(case.records[0]), size) if kind in KINDS else b""
                    turns = [
                        turn(served.url, small, body, lambda *span: measured.between(pid, *span))
                        for _ in range(asked.turns)
                    ]
                    print(line(kind, len(body), turns), flush=True)


def gateway() -> int:
    """Return the process id of the only gateway that this process started."""
    [found] = [
        process.pid
        for process in psutil.Process().children(recursive=True)
        if "--service-name" in process.cmdline()
    ]
    return found


HEAD = """\
Longest turn of the event loop and worst delay of the small client, ms: minimum / median / maximum.

| body | bytes | status | answered after s | turn, processor | turn, held | small client |
|---|---:|---:|---:|---:|---:|---:|"""


@dataclasses.dataclass(frozen=True)
class Measured:
    """One measurement: the large body's answer, and in seconds what it did to others."""

    status: int
    seconds: float
    cpu: float
    held: float
    delay: float


def turn(
    url: str, small: bytes, body: bytes, turns: Callable[[float, float], list[Turn]]
) -> Measured:
    """Send a body, if there is one, while small requests are measured."""
    with watching(url, small) as delays:
        began = time.monotonic()
        status = ask(url, body) if body else 200
        seconds = time.monotonic() - began
        time.sleep(max(LEAST_SECONDS - seconds, 0.1))
        ended = time.monotonic()
    found = turns(began, ended)
    return Measured(
        status,
        seconds,
        max((one.cpu for one in found), default=0.0),
        max((one.held for one in found), default=0.0),
        max(delays),
    )


@contextmanager
def watching(url: str, body: bytes) -> Iterator[list[float]]:
    """Measure, until the block ends, the seconds that each of many small requests takes."""
    delays: list[float] = []
    stop = threading.Event()

    def run() -> None:
        with connected(url) as client:
            while not stop.is_set():
                began = time.perf_counter()
                exchange(client, body)
                delays.append(time.perf_counter() - began)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        while len(delays) < 20:
            time.sleep(0.01)
        delays.clear()
        yield delays
    finally:
        stop.set()
        thread.join()


def ask(url: str, body: bytes) -> int:
    """Send one body on a connection of its own; return the status of the answer."""
    with connected(url) as client:
        return exchange(client, body)


def connected(url: str) -> socket.socket:
    """Open a connection to a server."""
    parts = urlsplit(url)
    client = socket.create_connection((parts.hostname, parts.port), timeout=60)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def exchange(client: socket.socket, body: bytes) -> int:
    """Send one request and read the whole answer; return its status."""
    head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body)
    client.sendall(head)
    client.sendall(body)
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += _some(client)
    lines = received[:end].lower().split(b"\r\n")
    length = next(int(one.split(b":")[1]) for one in lines if one.startswith(b"content-length"))
    left = length - (len(received) - end - 4)
    while left > 0:
        left -= len(_some(client))
    return int(lines[0].split()[1])


def _some(client: socket.socket) -> bytes:
    data = client.recv(1 << 20)
    if not data:
        raise ConnectionError("the server closed the connection")
    return data


def line(kind: str, size: int, turns: list[Measured]) -> str:
    """Return a row of the table: minimum, median and maximum over the turns."""
    statuses = "/".join(sorted({str(one.status) for one in turns}))
    return (
        f"| {kind} | {size:,} | {statuses} | {median(one.seconds for one in turns):.2f} "
        f"| {_spread([one.cpu for one in turns])} | {_spread([one.held for one in turns])} "
        f"| {_spread([one.delay for one in turns])} |"
    )


def _spread(seconds: list[float]) -> str:
    low, mid, high = (f(seconds) * 1e3 for f in (min, median, max))
    return f"{low:.0f} / {mid:.0f} / {high:.0f}"


def _filled(piece: bytes) -> Make:
    """Make bodies that repeat ``piece`` in a list that is the value of an unknown field."""
    return lambda record, size: (
        b'{"z":[' + b",".join([piece] * max((size - 10) // (len(piece) + 1), 1)) + b"]}"
    )


def _value(fill: bytes) -> Make:
    """Make bodies that are valid except for an unknown field that is one long string."""
    return lambda record, size: (
        b'{"z":"' + fill * ((size - 600) // len(fill)) + b'",' + json.dumps(record).encode()[1:]
    )


def _text(record: dict[str, object], size: int) -> bytes:
    """Make a valid body with a long value of a feature."""
    name = next(name for name, value in record.items() if isinstance(value, str) and name != "at")
    return json.dumps({**record, name: "a" * (size - 600)}).encode()


def _rows(record: dict[str, object], size: int) -> bytes:
    one = json.dumps(record).encode()
    count = min(max((size - 20) // (len(one) + 1), 1), 10_000)
    return b'{"rows":[' + b",".join([one] * count) + b"]}"


def _keys(record: dict[str, object], size: int) -> bytes:
    keys = b"".join(b'"k%07d":1,' % n for n in range(max(size - 600, 12) // 13))
    return b"{" + keys + json.dumps(record).encode()[1:]


KINDS: dict[str, Make] = {
    "text": _text,
    "rows": _rows,
    "unknown-string": _value(b"a"),
    "escapes": _value(b"\\n"),
    "surrogates": _value(b"\\ud83d\\ude00"),
    "lone-surrogates": _value(b"\\ud800"),
    "keys": _keys,
    "lists": _filled(b"[]"),
    "strings": _filled(b'""'),
    "floats": _filled(b"1e308"),
    "nulls": _filled(b"null"),
    "rows-of-nothing": lambda record, size: b'{"rows":[' + b"{}," * (size // 3 - 8) + b"{}]}",
    "rows-of-lists": lambda record, size: b'{"rows":[' + b"[]," * (size // 3 - 8) + b"[]]}",
    "digits": lambda record, size: b'{"z":' + b"1" * (size - 10) + b"}",
    "deep": lambda record, size: b'{"z":' + b"[" * (size - 10),
    "spaces": lambda record, size: b" " * size,
}


if __name__ == "__main__":
    main()
