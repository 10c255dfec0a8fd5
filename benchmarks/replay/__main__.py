"""What replaying a log costs beside reading it and calling the bare pipeline.

``python -m benchmarks.replay [--rows 1000000] [--rounds 3]``. The flights' logistic regression has
answered requests of ten rows, and the log with their bodies is sealed. Timed by turns, each in a
process of its own: reading the log's columns and bodies and calling ``predict_proba`` on frames of
the logged inputs, once the pipeline is loaded; and a replay, from the start of its worker to its
report. Memory is the peak of the process, and apart from it that of the replay's worker. A log of
a tenth of the rows is replayed too: with it memory must be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import msgspec

from benchmarks.race.results import machine
from benchmarks.replay.log import packed, write
from gnomon.models import Artifact

HERE = Path(__file__).parent
OUT = HERE.parent / "results" / "replay.json"

NAMES = ("bare", "replay")
SOUGHT = 1.25
PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "msgspec", "deltalake")

Found = dict[str, float]


def main() -> None:
    """Write the logs, measure by turns, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.replay", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        print("training and packing", flush=True)
        artifact = packed(Path(folder))
        tenth = in_turns(artifact, asked.rows // 10, 1, Path(folder, "tenth"))
        whole = in_turns(artifact, asked.rows, asked.rounds, Path(folder, "whole"))
    ratios = [one["replay"]["seconds"] / one["bare"]["seconds"] for one in whole]
    show(whole, ratios)
    document = {
        "machine": machine(),
        "versions": {package: version(package) for package in PACKAGES},
        "tenth": tenth,
        "rounds": whole,
        "ratios": ratios,
    }
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"Every figure: {asked.out}")


def in_turns(artifact: Artifact, rows: int, rounds: int, root: Path) -> list[dict[str, Found]]:
    """What both ways through a log of so many rows took, round by round."""
    print(f"writing {rows:,} rows", flush=True)
    write(artifact, rows, root)
    return [
        {name: in_process(name, artifact.tag, rows, root) for name in NAMES} for _ in range(rounds)
    ]


def in_process(name: str, tag: str, rows: int, root: Path) -> Found:
    """What a process of its own measures; ``-P`` keeps this checkout's modules out of it."""
    command = [sys.executable, "-P", str(HERE / "measure.py"), name, tag]
    environment = {**os.environ, "GNOMON_ROOT": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{name} failed:\n{done.stderr[-2000:]}")
    found: Found = json.loads(done.stdout.splitlines()[-1])
    if found["rows"] != rows:
        sys.exit(f"{name} met {found['rows']:,.0f} rows of {rows:,}")
    print(
        f"{name:<8}{found['seconds']:8.2f} s {found['megabytes']:8,.0f} MB, "
        f"its worker {found['worker']:,.0f} MB",
        flush=True,
    )
    return found


def show(rounds: list[dict[str, Found]], ratios: list[float]) -> None:
    """Medians, with minimum and maximum."""
    print(f"\n{machine()}. {len(rounds)} rounds.")
    for name in rounds[0]:
        print(f"{name:<8}{spread([one[name]['seconds'] for one in rounds])} s")
    reached = "reached" if statistics.median(ratios) <= SOUGHT else "not reached"
    print(f"replay over bare: {spread(ratios)}; sought {SOUGHT}, {reached}")


def spread(values: list[float]) -> str:
    """Median, least and most."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
