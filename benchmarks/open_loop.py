"""What a shadow does to live latency at a fixed rate of arrivals, also when it or the disk fails.

``python -m benchmarks.open_loop``. One server holds the flights logistic regression. The rate is a
share of what it answered on 128 connections in the same run, and requests leave when they are due,
so that waiting is counted. For every way to have a shadow, measurements without it and with it
take turns; what counts is the ratio within such a pair. Two ways have no shadow: ``A/A baseline``
is measured without one both times, which shows what pairs differ by anyway, and ``control load`` is
a process that has nothing to do with the server and computes as much as the healthy shadow does.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import psutil
from sklearn.pipeline import Pipeline

import gnomon
from benchmarks.race import cases
from benchmarks.race.arrivals import OpenFigure, open_loop
from benchmarks.race.contenders import named
from benchmarks.race.control_load import control_load
from benchmarks.race.load import closed_loop, need_wrk, write_requests
from benchmarks.race.report import spread
from benchmarks.race.results import machine
from benchmarks.race.serving import Served, serving
from benchmarks.race.slow_disk import SYNC_SECONDS, SlowDisk
from gnomon.service.access.control_token import find_control_token
from gnomon.settings import Settings
from models.data import FEATURES, flights
from preprocessing.contract import contract

sys.path.insert(0, str(Path(__file__).parent / "shadows"))
from broken import WAYS, Broken

OUT = Path(__file__).parent / "results" / "open_loop.json"

ON, SLOW_DISK = "on", f"on, a sync takes {SYNC_SECONDS:g} s"
BASELINE, CONTROL_LOAD = "A/A baseline", "control load"
UNMEASURED_SECONDS = 2.0
"""Traffic before each measurement, for what was before to be over."""

AT_WORK_SECONDS = 60.0
"""How long a shadow may take until it scores, or misbehaves."""


@dataclass(frozen=True)
class Pair:
    """Two measurements under the same arrivals.

    Attributes:
        without: without a shadow.
        beside: with the shadow, or with what takes its place.
        cores: what that used, in cores.
        shadow: what the server says of the shadow after it; empty where there was none.
    """

    without: OpenFigure
    beside: OpenFigure
    cores: float
    shadow: dict[str, Any]


def main() -> None:
    """Prepare, measure, report."""
    asked = arguments()
    need_wrk()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        print("training and packing", flush=True)
        (case,) = cases.prepare(cases.NAMES[:1], work)
        shadows = {
            BASELINE: "",
            ON: case.shadow,
            CONTROL_LOAD: "",
            **{way: pack_broken(way, work / way) for way in WAYS if way in asked.shadows},
        }
        disk = SlowDisk(work) if SLOW_DISK in asked.shadows and SlowDisk.is_possible() else None
        if disk is not None:
            shadows[SLOW_DISK] = case.shadow
        shadows = {name: tag for name, tag in shadows.items() if name in asked.shadows}
        alone = named("gnomon, log")
        if disk is not None:
            alone = dataclasses.replace(alone, variables=disk.variables)
        took = len(shadows) * asked.repetitions * 2 * (asked.seconds + UNMEASURED_SECONDS + 2.5)
        print(f"about {(took + 15) / 60:.0f} minutes", flush=True)
        with serving(alone, case, work) as served:
            rate = asked.share * capacity(served.url, case, work)
            print(f"{rate:,.0f} requests a second, {asked.share:.0%} of capacity", flush=True)
            bench = Bench(served, case, work, rate, asked.seconds, disk)
            pairs: dict[str, list[Pair]] = {name: [] for name in shadows}
            for number in range(asked.repetitions):
                for name, tag in shadows.items():
                    pairs[name].append(bench.pair(name, tag, number))
    report(pairs, rate, asked)


def arguments() -> argparse.Namespace:
    """Define the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.open_loop", description=__doc__.partition("\n")[0]
    )
    names = [BASELINE, ON, CONTROL_LOAD, *WAYS, SLOW_DISK]
    parser.add_argument("--shadows", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=6.0, help="of each measurement")
    parser.add_argument("--share", type=float, default=0.3, help="of capacity")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    if CONTROL_LOAD in asked.shadows and ON not in asked.shadows:
        parser.error(f"`{CONTROL_LOAD}` needs the cores that `{ON}` used: ask for both")
    return asked


def pack_broken(way: str, witness: Path) -> str:
    """Pack the boosting pipeline of the flights, with a first step that breaks once it serves."""
    known = flights(1, 2, 3).dropna(subset="outcome")
    rows = known[list(FEATURES)]
    _, boosting = cases.trained("boosting")
    pipeline = Pipeline([("broken", Broken(way, str(witness)).fit(rows)), *boosting.steps])
    promised = contract(rows, pipeline.classes_.tolist())
    return gnomon.pack("flights", pipeline, rows, contract=promised, version=way).tag


def capacity(url: str, case: cases.Case, work: Path) -> float:
    """Measure requests a second on 128 connections, with the log and without a shadow."""
    script = write_requests(case.records, work / "requests.lua")
    closed_loop(url, script, 128, 3)
    return statistics.median(closed_loop(url, script, 128, 3).per_second for _ in range(3))


class Bench:
    """A running server under a fixed rate of arrivals."""

    def __init__(
        self,
        served: Served,
        case: cases.Case,
        work: Path,
        rate: float,
        seconds: float,
        disk: SlowDisk | None,
    ) -> None:
        self._url, self._rate, self._seconds, self._disk = served.url, rate, seconds, disk
        self._work, self._bodies = work, work / "bodies.json"
        self._bodies.write_text(json.dumps(list(case.records)))
        token = find_control_token(Settings(root=str(served.root)))
        self._control = gnomon.Client(served.url.removesuffix("/predict"), control_token=token)
        self._shadow_cores: list[float] = []

    def pair(self, name: str, tag: str, number: int) -> Pair:
        """Measure without the shadow, then with it, under the same arrivals."""
        without = self._measure(number)
        with self._second_load(name, tag):
            began, spent = time.monotonic(), added_cpu_seconds()
            beside = self._measure(number)
            cores = (added_cpu_seconds() - spent) / (time.monotonic() - began)
            shadow = next(iter(self._control.status().shadows), None)
        if name == ON:
            self._shadow_cores.append(cores)
        print(
            f"{number + 1}  {name:20}  p50 {without.p50:.2f} and {beside.p50:.2f} ms, "
            f"p99 {without.p99:.2f} and {beside.p99:.2f} ms, "
            f"late p99 {without.late_p99:.2f} and {beside.late_p99:.2f} ms; {cores:.2f} cores"
            + (
                f"; shadow {shadow.state}, scored {shadow.scored:,}, failed {shadow.failed:,}, "
                f"lagging {shadow.lagging:,}"
                if shadow is not None
                else ""
            ),
            flush=True,
        )
        return Pair(without, beside, cores, {} if shadow is None else msgspec.to_builtins(shadow))

    def _second_load(self, name: str, tag: str) -> AbstractContextManager[None]:
        """Run what is compared with live alone, during the second measurement of a pair."""
        if name == BASELINE:
            return nullcontext()
        if name == CONTROL_LOAD:
            return control_load(statistics.median(self._shadow_cores))
        return self._shadowed(name, tag)

    def _measure(self, seed: int) -> OpenFigure:
        open_loop(self._url, self._bodies, self._rate, UNMEASURED_SECONDS, seed)
        return open_loop(self._url, self._bodies, self._rate, self._seconds, seed)

    @contextmanager
    def _shadowed(self, name: str, tag: str) -> Iterator[None]:
        """Run a shadow; enter once it works or misbehaves, on a slow disk if one is asked for."""
        witness = self._work / name
        witness.unlink(missing_ok=True)
        if self._disk is not None:
            self._disk.set(name == SLOW_DISK)
        self._control.start_shadow(tag, 1.0)
        limit = time.monotonic() + AT_WORK_SECONDS
        while not (witness.exists() or self._control.status().shadows[0].scored):
            if time.monotonic() > limit:
                raise RuntimeError(f"the shadow `{name}` has not done anything")
            open_loop(self._url, self._bodies, self._rate, 1.0, 0)
        yield
        self._control.stop_shadow(tag)
        if self._disk is not None:
            self._disk.set(False)


def added_cpu_seconds() -> float:
    """Return the processor time of all shadow feeds and workers, and of the control load."""
    total = 0.0
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if any(name in line for name in ("gnomon.shadow.feed", "benchmarks.race.control_load")):
            for one in (process, *process.children(recursive=True)):
                total += sum(one.cpu_times()[:4])  # its own, and of children it has seen end
    return total


def report(pairs: dict[str, list[Pair]], rate: float, asked: argparse.Namespace) -> None:
    """Print the table and write every figure."""
    print(f"\n{machine()}. {rate:,.0f} requests/s, {asked.share:.0%} of capacity.\n")
    print(
        "| shadow | cores | p50 ms, without and with | ratio | p99 ms, without and with | ratio |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for name, found in pairs.items():
        cells = [name, f"{statistics.median(pair.cores for pair in found):.2f}"]
        for way in ("p50", "p99"):
            left = [getattr(pair.without, way) for pair in found]
            right = [getattr(pair.beside, way) for pair in found]
            cells.append(f"{statistics.median(left):.2f}, {statistics.median(right):.2f}")
            cells.append(spread([b / a for a, b in zip(left, right, strict=True)], ".3f"))
        errors = sum(pair.without.errors + pair.beside.errors for pair in found)
        print(f"| {' | '.join(cells)} |" + (f" {errors} errors" if errors else ""))
    every = [pair for found in pairs.values() for pair in found]
    late = [figure.late_p99 for pair in every for figure in (pair.without, pair.beside)]
    print(
        f"\nThe generator sent 99 % of its requests at most {statistics.median(late):.2f} ms late "
        f"in the median measurement, {max(late):.2f} ms in the worst."
    )
    document = {"machine": machine(), "rate": rate, "share": asked.share, "pairs": pairs}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"\nEvery figure: {asked.out}")


if __name__ == "__main__":
    main()
