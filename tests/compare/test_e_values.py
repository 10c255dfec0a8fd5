from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from gnomon.compare.e_values import log_e_values


def integrated(values: list[float], mean: float, first: float, last: float) -> float:
    """The wealth against a mean, averaged over an angle between two ends by another method."""
    array = np.array(values)

    def wealth(angle: float) -> float:
        rate = math.sin(angle) ** 2
        return float(np.prod(array * rate / mean + (1 - array) * (1 - rate) / (1 - mean)))

    return float(integrate.quad(wealth, first, last, epsrel=1e-10)[0]) / (last - first)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.02, 0.98))
@settings(max_examples=25, deadline=None)
def test_the_wealth_is_the_integral(values: list[float], mean: float) -> None:
    """Seven parts near the mean and one part everywhere, as an integration by SciPy gives it."""
    centre, quarter = math.asin(math.sqrt(mean)), math.pi / 2
    reach = min(centre, quarter - centre)
    near = integrated(values, mean, centre - reach, centre + reach)
    expected = 7 / 8 * near + 1 / 8 * integrated(values, mean, 0, quarter)
    wealth = float(log_e_values(np.ones(len(values)), values, mean))
    assert wealth == pytest.approx(math.log(expected), abs=0.01)


@pytest.mark.parametrize("units", [100, 10_000, 1_000_000])
def test_more_nodes_change_little(units: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of nodes is enough, as long as there may be as many as are wanted."""
    knots, weights = [0, 0.2, 0.5, 1], np.array([0.93, 0.03, 0.02, 0.02]) * units
    mean = float(weights @ knots) / units
    means = [mean - 2 / 3 * math.sqrt(0.04 / units), mean, mean + math.sqrt(0.04 / units)]
    found = [float(log_e_values(weights, knots, m)) for m in means]
    monkeypatch.setattr("gnomon.compare.e_values._NODES_PER_ROOT_UNIT", 16)
    more = [float(log_e_values(weights, knots, m)) for m in means]
    assert found == pytest.approx(more, abs=1e-3)


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


def test_a_mean_that_drifts_is_fair_at_the_average_so_far() -> None:
    """Whatever depends on the past, the expected wealth against the average true mean so far is at
    most 1, also if one stops at the best moment: here the mean is 0.5 after a 0, 0.1 after a 1.
    """
    alpha, length, missed = 0.2, 12, 0.0
    for path in range(2**length):
        bits = [(path >> i) & 1 for i in range(length)]
        means = [0.3, *(0.1 if bit else 0.5 for bit in bits[:-1])]
        chance = math.prod(m if bit else 1 - m for bit, m in zip(bits, means, strict=True))
        ever = any(
            _excluded(sum(bits[:n]), n, 0.3, alpha)
            and (sum(bits[:n]) / n - 0.3) * (sum(means[:n]) / n - 0.3) < 0
            for n in range(1, length + 1)
        )
        missed += chance * ever
    assert missed <= alpha


_known: dict[tuple[int, int], float] = {}


def _excluded(hits: int, units: int, mean: float, alpha: float) -> bool:
    if (hits, units) not in _known:
        _known[hits, units] = float(log_e_values([units - hits, hits], [0, 1], mean))
    return _known[hits, units] >= -math.log(alpha)
