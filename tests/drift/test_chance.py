"""Floors of the metrics, compared with chance and with real shifts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2

from gnomon.drift.bins import Bins
from gnomon.drift.chance import floors
from gnomon.drift.drift_counts import DriftCounts
from gnomon.drift.metrics import BinnedSides, measures
from gnomon.drift.verdicts import effects, overall
from gnomon.policy import DriftLimits
from tests.drift.columns import against, batch, frozen

SAMPLES = 150
"""Of each case, each a millisecond: a limit of chance that is ten times too generous goes beyond
what is allowed."""

SEEDS = (1, 2, 3)

Draw = Callable[[np.random.Generator, int], Any]

HEALTHY: dict[str, Draw] = {
    "number": lambda random, n: random.normal(size=n),
    "heavy tails": lambda random, n: random.standard_cauchy(n),
    "mostly zero": lambda random, n: np.where(
        random.random(n) < 0.7, 0, random.exponential(size=n)
    ),
    "counts": lambda random, n: random.poisson(2.0, n).astype(float),
    "rare flag": lambda random, n: (random.random(n) < 0.004).astype(float),
    "category": lambda random, n: random.choice(list("abcde"), n, p=[0.5, 0.2, 0.15, 0.1, 0.05]),
    "many categories": lambda random, n: (random.zipf(1.6, n) % 45).astype(str),
    "nulls": lambda random, n: np.where(random.random(n) < 0.02, np.nan, random.normal(size=n)),
}


def samples(
    bins: Bins, draw: Draw, random: np.random.Generator, rows: int
) -> Iterator[BinnedSides]:
    """Samples of so many rows each, against training."""
    counts = DriftCounts([bins])
    names = np.repeat(np.arange(SAMPLES), rows).astype(str).tolist()
    counts.add(batch(bins, draw(random, SAMPLES * rows), [0.0] * len(names), names))
    (column,) = counts
    for cell in column.cells.values():
        yield BinnedSides(bins, bins.training, cell)


def judged(draw: Draw, served: Draw, rows: int, training: int) -> list[bool]:
    """Whether each of many samples is called drifted."""
    random = np.random.default_rng([1, rows, training])
    bins = frozen(draw(random, training))
    return [
        overall(effects(sides, DriftLimits())) == "drifted"
        for sides in samples(bins, served, random, rows)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("training", [400, 20_000])
@pytest.mark.parametrize("rows", [15, 30, 60, 120])
def test_few_healthy_rows_are_not_called_drifted(rows: int, training: int) -> None:
    """Of 1,200 samples of eight kinds of columns, at most one in 300; and of no kind one in 50."""
    found = {name: judged(draw, draw, rows, training) for name, draw in HEALTHY.items()}
    shares = {name: float(np.mean(called)) for name, called in found.items()}
    assert np.mean(list(found.values())) <= 1 / 300, shares
    assert max(shares.values()) <= 0.02, shares


@pytest.mark.parametrize(
    ("rows", "draw", "served"),
    [
        (15, "number", lambda random, n: random.normal(2.0, 1, n)),
        (30, "number", lambda random, n: random.normal(1.5, 1, n)),
        (60, "number", lambda random, n: random.normal(1.0, 1, n)),
        (120, "number", lambda random, n: random.normal(0.75, 1, n)),
        (30, "number", lambda random, n: np.where(random.random(n) < 0.4, np.nan, 0.0)),
        (30, "number", lambda random, n: random.normal(size=n) * 1000),
        (120, "category", lambda random, n: random.choice(list("abcde"), n)),
        (30, "category", lambda random, n: np.where(random.random(n) < 0.5, "new", "a")),
        (60, "rare flag", lambda random, n: (random.random(n) < 0.5).astype(float)),
    ],
)
def test_few_rows_that_lie_far_off_are_drifted(rows: int, draw: str, served: Draw) -> None:
    """A large shift needs no many rows: nine of ten samples show it."""
    share = np.mean(judged(HEALTHY[draw], served, rows, 20_000))
    assert share >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("rows", [30, 200, 2_000])
@pytest.mark.parametrize("kind", ["number", "counts", "category"])
def test_chance_alone_stays_below_each_floor(kind: str, rows: int) -> None:
    """Of 450 samples from the training distribution, only a few exceed a floor."""
    over: dict[str, int] = {}
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        bins = frozen(HEALTHY[kind](random, 3_000))
        for sides in samples(bins, HEALTHY[kind], random, rows):
            floor = floors(sides)
            for name, value in measures(sides).items():
                over[name] = over.get(name, 0) + (value > floor[name])
    assert max(over.values()) <= 4, over


def test_a_floor_shrinks_with_rows() -> None:
    """With more rows, less can be chance."""
    values = np.random.default_rng(2).normal(size=5_000)
    bins = frozen(values)
    few, many = (floors(against(bins, values[:n])) for n in (100, 4_000))
    assert all(many[name] < few[name] for name in few)


def test_many_rows_give_the_limit_of_chi_squared() -> None:
    """With thousands of rows in each bin, the floors are those of chi-squared."""
    bins = frozen(np.random.default_rng(2).normal(size=50_000))
    found = floors(BinnedSides(bins, bins.training, bins.training))
    expected = chi2.isf(0.001, bins.size - 1) * 2 / 50_000
    assert found["psi"] == pytest.approx(expected, rel=0.01)
    assert found["js"] ** 2 == pytest.approx(expected / (8 * np.log(2)), rel=0.01)


def test_a_handful_of_rows_on_both_sides_proves_nothing() -> None:
    """Six rows of a dozen values may differ from six others almost completely."""
    bins = frozen(np.arange(12.0))
    sides = [against(bins, values).now for values in (np.arange(6.0), np.arange(5.0, 11.0))]
    found = effects(BinnedSides(bins, *sides), DriftLimits())
    assert found["js"].value > 0.8
    assert found["js"].verdict == "unknown"


def test_one_wild_row_is_no_drift_and_many_are() -> None:
    """Distances beyond the range prove nothing as long as so few rows can be there by chance."""
    training = np.random.default_rng(3).normal(size=2_000)
    bins = frozen(training)
    found = effects(against(bins, np.append(training[:999], 1e6)), DriftLimits())
    assert found["wasserstein"].verdict == "unknown"
    found = effects(against(bins, np.append(training[:950], [1e6] * 50)), DriftLimits())
    assert found["wasserstein"].verdict == "drifted"


def test_the_floor_of_the_largest_bin_allows_for_every_bin() -> None:
    """Bennett's bound at a thousandth over the number of bins: the largest of many deviations is
    larger than any one of them."""
    bins = frozen([f"n{i:02d}" for i in range(40)] * 50)
    sides = BinnedSides(bins, bins.training, bins.training)
    rows, used = 2_000, int((bins.training[: bins.size] > 0).sum())
    share = 1 / used
    variance, step = share * (1 - share) * 2 / rows, 1 / rows
    u = step * floors(sides)["linf"] / variance
    height = variance / step**2 * ((1 + u) * np.log1p(u) - u)
    assert height == pytest.approx(np.log(2 * used / 0.001), rel=1e-6)


OWNED = {"constant": 1.0, "half": 0.5, "free": 0.0}
"""The share of a column's variance that is between entities."""


def owned(between: float, of_each: int, entities: int, shift: float = 0.0) -> list[str]:
    """Verdicts on samples whose entities repeat."""
    random = np.random.default_rng([entities, of_each])
    bins, found = frozen(random.normal(size=20_000)), []
    for _ in range(12):
        owners = np.arange(entities * of_each) % entities
        theirs = random.normal(size=entities)[owners] * np.sqrt(between)
        values = theirs + random.normal(size=len(owners)) * np.sqrt(1 - between) + shift
        found.append(overall(effects(against(bins, values, owners), DriftLimits())))
    return found


@pytest.mark.parametrize("kind", OWNED)
def test_entities_that_repeat_are_no_drift(kind: str) -> None:
    """Of 50 entities with 20 rows each, a column that is constant in each is unknown: with each row
    counted it is called drifted in 98% of samples (``benchmarks/drift/entities.py``)."""
    found = owned(OWNED[kind], 20, 50)
    assert "drifted" not in found
    assert set(found) == {"unknown"} if kind == "constant" else {"ok"}


@pytest.mark.parametrize("kind", OWNED)
def test_entities_that_repeat_still_drift(kind: str) -> None:
    """By a standard deviation, over 200 entities of 10 rows each."""
    assert owned(OWNED[kind], 10, 200, 1.0) == ["drifted"] * 12
