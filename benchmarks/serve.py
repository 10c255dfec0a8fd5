"""The race: the same pipelines behind Gnomon and behind the servers one would pick instead.

``make bench`` or ``python -m benchmarks.serve``; ``--help`` lists what can be left out. Every
contender runs alone on this machine, in an environment of its own, with one process that computes.
A round measures each of them in turn at every number of connections, so that a machine whose speed
drifts drifts for all; each round begins with another one. Before it is measured, a contender's
answers are held to those of the bare pipeline. Load is wrk's, on the same cores.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from benchmarks.race import cases, environments, report
from benchmarks.race.bare import bare
from benchmarks.race.contenders import CONTENDERS, Contender
from benchmarks.race.load import closed_loop, need_wrk, write_requests
from benchmarks.race.results import Results, machine
from benchmarks.race.serving import WrongAnswer, check, serving

OUT = Path(__file__).parent / "results" / "serve.json"

WARM_UP_SECONDS = 2
LONGEST = 8
"""Seconds for a contender so slow that its connections would hardly be answered twice."""

OVERHEAD_SECONDS = 9.0
"""What a turn takes besides its measurements: start, check, warm-up, end."""

Turn = tuple[int, cases.Case, Contender | None]
"""Round, case and contender; None is the bare pipeline."""


def main() -> None:
    """Prepare, measure, report."""
    asked = arguments()
    need_wrk()
    contenders = [c for c in CONTENDERS if not asked.contenders or c.name in asked.contenders]
    for contender in contenders:
        environments.make(contender.environment)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        print("training and packing " + ", ".join(asked.pipelines), flush=True)
        raced = cases.prepare(asked.pipelines, Path(folder))
        results = Results(
            machine=machine(),
            rounds=asked.rounds,
            seconds=asked.seconds,
            versions={c.name: environments.versions(c.environment) for c in contenders},
        )
        try:
            run(asked, list(turns(asked.rounds, raced, contenders)), Path(folder), results)
        finally:
            results.write(asked.out)
    print("\n" + report.markdown(results))
    print(f"\nEvery figure: {asked.out}\nThe plot: python -m benchmarks.race.plot {asked.out}")


def arguments() -> argparse.Namespace:
    """The command line."""
    names = ", ".join(f'"{contender.name}"' for contender in CONTENDERS)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.serve", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--pipelines", nargs="+", choices=cases.NAMES, default=[*cases.NAMES])
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=[contender.name for contender in CONTENDERS],
        metavar="NAME",
        help=f"some of {names}",
    )
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 16, 64, 128])
    parser.add_argument(
        "--others", type=int, nargs="+", default=[1, 128], metavar="CONNECTIONS",
        help=f"connections for pipelines other than {cases.NAMES[0]}",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=int, default=2,
        help=f"of each measurement; up to {LONGEST} where few requests are answered in that time",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=OUT)
    return parser.parse_args()


def turns(rounds: int, raced: list[cases.Case], contenders: list[Contender]) -> Iterator[Turn]:
    """Return the order in which contenders are measured."""
    for number in range(rounds):
        first = number % len(contenders)
        for case in raced:
            for contender in (None, *contenders[first:], *contenders[:first]):
                yield number, case, contender


def run(asked: argparse.Namespace, plan: list[Turn], work: Path, results: Results) -> None:
    """Take every turn; a contender that fails in one is left out of that case, with the reason."""

    def connections(case: cases.Case) -> list[int]:
        found: list[int] = asked.connections if case.name == cases.NAMES[0] else asked.others
        return found

    def cost(turn: Turn) -> float:
        _, case, contender = turn
        if contender is None:
            return float(asked.seconds) + 2.0
        return OVERHEAD_SECONDS + len(connections(case)) * float(asked.seconds)

    total = sum(cost(turn) for turn in plan)
    print(f"{len(plan)} turns, about {total / 60:.0f} minutes", flush=True)
    began, done = time.monotonic(), 0.0
    for turn in plan:
        number, case, contender = turn
        pace = (time.monotonic() - began) / done if done else 1.0
        name = "the bare pipeline" if contender is None else contender.name
        print(
            f"{(total - done) * pace / 60:5.1f} min left  round {number + 1}  {case.name}  {name}",
            flush=True,
        )
        done += cost(turn)
        if contender is None:
            results.bare.setdefault(case.name, []).append(bare(case, asked.seconds))
        elif (case.name, name) not in results.failed:
            try:
                measure(contender, case, work, connections(case), asked.seconds, results)
            except (WrongAnswer, httpx.HTTPError, subprocess.CalledProcessError) as error:
                print(f"left out: {error!r}", flush=True)
                results.fail(case.name, name, repr(error))


def measure(
    contender: Contender,
    case: cases.Case,
    work: Path,
    connections: list[int],
    seconds: int,
    results: Results,
) -> None:
    """Take one turn of one contender."""
    script = write_requests([contender.wrap(r) for r in case.records], work / "requests.lua")
    with serving(contender, case, work) as served:
        check(served.url, contender, case)
        pace = closed_loop(served.url, script, 16, WARM_UP_SECONDS).per_second
        for count in connections:
            needed = math.ceil(2 * count / max(pace, 1.0))
            figure = closed_loop(served.url, script, count, max(seconds, min(needed, LONGEST)))
            results.add(case.name, contender.name, count, figure)
            print(f"{'':17}{count:4} connections {figure.per_second:9,.1f}/s", flush=True)


if __name__ == "__main__":
    main()
