"""Customers who come back for months: ``python -m benchmarks.gates.returning --runs 1000``.

The limit is 5% at 95% confidence, and so is the mean of the customers' rates, which are drawn from
a beta distribution: each decision is false. A gate decides by `gnomon.compare.mean_interval`, and

settled
    by the values and the parts of the error of `gnomon.rollout.evidence.settling`, as gates do;
split
    by all rows of each customer so far and the parts of the error, as gates of quality do;
not settled
    by all rows of each customer so far at each look, as if it were the only one.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
from scipy import stats

from gnomon.compare.e_values import log_e_values
from gnomon.rollout.evidence.settling import settling_at

LIMIT = 0.05
ALPHA = 0.05
START = datetime(2026, 1, 1)
KNOTS = np.arange(121) / 120

Floats = npt.NDArray[np.float64]


@dataclass
class Traffic:
    """Customers who stay.

    Attributes:
        name: for the table.
        days: how long the run is.
        looks: how many a day.
        new: customers who come for the first time, a day.
        visits: rows that each known customer sends, a day.
        alike: the sum of the parameters of the beta distribution of their rates.
    """

    name: str
    days: int
    looks: float
    new: float
    visits: float
    alike: float

    def drawn(self, rng: np.random.Generator) -> Iterator[tuple[float, Floats, Floats, Floats]]:
        """Yield the day of each look, and of each customer the rows, the bad ones and the first."""
        looks = round(self.days * self.looks)
        arrivals = rng.poisson(self.new / self.looks, looks)
        arrivals[0] += 1
        total = int(arrivals.sum())
        rates = rng.beta(LIMIT * self.alike, (1 - LIMIT) * self.alike, total)
        first = (rng.random(total) < rates).astype(np.float64)
        rows, bad, known = np.ones(total), first.copy(), 0
        for look, new in enumerate(arrivals):
            more = rng.poisson(self.visits / self.looks, known)
            rows[:known] += more
            bad[:known] += rng.binomial(more, rates[:known])
            known += int(new)
            yield (look + 0.5) / self.looks, rows[:known], bad[:known], first[:known]


STREAMS = (
    Traffic("80 new a week, 6 rows a week each; half a year", 182, 3 / 7, 80 / 7, 6 / 7, 30),
    Traffic("20 new a day, a row a day each; 90 days", 90, 1, 20, 1, 50),
    Traffic("20 new a day, 5 rows a day each; 60 days", 60, 1, 20, 5, 50),
    Traffic("20 new in half an hour, a row each; 2 days", 2, 48, 960, 48, 50),
)


def decided(traffic: Traffic, rng: np.random.Generator) -> dict[str, int]:
    """Return the side of the limit on which each way decided first; 0 if it did not."""
    sides = dict.fromkeys(("settled", "split", "not settled"), 0)
    hours, settled, before = -1, np.zeros(0), np.zeros(0)
    for day, rows, bad, first in traffic.drawn(rng):
        stage = settling_at(START, START + timedelta(days=day))
        if stage.hours != hours:
            hours, settled = stage.hours, before if stage.hours else np.zeros(0)
        before = bad / rows
        fixed = np.concatenate([settled, first[len(settled) :]])
        share = bad.sum() / rows.sum()
        for name, values, alpha in (
            ("settled", fixed, ALPHA * stage.error_part),
            ("split", before, ALPHA * stage.error_part),
            ("not settled", before, ALPHA),
        ):
            sides[name] = sides[name] or _side(values, share, alpha)
        if all(sides.values()):
            break
    return sides


def _side(values: Floats, share: float, alpha: float) -> int:
    """Return -1 for a pass, 1 for a fail, 0 for neither."""
    mean = values.mean()
    side = -1 if max(mean, share) <= LIMIT else 1 if min(mean, share) > LIMIT else 0
    lower = np.minimum((values * 120).astype(np.intp), 119)
    part = values * 120 - lower
    weights = np.bincount(lower, 1 - part, 121) + np.bincount(lower + 1, part, 121)
    return side if side and log_e_values(weights, KNOTS, LIMIT) >= -math.log(alpha) else 0


def main() -> None:
    """Simulate, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000, help="of each stream")
    runs = parser.parse_args().runs
    print("| customers | settled | split | not settled |\n|---|--:|--:|--:|")
    for traffic in STREAMS:
        rng = np.random.default_rng(20_000)
        found = [decided(traffic, rng) for _ in range(runs)]
        cells = [_false([run[name] for run in found]) for name in found[0]]
        print(f"| {traffic.name} | {' | '.join(cells)} |", flush=True)


def _false(sides: list[int]) -> str:
    false = sum(side != 0 for side in sides)
    low, high = stats.binomtest(false, len(sides)).proportion_ci(0.95, "exact")
    return f"{false / len(sides):.1%} ({low:.1%} to {high:.1%})"


if __name__ == "__main__":
    main()
