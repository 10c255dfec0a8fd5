"""Compute how far two counts of a column differ by chance alone, with few rows or many.

The *floor* of a metric is the value that it exceeds once in a thousand times without any drift.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import chdtri, gammaln, xlogy

from gnomon.drift.bins import Extra, Floats
from gnomon.drift.metrics import BinnedSides, excess, widths

__all__ = ["floors"]

_LEVEL = 0.001
"""The probability, approximately at most, that chance alone exceeds a floor."""

_SURE = 3.29
"""The number of standard deviations that a normal variable exceeds, on either side, once in a
thousand times."""

_EXPECTED = np.geomspace(1e-4, 300, 200)
"""Expected rows in a bin. At the last value and above, the moments are those of chi-squared."""

_NEWTON = 8

_Term = Callable[[Floats, Floats], Floats]


def floors(sides: BinnedSides) -> dict[str, float]:
    """Compute the floor of each metric, which it exceeds by chance about once in a thousand times.

    Two samples of ``n`` and ``m`` rows differ about as much as one sample of ``1 / (1/n + 1/m)``
    rows differs from its population; bins have the shares of both samples together.

    PSI, Jensen-Shannon:
        With many rows in each bin both are ``1/n + 1/m`` times a chi-squared variable of ``B - 1``
        degrees of freedom, Jensen-Shannon over ``8 ln 2`` (Yurdakul and Naranjo, *Statistical
        properties of the population stability index*, 2020). With few rows they are not: a single
        empty bin adds half its share to Jensen-Shannon, four times the value under chi-squared. So
        the mean and the variance are those of a sum over bins of independent Poisson counts whose
        sum is known (Holst, Biometrika 59, 1972, and Morris, Ann. Statist. 3, 1975, for sparse
        bins), and the floor is that of the scaled chi-squared variable with the same mean and
        variance (Satterthwaite, 1946), if it is the higher one.
    L-infinity, nulls, Wasserstein:
        Bennett's inequality (JASA 57, 1962) for a difference of two shares: of every bin at once;
        of nulls; of the two distribution functions at every edge, integrated. Unlike a bound in
        standard deviations, it holds for rare values too.
    Wasserstein beyond training's range:
        Training does not bound how far out a row may be. As long as the share of such rows can be
        chance, their distance is taken as chance too.
    Kolmogorov-Smirnov:
        Smirnov's (1948) limit.
    Outside:
        The share beyond the greatest of ``m`` values is an exponential variable over ``m``; beyond
        either end, it is the sum of two.
    New:
        Good's (Biometrika 40, 1953) estimate of the share of unseen values: the number of values
        seen once in training, over the training rows.

    Rows are the independent rows that say as much: the rows of either side over its design effect,
    see :class:`~gnomon.drift.counted_rows.CountedRows`. Where entities are not known, each row
    counts; consecutive rows are often similar, and then chance alone exceeds these floors more
    often.
    """
    before, now = sides.design_effects
    pooled = sides.before / before + sides.now / now
    sizes, valued = sides.independent_rows, sides.independent_values
    nulls = max(pooled[sides.bins.size + Extra.NULL], 1.0) / sum(sizes)
    bounds = {
        "nulls": float(_deviation(np.array([min(nulls, 1.0)]), sizes)[0]),
        "new": _unseen(sides),
        "outside": _beyond_ends(2, sizes),
    }
    if not all(sides.valued):
        return bounds
    pooled_shares = pooled[: sides.bins.size] / sum(valued)
    shares = pooled_shares[pooled_shares > 0]
    effective = 1 / (1 / valued[0] + 1 / valued[1])
    return bounds | {
        "psi": _divergence(_psi, shares, effective),
        "js": math.sqrt(_divergence(_js, shares, effective)),
        "ks": math.sqrt(math.log(2 / _LEVEL) / 2 / effective),
        "wasserstein": _area(sides, np.cumsum(pooled_shares)) + _far_out(sides),
        "linf": float(_deviation(shares, valued, _LEVEL / len(shares)).max()),
    }


def _deviation(shares: Floats, sizes: tuple[float, float], level: float = _LEVEL) -> Floats:
    """Bound the difference of two samples' shares of the same part, by Bennett's inequality.

    It is the ``t`` of ``v / c**2 * h(c * t / v) = ln(2 / level)``, where ``h(u)`` is
    ``(1 + u) ln(1 + u) - u``, ``v`` the variance of the difference, and ``c`` how much one row
    changes it.
    """
    step = 1 / min(sizes)
    variance = np.clip(shares * (1 - shares), 1e-12, None) * (1 / sizes[0] + 1 / sizes[1])
    height = math.log(2 / level) * step**2 / variance
    u = np.sqrt(2 * height) + height  # above the root, from where Newton's method converges
    for _ in range(_NEWTON):
        log = np.log1p(u)
        u -= ((1 + u) * log - u - height) / log
    bound: Floats = u * variance / step
    return bound


def _divergence(term: _Term, shares: Floats, effective: float) -> float:
    """Compute the floor of a divergence that is the sum of a term for each bin.

    It is at least the floor for many rows, because the moments of one sample are too small if both
    samples have only a few rows.
    """
    if len(shares) < 2:
        return 0.0
    moments = _moments(term)
    mean, variance, slope = (np.interp(shares * effective, _EXPECTED, moment) for moment in moments)
    rest = 1 - shares  # the fixed sum of the counts reduces each bin's part by its share
    total = (mean * rest).sum()
    spread = (variance * rest).sum() - (slope * rest).sum() ** 2 / effective
    sparse_floor = (
        spread / (2 * total) * chdtri(2 * total**2 / spread, _LEVEL) if spread > 0 else 0.0
    )
    dense_floor = moments[0][-1] * chdtri(len(shares) - 1, _LEVEL)
    return float(max(sparse_floor, dense_floor) / effective)


def _psi(count: Floats, expected: Floats) -> Floats:
    smoothed = count + 0.5  # as in PSI; the effect on training's many rows is negligible
    terms: Floats = (smoothed - expected) * np.log(smoothed / expected)
    return terms


def _js(count: Floats, expected: Floats) -> Floats:
    middle = (count + expected) / 2
    terms: Floats = xlogy(count, count / middle) + xlogy(expected, expected / middle)
    return terms / math.log(4)


@cache
def _moments(term: _Term) -> tuple[Floats, Floats, Floats]:
    """Compute the mean and variance of a bin's term, and its covariance with the Poisson count.

    There is one value for each of the expected rows in ``_EXPECTED``.
    """
    count = np.arange(2 * _EXPECTED[-1])[:, None]
    chance = np.exp(xlogy(count, _EXPECTED) - _EXPECTED - gammaln(count + 1))
    value = term(count, _EXPECTED)
    mean = (chance * value).sum(axis=0)
    variance = (chance * (value - mean) ** 2).sum(axis=0)
    return mean, variance, (chance * (value - mean) * (count - _EXPECTED)).sum(axis=0)


def _area(sides: BinnedSides, up_to: Floats) -> float:
    """Integrate the bound of the distribution functions' distance over training's range.

    The result is in standard deviations of training.
    """
    if sides.bins.edges is None:
        return 0.0
    bounds = _deviation(np.concatenate([[0.0], up_to]).clip(0, 1), sides.independent_values)
    bounds = bounds[1:] if sides.bins.is_discrete else (bounds[:-1] + bounds[1:]) / 2
    return float((bounds * widths(sides.bins)).sum() / (sides.bins.std or 1.0))


def _far_out(sides: BinnedSides) -> float:
    """Return the distance of rows beyond training's range, if so many can be there by chance."""
    distance, largest_share = 0.0, _beyond_ends(1, sides.independent_values)
    for outside, how_far in ((Extra.BELOW, Extra.EXCESS_BELOW), (Extra.ABOVE, Extra.EXCESS_ABOVE)):
        share = int(sides.now[sides.bins.size + outside]) / sides.valued[1]
        distance += excess(sides, how_far) if share <= largest_share else 0.0
    return distance


def _beyond_ends(ends: int, sizes: tuple[float, float]) -> float:
    """Bound the share of rows beyond one end, or both ends, of another sample's range."""
    return float(chdtri(2 * ends, _LEVEL)) / 2 * (1 / sizes[0] + 1 / sizes[1])


def _unseen(sides: BinnedSides) -> float:
    """Bound the share of values that training does not have.

    Its variance is the sum of that of Good's estimate (Esty, Ann. Statist. 11, 1983) and that of
    sampling the rows.
    """
    before, now = sides.all_rows[0], sides.independent_rows[1]
    training = sides.before[: sides.bins.size]
    once, twice = (int((training == times).sum()) for times in (1, 2))
    expected = once / before
    spread = (once + 2 * twice) / before**2 + expected / now
    return max(expected + _SURE * math.sqrt(spread), _beyond_ends(1, sides.independent_rows))
