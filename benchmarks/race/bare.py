"""The lower bound: one-row ``predict_proba`` in a plain Python loop, in a process of its own."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.race.cases import Case

__all__ = ["bare"]


def bare(case: Case, seconds: float) -> dict[str, float]:
    """Return median milliseconds of ``call`` on a frame made before, and of both steps."""
    command = [sys.executable, "-m", "benchmarks.race.bare", "--seconds", str(seconds)]
    done = subprocess.run(
        command,
        env={**os.environ, "PIPELINE": str(case.file), "OMP_NUM_THREADS": "1"},
        input=json.dumps(list(case.records)[:100]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def main() -> None:
    """Measure in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, required=True)
    asked = parser.parse_args()

    from benchmarks.contenders.model import frame, pipeline

    records = json.load(sys.stdin)
    frames = [frame([record]) for record in records]
    ways: dict[str, Callable[[int], object]] = {
        "call": lambda n: pipeline.predict_proba(frames[n]),
        "frame_and_call": lambda n: pipeline.predict_proba(frame([records[n]])),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    limit = time.perf_counter() + asked.seconds
    while time.perf_counter() < limit:
        for n in range(len(records)):
            for name, way in ways.items():
                begun = time.perf_counter()
                way(n)
                times[name].append((time.perf_counter() - begun) * 1e3)
    print(json.dumps({name: statistics.median(found) for name, found in times.items()}))


if __name__ == "__main__":
    main()
