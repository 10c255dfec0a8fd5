"""Sealing and reading records that are segments of their own, because each is over 4 MB.

``python -m benchmarks.large_records [--records 500] [--megabytes 4.2]``. The same records, each a
body of random text, are written twice to a log: each as a segment of its own, as a gateway does
with large ones, and many to a segment. Printed are the segments, the seconds to seal them, the
memory that took, the Parquet files they became, and the seconds to read all bodies back.
"""

from __future__ import annotations

import argparse
import datetime as dt
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from benchmarks.log import CONTRACT
from gnomon.log import REQUESTS, InferenceLog, SegmentWriter, new_request_id, request_schema
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import stream_folder, stream_segments
from gnomon.settings import Settings

SCHEMA = request_schema(CONTRACT)


def main() -> None:
    """Measure both ways and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=500)
    parser.add_argument("--megabytes", type=float, default=4.2)
    asked = parser.parse_args()
    print("| segments | sealed in s | at most MB | Parquet files | read in s |")
    print("|---:|---:|---:|---:|---:|")
    for apart in (True, False):
        process = multiprocessing.get_context("spawn").Process(
            target=measure, args=(apart, asked.records, int(asked.megabytes * 1e6))
        )
        process.start()
        process.join()


def measure(apart: bool, count: int, size: int) -> None:
    """Write, seal and read in a process of its own; print a row of the table."""
    with tempfile.TemporaryDirectory() as root:
        settings = Settings(root=root)
        folder = stream_folder(settings, "toy", "a-1", REQUESTS)
        writer = SegmentWriter(folder, SCHEMA, settings=settings)
        for record in records(count, size):
            if apart:
                writer.append_apart(writer.write_apart(record))
            else:
                writer.append(record)
                if writer.needs_rotation:
                    writer.rotate()
        writer.rotate()
        writer.fsync()
        segments = len(stream_segments(folder)) - 1
        began = time.perf_counter()
        sealer = Sealer(settings, "toy")
        sealer.seal()
        sealed = time.perf_counter() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        files = len([*(Path(root)).rglob("*.parquet")])
        began = time.perf_counter()
        read = InferenceLog(settings, "toy").table(columns=["raw"], role="live").num_rows
        assert read == count
        seconds = time.perf_counter() - began
        print(f"| {segments} | {sealed:.1f} | {peak:,} | {files} | {seconds:.1f} |", flush=True)
        writer.close()


def records(count: int, size: int) -> Iterator[pa.RecordBatch]:
    """Record batches of one row, with bodies that compress about as JSON numbers do."""
    dice = random.Random(0)
    text = b"".join(b"%.17g," % dice.random() for _ in range(2 * size // 19))
    for _ in range(count):
        start = dice.randrange(len(text) - size)
        columns = {
            "request_id": new_request_id(),
            "row": 0,
            "role": "live",
            "arrived": dt.datetime.now(dt.UTC),
            "raw": text[start : start + size],
            "outcome": "answered",
        }
        yield pa.RecordBatch.from_pylist([columns], SCHEMA)


if __name__ == "__main__":
    main()
