"""One way through the log, in a process of its own: ``measure.py bare|replay|read|drift TAG``.

It imports nothing of this checkout but the package under test: the artifact brings the modules that
its pipeline needs, and would be refused where others of their names are imported already.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import gnomon
from gnomon.artifact import Artifact, inspect
from gnomon.contract import to_frame
from gnomon.drift import measure
from gnomon.log import InferenceLog
from gnomon.offline.logged import Range
from gnomon.settings import Settings
from gnomon.skew.replay import replay

__all__ = ["MEASURES", "main"]


def main() -> None:
    """Measure and print as JSON."""
    name, tag = sys.argv[1:]
    seconds, rows = MEASURES[name](inspect(tag))
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    found = {"seconds": seconds, "rows": rows, "megabytes": peak(), "worker": worker}
    print(json.dumps(found))


def peak() -> float:
    """The most megabytes this program had; ``ru_maxrss`` also knows the program before it."""
    text = Path("/proc/self/status").read_text()
    return int(re.findall(r"^VmHWM:\s+(\d+) kB", text, re.MULTILINE)[0]) * 1024 / 1e6


def bare(artifact: Artifact) -> tuple[float, int]:
    """Read columns and bodies, make frames of the logged inputs, predict."""
    settings, rows = Settings.read(), 0
    pipeline = gnomon.load(artifact.tag).pipeline
    begun = time.perf_counter()
    with InferenceLog(settings, artifact.name).snapshot() as snapshot:
        for chunk in Range(snapshot, artifact, "live").chunks(raw=True):
            inputs = chunk.inputs.combine_chunks()
            for batch in inputs.to_batches(max_chunksize=settings.batch_rows):
                rows += len(pipeline.predict_proba(to_frame(batch, artifact.contract)))
    return time.perf_counter() - begun, rows


def replayed(artifact: Artifact) -> tuple[float, int]:
    """Measure a replay from the start of the worker to the report."""
    begun = time.perf_counter()
    report = replay(InferenceLog(Settings.read(), artifact.name), artifact)
    seconds = time.perf_counter() - begun
    if report.diverged or report.exact != report.divergence.of:
        sys.exit(f"not the replay of a healthy log: {report.title}")
    return seconds, report.exact


def read(artifact: Artifact) -> tuple[float, int]:
    """Read the columns that drift is measured on, and do nothing with them."""
    begun = time.perf_counter()
    with InferenceLog(Settings.read(), artifact.name).snapshot() as snapshot:
        rows = sum(chunk.num_rows for chunk in Range(snapshot, artifact, "live").chunks())
    return time.perf_counter() - begun, rows


def drifted(artifact: Artifact) -> tuple[float, int]:
    """Measure drift of inputs and outputs over all rows, and of the steps over the usual sample."""
    begun = time.perf_counter()
    report = measure(InferenceLog(Settings.read(), artifact.name), artifact)
    return time.perf_counter() - begun, report.rows


MEASURES: dict[str, Callable[[Artifact], tuple[float, int]]] = {
    "bare": bare,
    "replay": replayed,
    "read": read,
    "drift": drifted,
}


if __name__ == "__main__":
    main()
