from __future__ import annotations

import math

import numpy as np
import pytest
import ville

from gnomon.compare.e_values import log_e_values
from gnomon.compare.mean_interval import (
    clustered_interval,
    mean_interval,
    split_between,
    units_still_needed,
)
from gnomon.compare.sequential import rate_interval, rows_still_needed


def shares(units: int, seed: int, rows: int = 5) -> np.ndarray:
    """Draw the share of bad rows of entities with a few rows each, beta-binomial, mean 10%."""
    rng = np.random.default_rng(seed)
    return rng.binomial(rows, rng.beta(0.1, 0.9, units)) / rows


@pytest.mark.parametrize(("hits", "rows"), [(0, 0), (0, 50), (50, 50), (3, 40), (700, 20_000)])
def test_counts_stand_for_values(hits: int, rows: int) -> None:
    """Values with counts give what each unit's own value gives; its ends are where wealth ends."""
    interval = mean_interval(np.arange(rows) < hits, 0.95)
    assert mean_interval([0, 1], 0.95, counts=[rows - hits, hits]) == interval
    for end in interval:
        if 0 < end < 1:
            wealth = log_e_values([rows - hits, hits], [0, 1], end)
            assert float(wealth) == pytest.approx(math.log(20), abs=1e-3)


@pytest.mark.parametrize(("hits", "rows"), [(0, 500), (20, 1_000), (700, 20_000)])
def test_small_rates_have_a_narrower_interval_than_by_a_flat_mixture(hits: int, rows: int) -> None:
    """The mixture near each mean leaves less room than `rate_interval`."""
    low, high = mean_interval([0, 1], 0.95, counts=[rows - hits, hits])
    wide = rate_interval(hits, rows, 0.95)
    assert wide.low <= low <= hits / rows < high < wide.high


@pytest.mark.parametrize("units", [200, 1_000])
def test_shares_give_an_interval_close_to_that_of_another_package(units: int) -> None:
    """Neither end is far from the hedged capital process of Waudby-Smith and Ramdas, as `ville`
    computes it, and the interval is not much wider.
    """
    values = shares(units, seed=2)
    sequence = ville.BettingCS(alpha=0.05, grid=2_000, intersect=False).fit(values)
    low, high = mean_interval(values, 0.95)
    width = sequence.upper_[-1] - sequence.lower_[-1]
    assert low == pytest.approx(sequence.lower_[-1], abs=width / 2)
    assert high == pytest.approx(sequence.upper_[-1], abs=width / 2)
    assert high - low < 1.3 * width


def test_looking_after_every_unit_keeps_the_error() -> None:
    """Over many sequences of shares, the true mean is ever missed by at most the stated share."""
    runs, units, confidence = 200, 200, 0.8
    values = shares(runs * units, seed=3).reshape(runs, units)
    knots = np.arange(6) / 5
    counts = np.cumsum(values[..., np.newaxis] == knots, axis=1)
    wealth = np.stack([log_e_values(counts[:, n], knots, 0.1) for n in range(units)], axis=1)
    missed = int((wealth >= math.log(5)).any(axis=1).sum())
    assert 0 < missed <= runs * (1 - confidence)


def test_the_interval_excludes_what_the_wealth_says() -> None:
    """Its ends are where the wealth reaches the limit, and the mean is inside."""
    values = shares(500, seed=4)
    low, high = mean_interval(values, 0.9)
    knots, weights = np.unique(values, return_counts=True)
    for end in (low, high):
        assert float(log_e_values(weights, knots, end)) == pytest.approx(math.log(10), abs=1e-4)
    assert low < values.mean() < high


def test_many_distinct_values_only_widen_it_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than 128, values are split so that the interval contains the exact one."""
    rng = np.random.default_rng(5)
    values = rng.beta(0.3, 3, 500)
    coarse = mean_interval(values, 0.95)
    monkeypatch.setattr("gnomon.compare.mean_interval._MOST_KNOTS", 500)
    exact = mean_interval(values, 0.95)
    assert coarse.low <= exact.low
    assert exact.high <= coarse.high
    assert coarse.high - coarse.low < 1.01 * (exact.high - exact.low)


def test_a_value_is_split_between_its_neighbours_with_the_same_mean() -> None:
    """The two knots, weighted, give the value."""
    knots, values = np.array([0, 0.1, 0.4, 1]), np.array([0, 0.05, 0.1, 0.3, 0.99, 1])
    lower, upper_part = split_between(values, knots)
    assert knots[lower] * (1 - upper_part) + knots[lower + 1] * upper_part == pytest.approx(values)


def test_units_still_needed_are_those_that_decide() -> None:
    """With so many more of the same values the limit is outside, and with 5% fewer it is not."""
    values = [0, 0, 0, 0.5] * 10
    more = units_still_needed(values, 0.2, 0.95)
    assert more is not None
    total = (40 + more) / 4
    for factor, decided in ((1, True), (0.95, False)):
        wealth = float(log_e_values([3 * total * factor, total * factor], [0, 0.5], 0.2))
        assert (wealth >= math.log(20)) == decided


def test_fewer_units_decide_than_by_a_flat_mixture() -> None:
    """The estimate for binary values is below that of `rows_still_needed`."""
    for hits, rows in ((0, 0), (20, 800), (65, 1_000)):
        flat = rows_still_needed(hits, rows, 0.05, 0.95)
        more = units_still_needed([0, 1], 0.05, 0.95, counts=[rows - hits, hits])
        assert more is not None
        assert flat is not None
        assert more < flat


def test_a_limit_of_0_or_1_is_decided_by_one_unit_or_by_none() -> None:
    """One bad unit shows that more than none are bad; no number shows that none are."""
    assert units_still_needed([0, 1], 0, 0.95) == 0
    assert units_still_needed([0, 0], 0, 0.95) is None
    assert units_still_needed([1, 1], 1, 0.95) is None


def test_two_kinds_of_units_give_no_narrower_interval_than_either() -> None:
    """By entity and by block, each with repeated values; without blocks nothing is known."""
    by_entity, by_block = (np.array([0, 1]), [450, 50]), (np.array([0, 0.5]), [80, 20])
    rows = (np.array([0, 1]), [9_000, 1_000])
    low, high = clustered_interval([by_entity, by_block], rows, 0.95)
    for values, counts in (by_entity, by_block):
        alone = mean_interval(values, 0.95, counts=counts)
        assert low <= alone.low
        assert high >= alone.high
    assert clustered_interval([by_entity, ([], None)], rows, 0.95) == (0.0, 1.0)


def test_no_number_of_units_decides_at_the_limit() -> None:
    """A mean that is the limit is never outside."""
    assert units_still_needed([0, 0.5] * 10, 0.25, 0.95) is None


@pytest.mark.parametrize("wrong", [-0.1, 1.5, math.nan])
def test_a_value_outside_0_to_1_is_refused(wrong: float) -> None:
    """The promise is only of bounded values."""
    with pytest.raises(ValueError, match=r"expected values in \[0, 1\], one per unit, got"):
        mean_interval([0.5, wrong], 0.95)
