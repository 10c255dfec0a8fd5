"""Different ways to read one log, measured by turns."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.race.results import machine
from benchmarks.replay.log import write
from gnomon.artifact import Artifact

__all__ = ["Found", "arguments", "in_turns", "keep", "spread"]

HERE = Path(__file__).parent
PACKAGES = ("numpy", "pandas", "pyarrow", "scikit-learn", "msgspec", "deltalake")

Found = dict[str, float]


def arguments(name: str, about: str, out: Path) -> argparse.Namespace:
    """Parse the arguments of ``python -m benchmarks.<name>``: rows, rounds, where to write."""
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}", description=about.partition("\n")[0]
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=out)
    return parser.parse_args()


def in_turns(
    names: Sequence[str], artifact: Artifact, rows: int, rounds: int, root: Path
) -> list[dict[str, Found]]:
    """Measure, round by round, what several ways to read a log of so many rows took."""
    print(f"writing {rows:,} rows", flush=True)
    write(artifact, rows, root)
    return [
        {name: in_process(name, artifact.tag, rows, root) for name in names} for _ in range(rounds)
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


def spread(values: list[float]) -> str:
    """Return the median, the minimum and the maximum."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def keep(out: Path, figures: dict[str, Any]) -> None:
    """Write every figure, with the machine and the versions, and print the versions."""
    versions = {package: version(package) for package in PACKAGES}
    document = {"machine": machine(), "versions": versions, **figures}
    out.parent.mkdir(exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(", ".join(f"{package} {found}" for package, found in versions.items()))
    print(f"Every figure: {out}")
