"""What it costs to have a batch in the log before its answers leave.

``python -m benchmarks.log [--rounds 3] [--appends 5000]``. Each way of logging runs in a process
of its own and appends batches of 1, 16, 64 and 256 rows: the envelope, a 200-byte body and 20
float features and outputs. The batch is made beforehand; measured is from there to where the death
of the process loses nothing. A thread syncs to disk every 0.2 seconds, as in the gateway.
Printed are microseconds a batch, medians over the rounds; ``benchmarks/results/log.json`` has all.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.log import SegmentWriter, new_request_id, request_schema
from gnomon.settings import Settings

HERE = Path(__file__).parent
SIZES = (1, 16, 64, 256)
CONTRACT = Contract(
    task="regression",
    features=tuple(Feature(name=f"f{n}", type="float", dtype="float64") for n in range(18)),
    outputs=(
        Output(name="prediction", type="float"),
        Output(name="probability_true", type="float"),
    ),
)
SCHEMA = request_schema(CONTRACT)

Append = Callable[[], object]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--appends", type=int, default=5_000)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contender:
        print(json.dumps(measure(asked.contender, asked.appends)))
        return
    results: dict[str, list[dict[str, list[float]]]] = {name: [] for name in CONTENDERS}
    for _ in range(asked.rounds):
        for name, rounds in results.items():
            command = [sys.executable, "-m", "benchmarks.log", "--contender", name]
            command += ["--appends", str(asked.appends)]
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=HERE.parent)
            rounds.append(json.loads(run.stdout))
    report(results, asked.appends)


def measure(contender: str, appends: int) -> dict[str, list[float]]:
    """Microseconds at the median and the 99th percentile, by rows in a batch."""
    found = {}
    for rows in SIZES:
        with (
            tempfile.TemporaryDirectory(dir=HERE) as folder,
            CONTENDERS[contender](Path(folder), rows) as append,
        ):
            for _ in range(200):
                append()
            times = []
            for _ in range(appends):
                begun = time.perf_counter_ns()
                append()
                times.append((time.perf_counter_ns() - begun) / 1e3)
        times.sort()
        found[str(rows)] = [times[len(times) // 2], times[int(len(times) * 0.99)]]
    return found


def row() -> dict[str, object]:
    """Return a logged row."""
    numbers = {name: 0.5 for name in SCHEMA.names if name.startswith(("input_", "output_"))}
    return {
        "request_id": new_request_id(),
        "row": 0,
        "role": "live",
        "outcome": "answered",
        "arrived": dt.datetime.now(dt.UTC),
        "protocol": "json",
        "raw": b"x" * 200,
        "artifact": "flights:1",
        "digest": "0" * 12,
        "epoch": 1,
        "total_us": 900,
        "batch_rows": 1,
        **numbers,
    }


@contextmanager
def segment(folder: Path, rows: int) -> Iterator[Append]:
    """Append with this project's writer."""
    settings = Settings(root=str(folder))
    writer = SegmentWriter(folder / "m" / "s" / "requests", SCHEMA, settings=settings)
    batch = pa.RecordBatch.from_pylist([row() for _ in range(rows)], schema=SCHEMA)
    ended = threading.Event()

    def sync() -> None:
        while not ended.wait(settings.fsync_seconds):
            writer.fsync()

    def append() -> None:
        if writer.needs_rotation:
            writer.rotate()
        writer.append(batch)

    thread = threading.Thread(target=sync)
    thread.start()
    yield append
    ended.set()
    thread.join()
    writer.close()


@contextmanager
def sqlite(folder: Path, rows: int) -> Iterator[Append]:
    """Append to a table in SQLite, in its fastest mode that survives the death of the process."""
    connection = sqlite3.connect(folder / "log.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"CREATE TABLE log ({', '.join(SCHEMA.names)})")
    insert = f"INSERT INTO log VALUES ({', '.join('?' * len(SCHEMA))})"
    one = row() | {"arrived": time.time_ns() // 1_000}
    values = [[one.get(name) for name in SCHEMA.names]] * rows

    def append() -> None:
        connection.execute("BEGIN")
        connection.executemany(insert, values)
        connection.execute("COMMIT")

    yield append
    connection.close()


CONTENDERS = {"Arrow segment": segment, "SQLite": sqlite}


def report(results: dict[str, list[dict[str, list[float]]]], appends: int) -> None:
    """Print the table and write every figure."""
    versions = {"pyarrow": version("pyarrow"), "sqlite": sqlite3.sqlite_version}
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.machine()}"
    print(f"{machine}; " + ", ".join(f"{name} {number}" for name, number in versions.items()))
    print(f"{appends:,} appends a process, {len(SCHEMA)} columns\n")
    print("| log | rows | median µs (min to max) | p99 µs | of the segment |")
    print("|---|---:|---:|---:|---:|")
    base = results["Arrow segment"]
    for name, rounds in results.items():
        for rows in map(str, SIZES):
            medians = [found[rows][0] for found in rounds]
            tail = statistics.median(found[rows][1] for found in rounds)
            median = statistics.median(medians)
            ratio = median / statistics.median(found[rows][0] for found in base)
            print(
                f"| {name} | {rows} | {median:,.0f} ({min(medians):,.0f} to {max(medians):,.0f}) "
                f"| {tail:,.0f} | {ratio:.1f} times |"
            )
    path = HERE / "results" / "log.json"
    path.parent.mkdir(exist_ok=True)
    document = {"machine": machine, "versions": versions, "appends": appends, "results": results}
    path.write_text(json.dumps(document, indent=2) + "\n")
    print(f"\nEvery figure: {path}")


if __name__ == "__main__":
    main()
