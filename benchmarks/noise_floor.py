"""What the standing noise floor costs: live's latency beside a shadow, with and without it.

``python -m benchmarks.noise_floor``. Two servers hold the flights logistic regression as live and
gradient boosting as its shadow; one of them scores a share of live's rows twice. Each round asks
the one without, the one with it and the one without again, at the same arrivals, while the others
are idle. What counts is the ratio within a round; that of the two without is the baseline.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from benchmarks.race import cases
from benchmarks.race.arrivals import OpenFigure, open_loop
from benchmarks.race.report import spread
from benchmarks.race.results import machine
from gnomon import rollout
from gnomon.settings import Settings
from gnomon.testing import Server, serving

OUT = Path(__file__).parent / "results" / "noise_floor.json"

UNMEASURED_SECONDS = 2.0
AT_WORK_SECONDS = 120.0


@dataclass(frozen=True)
class Round:
    """One round: without the noise floor, with it, and without it again.

    Attributes:
        without: the first measurement.
        beside: the second.
        again: the third.
        cores: what the processes of the noise floor used during the second.
        megabytes: their proportional share of memory after it.
    """

    without: OpenFigure
    beside: OpenFigure
    again: OpenFigure
    cores: float
    megabytes: float


def main() -> None:
    """Prepare, measure, report."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.noise_floor", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--share", type=float, default=0.05, help="of live's rows, scored twice")
    parser.add_argument("--rate", type=float, default=500.0, help="requests a second")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=8.0, help="of each measurement")
    parser.add_argument("--out", type=Path, default=OUT)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        print("training and packing", flush=True)
        (case,) = cases.prepare(cases.NAMES[:1], work)
        bodies = work / "bodies.json"
        bodies.write_text(json.dumps(list(case.records)))

        def measured(server: Server, seed: int) -> OpenFigure:
            url = f"{server.url}/predict"
            open_loop(url, bodies, asked.rate, UNMEASURED_SECONDS, seed)
            return open_loop(url, bodies, asked.rate, asked.seconds, seed)

        with (
            served(case, work / "with", asked.share) as twice,
            served(case, work / "no", 0) as once,
        ):
            wait_for_work(twice, once, bodies, asked.rate)
            rounds = []
            for number in range(asked.rounds):
                without = measured(once, number)
                began, spent = time.monotonic(), cpu_seconds(twice, case.live)
                beside = measured(twice, number)
                used = cpu_seconds(twice, case.live) - spent
                cores = used / (time.monotonic() - began)
                megabytes = memory(twice, case.live)
                again = measured(once, number)
                rounds.append(Round(without, beside, again, cores, megabytes))
                print(
                    f"{number + 1}  p50 {without.p50:.2f}, {beside.p50:.2f}, {again.p50:.2f} ms; "
                    f"p99 {without.p99:.2f}, {beside.p99:.2f}, {again.p99:.2f} ms; "
                    f"{cores:.3f} cores, {megabytes:.0f} MB",
                    flush=True,
                )
    report(rounds, asked)


@contextmanager
def served(case: cases.Case, place: Path, share: float) -> Iterator[Server]:
    """Serve a case with its shadow, and with this share of live's rows scored twice."""
    folder, root = place / "deployment", place / "root"
    (folder / "service").mkdir(parents=True)
    policy = folder / "policy.toml"
    policy.write_text(f"[sampling]\nnoise_floor = {share}\n")
    (folder / "service" / "__init__.py").write_text(
        "from gnomon.service import gateway\n\n"
        f"Gateway = gateway({case.model!r}, policy={str(policy)!r})\n"
    )
    settings = Settings(root=str(root))
    rollout.promote(settings, case.model, case.live)
    rollout.start_shadow(settings, case.model, case.shadow)
    with serving(folder, root, wait_seconds=300) as server:
        yield server


def wait_for_work(twice: Server, once: Server, bodies: Path, rate: float) -> None:
    """Wait until both shadows and the noise floor have scored rows.

    Raises:
        RuntimeError: one of them has not.
    """
    limit = time.monotonic() + AT_WORK_SECONDS
    with twice.client() as first, once.client() as second:
        while True:
            for server in (twice, once):
                open_loop(f"{server.url}/predict", bodies, rate, 1.0, 0)
            floor = first.status().noise_floor
            shadows = (*first.status().shadows, *second.status().shadows)
            if floor is not None and all(one.scored for one in (floor, *shadows)):
                return
            if time.monotonic() > limit:
                raise RuntimeError("a shadow or the noise floor has not scored anything")


def processes(server: Server, live: str) -> list[psutil.Process]:
    """Return the feed of the noise floor and the processes of its worker."""
    everyone = psutil.Process(server.process.pid).children(recursive=True)
    feeds = [one for one in everyone if {"gnomon.shadow.feed", live} <= {*one.cmdline()}]
    return [one for feed in feeds for one in (feed, *feed.children(recursive=True))]


def cpu_seconds(server: Server, live: str) -> float:
    return sum(sum(one.cpu_times()[:2]) for one in processes(server, live))


def memory(server: Server, live: str) -> float:
    """Return megabytes, with those that processes share divided among them."""
    return sum(one.memory_full_info().pss for one in processes(server, live)) / 1e6


def report(rounds: list[Round], asked: argparse.Namespace) -> None:
    """Print the table and write every figure."""
    print(f"\n{machine()}. {asked.rate:,.0f} requests/s, {asked.share:.0%} scored twice.\n")
    print("| | with the noise floor | without it again |\n|---|---:|---:|")
    for way, words in (("p50", "median latency"), ("p99", "99th percentile")):
        first = [getattr(one.without, way) for one in rounds]
        ratios = [
            spread([b / a for a, b in zip(first, other, strict=True)], ".2f")
            for other in (
                [getattr(one.beside, way) for one in rounds],
                [getattr(one.again, way) for one in rounds],
            )
        ]
        print(f"| {words}, ratio to without | {' | '.join(ratios)} |")
    print(
        f"\nIt used {statistics.median(one.cores for one in rounds):.3f} cores and "
        f"{statistics.median(one.megabytes for one in rounds):.0f} MB."
    )
    figures = [figure for one in rounds for figure in (one.without, one.beside, one.again)]
    print(f"Errors: {sum(figure.errors for figure in figures)}.")
    document = {"machine": machine(), "rate": asked.rate, "share": asked.share, "rounds": rounds}
    asked.out.parent.mkdir(exist_ok=True)
    asked.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    print(f"\nEvery figure: {asked.out}")


if __name__ == "__main__":
    main()
