"""The table of false decisions: ``python -m benchmarks.gates --runs 10000``.

Gates of a share of bad rows, limit 5% at 95% confidence, over 20,000 rows with a look after every
100, decide in three ways:

gate
    By the interval of the mean of units (`gnomon.compare.mean_interval`): rows, blocks of rows, or
    entities, each by its first row and with half of the allowed error, as on the first day of a
    run; `benchmarks.gates.returning` has what comes after it.
rows
    By the interval of a rate (`gnomon.compare.rate_interval`), as if rows were independent.
peeked
    By the interval of Clopper and Pearson, which holds for one look, at every look.

A decision is false if the gate passes and the true rate is not below the limit, or if it fails and
the rate is not above; at a rate of 5% every decision is false. Where the rate drifts, the true rate
is the average of the rows so far: a gate judges what it has seen, and cannot know what comes.

A second table has one line a stream: the most false decisions at any of the rates. The last one
compares the rows that the gate needs on independent rows, looking after every 10, with those of a
test that is made for one look, at the same confidence, with the number of its rows chosen for the
rate.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path

import msgspec
import numpy as np
from scipy import stats

from benchmarks.gates.simulation import RATES, Outcome, fixed_sample_rows, simulate
from benchmarks.gates.streams import STREAMS
from benchmarks.gates.verdicts import LIMIT, decided_at

RESULTS = Path(__file__).resolve().parent.parent / "results" / "gates.json"


def main() -> None:
    """Simulate, print the tables and write every figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000, help="of each stream at each rate")
    parser.add_argument("--streams", nargs="+", default=[""], help="only these, by their beginning")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    outcomes: list[Outcome] = []
    numbers = [
        number
        for number, stream in enumerate(STREAMS)
        if stream.name.startswith(tuple(options.streams))
    ]
    print("| stream | unit | rate | gate: false | rows | `rate_interval`: false | rows "
          "| peeked: false | rows |\n|---|---|--:|--:|--:|--:|--:|--:|--:|")  # fmt: skip
    with ProcessPoolExecutor(options.processes) as pool:
        for simulated in pool.map(partial(_numbered, options.runs), numbers):
            outcomes += simulated
            for _, row in groupby(simulated, lambda outcome: outcome.rate):
                print(_line(list(row)), flush=True)
    broken = [outcome for outcome in outcomes if outcome.breaks_the_promise()]
    for method in ("gate", "rows", "peeked"):
        count = sum(outcome.method == method for outcome in broken)
        print(f"\n{method}: significantly more than 5% false decisions in {count} lines", end="")
    print("\n")
    print("\n".join([*_summary(outcomes), "", *_fixed_sample(options.runs)]))
    options.out.parent.mkdir(exist_ok=True)
    document = {"runs": options.runs, "outcomes": outcomes}
    options.out.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def _numbered(runs: int, number: int) -> list[Outcome]:
    """Simulate a stream by its number, because its function cannot be sent to another process."""
    return simulate(STREAMS[number], runs)


def _line(outcomes: list[Outcome]) -> str:
    first = outcomes[0]
    rate = "" if first.rate is None else f"{first.rate:.0%}"
    cells = [f"{_false(outcome)} | {_rows(outcome.median_rows)}" for outcome in outcomes]
    return f"| {first.stream} | {first.unit} | {rate} | {' | '.join(cells)} |"


def _false(outcome: Outcome) -> str:
    """Passes and fails that are false, each with its exact 95% interval if there were any."""
    kinds = {"pass": outcome.false_passes, "fail": outcome.false_fails}
    return (
        ", ".join(_share(kind, count, outcome.runs) for kind, count in kinds.items() if count)
        or "0"
    )


def _share(kind: str, count: int, runs: int) -> str:
    low, high = stats.binomtest(count, runs).proportion_ci(0.95, "exact")
    return f"{kind} {count / runs:.2%} ({low:.2%} to {high:.2%})"


def _rows(rows: int | None) -> str:
    return "more" if rows is None else f"{rows:,}"


def _summary(outcomes: list[Outcome]) -> Iterator[str]:
    """One line a stream: the rate with the most false decisions, and the gate's median rows."""
    rates = [rate for rate in RATES if rate != LIMIT]
    yield (
        "| stream | unit | gate: false, at most | `rate_interval` | peeked | median rows at "
        f"{' | '.join(f'{rate:.0%}' for rate in rates)} |"
    )
    yield f"|---|---|--:|--:|--:|{'--:|' * len(rates)}"
    for (stream, unit), found in groupby(outcomes, lambda outcome: (outcome.stream, outcome.unit)):
        lines = list(found)
        most = {o.method: 0.0 for o in lines}
        for o in lines:
            share = (o.false_passes + o.false_fails) / o.runs
            most[o.method] = max(most[o.method], share)
        medians = {o.rate: _rows(o.median_rows) for o in lines if o.method == "gate"}
        cells = [f"{most[method]:.1%}" for method in ("gate", "rows", "peeked")]
        cells += [medians.get(rate, "") for rate in rates]
        yield f"| {stream} | {unit} | {' | '.join(cells)} |"


def _fixed_sample(runs: int) -> Iterator[str]:
    yield (
        "| rate | gate: half decided | mean | 90% decided | one look: 50% power | 90% power "
        "| half / 90% power | mean / 90% power | 90% / 90% power |"
    )
    yield "|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for rate in RATES:
        if rate == LIMIT:
            continue
        weak, strong = (fixed_sample_rows(rate, power) for power in (0.5, 0.9))
        decided = decided_at(rate, runs, every=10)
        gate = [int(np.quantile(decided, 0.5)), int(decided.mean()), int(np.quantile(decided, 0.9))]
        cells = [*map(_rows, (*gate, weak, strong)), *(f"{rows / strong:.2f}" for rows in gate)]
        yield f"| {rate:.0%} | {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
