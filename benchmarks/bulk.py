"""A million rows: as streams of lines and of Arrow batches, and as requests of JSON.

``python -m benchmarks.bulk [--rows 1000000] [--kinds json,lines,arrow]``. Each is sent by a client
process of its own, as fast as answers come; another client sends small requests one after the other
all the time. The flights logistic regression, one slice, no shadow, everything logged.

Columns: rows a second from the first byte to the last answer; the peak resident memory of gateway
and client, and what the gateway's grew by; what the small client saw, and the longest turn of the
gateway's event loop (:mod:`benchmarks.loop_turns`), which is what a stream costs others whatever
else the machine does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from benchmarks.large_bodies import gateway
from benchmarks.loop_turns import LoopTurns
from benchmarks.race import cases
from benchmarks.race.contenders import BASE, named
from benchmarks.race.results import machine
from benchmarks.race.serving import serving

KINDS = ("nothing", "json", "lines", "arrow")
JSON_ROWS = 2_000
"""Rows in one of the requests that streams are compared with; more are not faster."""
RECORDS = 5_000
"""Different ones."""
IDLE_SECONDS = 10.0
WARM_UP_ROWS = 50_000
POLL_SECONDS = 0.02

HEAD = (
    f"{'kind':8} {'rows/s':>8} {'gateway':>9} {'grew':>7} {'client':>8} "
    f"{'small: median':>14} {'99%':>8} {'worst':>8} {'turn':>8} {'processor':>10}"
)


def main() -> None:
    """Serve the model, send the rows each way, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.bulk", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--client", nargs=2, metavar=("KIND", "URL"), help=argparse.SUPPRESS)
    parser.add_argument("--records", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.client is not None:
        client(*asked.client, asked.rows, json.loads(asked.records.read_text()))
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        (case,) = cases.prepare(cases.NAMES[:1], work)
        records = work / "records.json"
        records.write_text(json.dumps([dict(record) for record in case.records[:RECORDS]]))
        measured = LoopTurns(work)
        contender = dataclasses.replace(named(BASE), shadowed=False, variables=measured.environment)
        with serving(contender, case, work) as served:
            pid, url = gateway(), served.url.removesuffix("/predict")
            print(f"{machine()}\n\n{HEAD}", flush=True)
            for kind in KINDS[1:]:
                send(kind, url, WARM_UP_ROWS, records)
            for kind in asked.kinds.split(","):
                print(measure(kind, url, asked.rows, records, pid, measured), flush=True)


def measure(kind: str, url: str, rows: int, records: Path, pid: int, measured: LoopTurns) -> str:
    """Measure one way to send rows: one line of the report."""
    process = psutil.Process(pid)
    small = Small(url, json.loads(records.read_text())[0])
    before, peak = process.memory_info().rss, [0]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(POLL_SECONDS):
            peak[0] = max(peak[0], process.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    small.start()
    begun = time.monotonic()
    if kind == "nothing":
        time.sleep(IDLE_SECONDS)
        told = {"rows": 0, "seconds": IDLE_SECONDS, "peak": 0}
    else:
        told = send(kind, url, rows, records)
    ended = time.monotonic()
    stop.set()
    watching.join()
    waits = small.stop()
    turns = measured.between(pid, begun, ended)
    held = max((turn.held for turn in turns), default=0.0)
    cpu = max((turn.cpu for turn in turns), default=0.0)
    return (
        f"{kind:8} {told['rows'] / told['seconds']:8,.0f} {peak[0] / 1e6:6.0f} MB "
        f"{(peak[0] - before) / 1e6:4.0f} MB {told['peak'] / 1e6:5.0f} MB "
        f"{np.median(waits) * 1e3:11.1f} ms {np.quantile(waits, 0.99) * 1e3:5.1f} ms "
        f"{max(waits) * 1e3:5.1f} ms {held * 1e3:5.1f} ms {cpu * 1e3:7.1f} ms"
    )


def send(kind: str, url: str, rows: int, records: Path) -> dict[str, Any]:
    """Send rows from a client in a process of its own."""
    words = ["--client", kind, url, "--rows", str(rows), "--records", str(records)]
    command = [sys.executable, "-m", "benchmarks.bulk", *words]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class Small:
    """A process that sends one small request after another and waits for no other client."""

    CODE = """
import json, sys, time, httpx
url, body = sys.argv[1], sys.argv[2].encode()
waits, end = [], []
with httpx.Client(timeout=60) as client:
    import threading
    threading.Thread(target=lambda: end.append(sys.stdin.read()), daemon=True).start()
    while not end:
        begun = time.perf_counter()
        client.post(url + "/predict", content=body).raise_for_status()
        waits.append(time.perf_counter() - begun)
        time.sleep(0.005)
print(json.dumps(waits))
"""

    def __init__(self, url: str, record: dict[str, Any]) -> None:
        self._words = [sys.executable, "-c", self.CODE, url, json.dumps(record)]

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(
            self._words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def stop(self) -> list[float]:
        """Stop the process; return the seconds that each request took."""
        waits: list[float] = json.loads(self._process.communicate()[0])
        return waits


def client(kind: str, url: str, rows: int, records: list[dict[str, Any]]) -> None:
    """Send rows, and return what that took."""
    sent = {"json": by_requests, "lines": by_lines, "arrow": by_arrow}[kind]
    begun = time.perf_counter()
    answered = sent(url, islice(cycle(records), rows))
    seconds = time.perf_counter() - begun
    assert answered == rows, answered
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"rows": rows, "seconds": seconds, "peak": peak}))


def by_requests(url: str, rows: Iterator[dict[str, Any]]) -> int:
    """Send requests of some thousand rows, one after another, on one connection."""
    import msgspec

    answered = 0
    with httpx.Client(timeout=60) as http:
        while part := list(islice(rows, JSON_ROWS)):
            body = msgspec.json.encode({"rows": part})
            answer = http.post(f"{url}/predict", content=body).raise_for_status()
            answered += len(msgspec.json.decode(answer.content)["rows"])
    return answered


def by_lines(url: str, rows: Iterator[dict[str, Any]]) -> int:
    """Send lines as a user does, with ``Client.predict_stream``."""
    import gnomon

    with gnomon.Client(url) as asked:
        return sum(row.error is None for row in asked.predict_stream(rows))


def by_arrow(url: str, rows: Iterator[dict[str, Any]]) -> int:
    """Send record batches as a user does, with ``Client.predict_batches``."""
    import pyarrow as pa

    import gnomon

    first = pa.Table.from_pylist(list(islice(rows, JSON_ROWS)))

    def tables() -> Iterator[pa.Table]:
        yield first
        while part := list(islice(rows, JSON_ROWS)):
            yield pa.Table.from_pylist(part, schema=first.schema)

    with gnomon.Client(url) as asked:
        return sum(batch.column("error").null_count for batch in asked.predict_batches(tables()))


if __name__ == "__main__":
    main()
