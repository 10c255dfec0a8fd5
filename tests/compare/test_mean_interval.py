from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
import ville
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.compare.mean_interval import (
    log_e_values,
    mean_interval,
    split_between,
    units_still_needed,
)
from gnomon.compare.sequential import rate_interval, rows_still_needed


def shares(units: int, seed: int, rows: int = 5) -> np.ndarray:
    """Draw the share of bad rows of entities with a few rows each, beta-binomial, mean 10%."""
    rng = np.random.default_rng(seed)
    return rng.binomial(rows, rng.beta(0.1, 0.9, units)) / rows


def exact_wealth(values: list[Fraction], mean: Fraction) -> Fraction:
    """Integrate the product exactly: it is a polynomial in p, and the moments of Beta(1/2, 1/2)
    are fractions.
    """
    product = [Fraction(1)]
    for value in values:
        constant = (1 - value) / (1 - mean)
        slope = value / mean - constant
        product = [
            (product[k] * constant if k < len(product) else 0)
            + (product[k - 1] * slope if k else 0)
            for k in range(len(product) + 1)
        ]
    moment, total = Fraction(1), Fraction(0)
    for power, coefficient in enumerate(product):
        total += coefficient * moment
        moment *= Fraction(2 * power + 1, 2 * power + 2)
    return total


@pytest.mark.parametrize(("hits", "rows"), [(0, 0), (0, 50), (50, 50), (3, 40), (700, 20_000)])
def test_binary_values_give_the_interval_of_a_rate(hits: int, rows: int) -> None:
    """The interval is `rate_interval`, and the sum over nodes agrees with its closed form."""
    values = np.arange(rows) < hits
    interval = mean_interval(values, 0.95)
    assert interval == rate_interval(hits, rows, 0.95)
    for end in interval:
        if 0 < end < 1:
            wealth = log_e_values([rows - hits, hits], [0, 1], end)
            assert float(wealth) == pytest.approx(math.log(20), abs=1e-9)


def test_binary_values_give_the_interval_of_another_package() -> None:
    """`ville` computes the beta-binomial confidence sequence of a rate by itself."""
    rows = (np.random.default_rng(1).random(2_000) < 0.07).astype(float)
    sequence = ville.BernoulliCS(alpha=0.05, prior=(0.5, 0.5), intersect=False).fit(rows)
    for looked in (1, 10, 100, 1_999):
        low, high = mean_interval(rows[: looked + 1], 0.95)
        assert low == pytest.approx(sequence.lower_[looked], abs=1e-6)
        assert high == pytest.approx(sequence.upper_[looked], abs=1e-6)


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


@given(
    st.lists(st.fractions(0, 1, max_denominator=9), min_size=1, max_size=12),
    st.fractions(Fraction(1, 50), Fraction(49, 50), max_denominator=50),
)
@settings(max_examples=30, deadline=None)
def test_the_wealth_is_the_integral(values: list[Fraction], mean: Fraction) -> None:
    """It is what exact arithmetic gives."""
    knots = sorted(set(values))
    weights = [values.count(knot) for knot in knots]
    wealth = log_e_values(weights, [float(knot) for knot in knots], float(mean))
    assert float(wealth) == pytest.approx(math.log(exact_wealth(values, mean)), abs=1e-9)


@pytest.mark.parametrize("units", [100, 10_000, 1_000_000])
def test_more_nodes_change_nothing(units: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of nodes is enough, as long as there may be as many as are wanted."""
    knots, weights = [0, 0.2, 0.5, 1], np.array([0.93, 0.03, 0.02, 0.02]) * units
    mean = float(weights @ knots) / units
    means = [mean - 2 / 3 * math.sqrt(0.04 / units), mean, mean + math.sqrt(0.04 / units)]
    found = [float(log_e_values(weights, knots, m)) for m in means]
    monkeypatch.setattr("gnomon.compare.mean_interval._NODES_PER_ROOT_UNIT", 16)
    more = [float(log_e_values(weights, knots, m)) for m in means]
    assert found == pytest.approx(more, abs=1e-9)


def test_any_number_of_nodes_is_a_fair_bet() -> None:
    """For a fixed number of nodes the expected wealth against the true mean is exactly 1."""
    knots, chances = np.array([0, 0.3, 1]), np.array([0.9, 0.06, 0.04])
    mean = float(chances @ knots)
    total = 0.0
    for zeros in range(31):
        for thirds in range(31 - zeros):
            ones = 30 - zeros - thirds
            ways = math.factorial(30) / math.prod(map(math.factorial, (zeros, thirds, ones)))
            probability = ways * math.prod(chances ** [zeros, thirds, ones])
            wealth = math.exp(float(log_e_values([zeros, thirds, ones], knots, mean)))
            total += probability * wealth
    assert total == pytest.approx(1, abs=1e-9)


def test_looking_after_every_unit_keeps_the_error() -> None:
    """Over many sequences of shares, the true mean is ever missed by at most the stated share."""
    runs, units, confidence = 300, 400, 0.8
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
        assert float(log_e_values(weights, knots, end)) == pytest.approx(math.log(10), abs=1e-6)
    assert low < values.mean() < high


def test_many_distinct_values_only_widen_it_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more than 128, values are split so that the interval contains the exact one."""
    rng = np.random.default_rng(5)
    values = rng.beta(0.3, 3, 2_000)
    coarse = mean_interval(values, 0.95)
    monkeypatch.setattr("gnomon.compare.mean_interval._MOST_KNOTS", 2_000)
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


def test_rows_that_are_units_need_as_many_as_a_rate() -> None:
    """The estimate for binary values is that of `rows_still_needed`, but for its rounding."""
    for hits, rows in ((0, 0), (20, 1_000), (65, 1_000)):
        values = np.arange(rows) < hits
        expected = rows_still_needed(hits, rows, 0.05, 0.95)
        assert units_still_needed(values, 0.05, 0.95) == pytest.approx(expected, rel=0.05)


def test_no_number_of_units_decides_at_the_limit() -> None:
    """A mean that is the limit is never outside."""
    assert units_still_needed([0, 0.5] * 10, 0.25, 0.95) is None


@pytest.mark.parametrize("wrong", [-0.1, 1.5, math.nan])
def test_a_value_outside_0_to_1_is_refused(wrong: float) -> None:
    """The promise is only of bounded values."""
    with pytest.raises(ValueError, match=r"expected values in \[0, 1\], one per unit, got"):
        mean_interval([0.5, wrong], 0.95)
