"""A process that has nothing to do with the server and computes as much as its shadow does.

Its effect on live latency is that of the machine: caches, memory and a kernel that has one core
fewer to give. ``python -m benchmarks.race.control_load SHARE`` uses that share of one core, at the
priority of a shadow and in bursts as a shadow does, until it is ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from gnomon.shadow.feed.__main__ import NICENESS
from gnomon.shadow.feed.process import GULP_SECONDS

__all__ = ["control_load"]


@contextmanager
def control_load(share: float) -> Iterator[None]:
    """While it computes.

    Args:
        share: of one core.
    """
    process = subprocess.Popen([sys.executable, "-m", __name__, str(share)])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Compute in bursts for ever: as often as a shadow reads."""
    share = float(sys.argv[1])
    os.nice(NICENESS)
    values, due = list(range(50_000)), time.monotonic()
    while True:
        spent = time.process_time()
        while time.process_time() - spent < share * GULP_SECONDS:
            sum(value * value for value in values)
        due = max(due + GULP_SECONDS, time.monotonic())
        time.sleep(due - time.monotonic())


if __name__ == "__main__":
    main()
