"""What each ``GNOMON_FSYNC_SECONDS`` costs: requests a second and latency, in turns in one run.

``python -m benchmarks.fsync [--rounds 5] [--seconds 3]``. The flights logistic regression with the
log and a full shadow, on the disk that the temporary folder is on (``TMPDIR``).
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import tempfile
import time
from pathlib import Path
from statistics import median

import msgspec

from benchmarks.race import cases
from benchmarks.race.contenders import BASE, named
from benchmarks.race.load import Figure, closed_loop, need_wrk, write_requests
from benchmarks.race.results import machine
from benchmarks.race.serving import serving

OUT = Path(__file__).parent / "results" / "fsync.json"

SECONDS = ("0", "0.05", "0.2", "1")
DEFAULT = "0.2"
CONNECTIONS = (1, 16, 128)
SYNCS = 200


def main() -> None:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fsync", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    need_wrk()
    figures: dict[str, dict[int, list[Figure]]] = {
        name: {connections: [] for connections in CONNECTIONS} for name in SECONDS
    }
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        sync = sync_milliseconds(work)
        print("training and packing", flush=True)
        (case,) = cases.prepare(cases.NAMES[:1], work)
        script = write_requests(case.records, work / "requests.lua")
        for number in range(asked.rounds):
            for name in SECONDS:
                contender = named(BASE)
                variables = {**contender.variables, "GNOMON_FSYNC_SECONDS": name}
                contender = dataclasses.replace(contender, variables=variables)
                with serving(contender, case, work) as served:
                    closed_loop(served.url, script, 16, 2)
                    for connections in CONNECTIONS:
                        figure = closed_loop(served.url, script, connections, asked.seconds)
                        figures[name][connections].append(figure)
            print(f"round {number + 1} of {asked.rounds}", flush=True)
    print(f"\n{machine()}; one sync of this disk takes {sync:.2f} ms (median of {SYNCS})\n")
    print(table(figures))
    document = {"machine": machine(), "sync_ms": sync, "figures": figures}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"\nEvery figure: {asked.out}")


def sync_milliseconds(folder: Path) -> float:
    """Measure how long this disk takes to sync a few kilobytes: the median."""
    descriptor = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    taken = []
    try:
        for _ in range(SYNCS):
            os.write(descriptor, bytes(4096))
            began = time.perf_counter()
            os.fdatasync(descriptor)
            taken.append(time.perf_counter() - began)
    finally:
        os.close(descriptor)
    return median(taken) * 1e3


def table(figures: dict[str, dict[int, list[Figure]]]) -> str:
    """Return a Markdown table with a row for each setting and number of connections."""
    lines = [
        "| seconds | connections | requests/s | of the default's | p50 ms | p99 ms |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for connections in CONNECTIONS:
        for name in SECONDS:
            mine, default = figures[name][connections], figures[DEFAULT][connections]
            pairs = zip(mine, default, strict=True)
            ratios = [one.per_second / other.per_second for one, other in pairs]
            lines.append(
                f"| {name} | {connections} | {median(f.per_second for f in mine):,.0f} | "
                f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | "
                f"{median(f.p50 for f in mine):.2f} | {median(f.p99 for f in mine):.1f} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
