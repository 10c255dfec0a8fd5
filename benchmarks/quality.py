"""How often gates of quality decide wrongly, looked at again and again, on simulated labels.

``python -m benchmarks.quality`` prints the table of docs/quality.md. In every stream the true mean
difference of losses is exactly the limit, where deciding either way is an error and hardest to
avoid. Each run is looked at 20 times, and counts as an error if it was decided at any look.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gnomon.compare.mean_interval import log_e_values, split_between

Floats = npt.NDArray[np.float64]

LOOKS = 20
KNOTS = np.linspace(0, 1, 129)
CONFIDENCE = 0.95


class Look(NamedTuple):
    """What is known at one look.

    Attributes:
        units: the mean difference of each unit, in [-1, 1].
        rows: the difference of each row.
    """

    units: Floats
    rows: Floats


class Stream(NamedTuple):
    """A kind of rows with labels.

    Attributes:
        limit: the true mean difference.
        run: yields the looks of one run.
    """

    limit: float
    run: Callable[[np.random.Generator], Iterator[Look]]


def decisions(look: Look, limit: float) -> tuple[int, int]:
    """Return what the gate decides, and a paired z test of the rows at its 95%: -1 for promoted,
    1 for refused, 0 for undecided.
    """
    mapped = (look.units + 1) / 2
    lower, part = split_between(mapped, KNOTS)
    weights = np.bincount(lower, 1 - part, len(KNOTS)) + np.bincount(lower + 1, part, len(KNOTS))
    excluded = float(log_e_values(weights, KNOTS, (limit + 1) / 2)) >= -math.log1p(-CONFIDENCE)
    above, rows_above = look.units.mean() > limit, look.rows.mean() > limit
    gate = 0 if not excluded or above != rows_above else 1 if above else -1
    error = look.rows.std() / math.sqrt(len(look.rows))
    z = (look.rows.mean() - limit) / error if error > 0 else 0.0
    return gate, 0 if abs(z) < 1.96 else int(np.sign(z))


def one_row_each(draw: Callable[[np.random.Generator, int], Floats], rows: int) -> Stream:
    """Rows that are units of their own."""

    def run(rng: np.random.Generator) -> Iterator[Look]:
        values = draw(rng, rows)
        for end in np.linspace(rows / LOOKS, rows, LOOKS).astype(int):
            yield Look(values[:end], values[:end])

    truth = draw(np.random.default_rng(0), 20_000_000).mean()
    return Stream(float(truth), run)


def decisions_of(better: float, worse: float) -> Callable[[np.random.Generator, int], Floats]:
    """Decisions that differ on few rows."""

    def draw(rng: np.random.Generator, rows: int) -> Floats:
        uniform = rng.random(rows)
        return (uniform < worse).astype(float) - (uniform > 1 - better)

    return draw


def squared_errors(rng: np.random.Generator, rows: int) -> Floats:
    """Squared errors with tails of Student's t with 2.5 degrees of freedom, cut at the bound."""
    live = rng.standard_t(2.5, rows) / 8
    shadow = 0.9 * live + 0.06 * rng.standard_t(2.5, rows)
    return np.minimum(shadow**2, 1) - np.minimum(live**2, 1)


def by_entity(sizes: Callable[[np.random.Generator], npt.NDArray[np.int64]]) -> Stream:
    """Entities whose rows repeat each other, and come in any order.

    The share of rows on which the shadow is worse, and better, is beta distributed over entities,
    with an intraclass correlation of 0.3.
    """
    better, worse, spread = 0.025, 0.035, (1 - 0.3) / 0.3

    def run(rng: np.random.Generator) -> Iterator[Look]:
        counts = sizes(rng)
        entity = rng.permutation(np.repeat(np.arange(len(counts)), counts))
        values = np.zeros(len(entity))
        for mean, sign in ((worse, 1.0), (better, -1.0)):
            rates = rng.beta(mean * spread, (1 - mean) * spread, len(counts))
            values += sign * (rng.random(len(entity)) < rates[entity])
        for end in np.linspace(len(entity) / LOOKS, len(entity), LOOKS).astype(int):
            rows = np.bincount(entity[:end], minlength=len(counts))
            sums = np.bincount(entity[:end], values[:end], len(counts))
            yield Look(sums[rows > 0] / rows[rows > 0], values[:end])

    return Stream(worse - better, run)


def delayed(maturity: int) -> Stream:
    """Labels of a fifth of the rows, on which the shadow is better, come after a day; the others,
    on which it is worse, after twenty.
    """
    days, a_day, yes = 60, 200, 0.2
    rates = {True: (0.06, 0.01), False: (0.0, 0.025)}
    limit = yes * (0.01 - 0.06) + (1 - yes) * 0.025

    def run(rng: np.random.Generator) -> Iterator[Look]:
        arrived = np.repeat(np.arange(days), a_day)
        positive = rng.random(len(arrived)) < yes
        uniform = rng.random(len(arrived))
        better = np.where(positive, rates[True][0], rates[False][0])
        worse = np.where(positive, rates[True][1], rates[False][1])
        values = (uniform < worse).astype(float) - (uniform > 1 - better)
        known = arrived + np.where(positive, 1, 20)
        for day in range(max(maturity, 2), days, (days - max(maturity, 2)) // LOOKS or 1):
            seen = values[(known <= day) & (arrived <= day - maturity)]
            if len(seen):
                yield Look(seen, seen)

    return Stream(limit, run)


STREAMS = {
    "decisions, independent rows": one_row_each(decisions_of(0.025, 0.035), 10_000),
    "squared errors with heavy tails": one_row_each(squared_errors, 10_000),
    "20 rows an entity (beta-binomial)": by_entity(lambda rng: np.full(500, 20)),
    "entities of heavy-tailed sizes": by_entity(lambda rng: rng.zipf(1.6, 1_000).clip(max=2_000)),
    "labels delayed by class, mature at 20 days": delayed(20),
    "the same, counted as they come": delayed(0),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1_000)
    runs = parser.parse_args().runs
    print(f"Runs: {runs:,}, each looked at {LOOKS} times or so; confidence {CONFIDENCE:.0%}.\n")
    print("| stream | promoted | refused | z test: promoted | z test: refused |")
    print("|---|---:|---:|---:|---:|")
    for number, (name, stream) in enumerate(STREAMS.items()):
        counts = np.zeros((2, 2))
        for run in range(runs):
            rng = np.random.default_rng([number, run])
            found = np.array([decisions(look, stream.limit) for look in stream.run(rng)])
            for side, sign in enumerate((-1, 1)):
                counts[:, side] += (found == sign).any(axis=0)
        gate, peeked = counts / runs
        print(f"| {name} | {gate[0]:.1%} | {gate[1]:.1%} | {peeked[0]:.1%} | {peeked[1]:.1%} |")


if __name__ == "__main__":
    main()
