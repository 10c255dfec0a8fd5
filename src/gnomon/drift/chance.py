"""How far two counts of a column differ by chance alone, with few rows and with many.

What a metric exceeds once in a thousand times though nothing has drifted is its *floor*.
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
"""How often chance alone exceeds a floor, at most about."""

_SURE = 3.29
"""Standard deviations that a normal variable exceeds, on either side, once in a thousand times."""

_EXPECTED = np.geomspace(1e-4, 300, 200)
"""Rows expected in a bin. From the last on, moments are those of chi-squared."""

_NEWTON = 8

_Term = Callable[[Floats, Floats], Floats]


def floors(sides: BinnedSides) -> dict[str, float]:
    """What each metric stays below without any drift, in all but about one of a thousand cases.

    Two samples of ``n`` and ``m`` rows lie apart about as one of ``1 / (1/n + 1/m)`` rows does from
    what it is drawn from; bins have the shares of both together.

    PSI, Jensen-Shannon:
        With many rows in each bin both are ``1/n + 1/m`` times a chi-squared variable of ``B - 1``
        degrees of freedom, Jensen-Shannon over ``8 ln 2`` (Yurdakul and Naranjo, *Statistical
        properties of the population stability index*, 2020). With few they are not: an empty bin
        alone adds half its share to Jensen-Shannon, four times what chi-squared expects. So the
        mean and the variance are those of a sum over bins of independent Poisson counts whose sum
        is known (Holst, Biometrika 59, 1972, and Morris, Ann. Statist. 3, 1975, for sparse bins),
        and the floor is that of the scaled chi-squared variable with the same mean and variance
        (Satterthwaite, 1946), where it is the higher one.
    L-infinity, nulls, Wasserstein:
        Bennett's inequality (JASA 57, 1962) for a difference of two shares: of every bin at once;
        of nulls; of the two distribution functions at every edge, integrated. Unlike standard
        deviations it holds for rare values too.
    Wasserstein beyond training's range:
        How far out a row may lie is bounded by nothing that training has seen. While the share of
        such rows is what chance may give, so is their distance.
    Kolmogorov-Smirnov:
        Smirnov's (1948) limit.
    Outside:
        The share beyond the greatest of ``m`` values is an exponential variable over ``m``; beyond
        either end, the sum of two.
    New:
        Good's (Biometrika 40, 1953) share of all that training has not seen: the values that it saw
        once, over its rows.

    Rows that follow each other are often alike, and chance then goes further than this says.
    """
    pooled = (sides.before + sides.now).astype(float)
    nulls = max(pooled[sides.bins.size + Extra.NULL], 1.0) / sum(sides.all_rows)
    found = {
        "nulls": float(_deviation(np.array([nulls]), sides.all_rows)[0]),
        "new": _unseen(sides),
        "outside": _beyond_ends(2, sides.all_rows),
    }
    if not all(sides.valued):
        return found
    every = pooled[: sides.bins.size] / sum(sides.valued)
    shares = every[every > 0]
    effective = 1 / (1 / sides.valued[0] + 1 / sides.valued[1])
    return found | {
        "psi": _divergence(_psi, shares, effective),
        "js": math.sqrt(_divergence(_js, shares, effective)),
        "ks": math.sqrt(math.log(2 / _LEVEL) / 2 / effective),
        "wasserstein": _area(sides, np.cumsum(every)) + _far_out(sides),
        "linf": float(_deviation(shares, sides.valued, _LEVEL / len(shares)).max()),
    }


def _deviation(shares: Floats, sizes: tuple[int, int], level: float = _LEVEL) -> Floats:
    """How far two samples' shares of the same part lie apart at most, by Bennett's inequality.

    It is the ``t`` of ``v / c**2 * h(c * t / v) = ln(2 / level)``, where ``h(u)`` is
    ``(1 + u) ln(1 + u) - u``, ``v`` the variance of the difference and ``c`` what one row changes
    of it.
    """
    step = 1 / min(sizes)
    variance = np.clip(shares * (1 - shares), 1e-12, None) * (1 / sizes[0] + 1 / sizes[1])
    height = math.log(2 / level) * step**2 / variance
    u = np.sqrt(2 * height) + height  # above the root, from where Newton's steps only come nearer
    for _ in range(_NEWTON):
        u -= ((1 + u) * np.log1p(u) - u - height) / np.log1p(u)
    found: Floats = u * variance / step
    return found


def _divergence(term: _Term, shares: Floats, effective: float) -> float:
    """The floor of a divergence that is the sum of a term for each bin; no lower than with many
    rows, as the moments of one sample are too small where both have a handful of rows."""
    if len(shares) < 2:
        return 0.0
    moments = _moments(term)
    mean, variance, slope = (np.interp(shares * effective, _EXPECTED, each) for each in moments)
    rest = 1 - shares  # that the counts add up takes so much of each bin's part
    total = (mean * rest).sum()
    spread = (variance * rest).sum() - (slope * rest).sum() ** 2 / effective
    few = spread / (2 * total) * chdtri(2 * total**2 / spread, _LEVEL) if spread > 0 else 0.0
    many = moments[0][-1] * chdtri(len(shares) - 1, _LEVEL)
    return float(max(few, many) / effective)


def _psi(count: Floats, expected: Floats) -> Floats:
    smoothed = count + 0.5  # as PSI is; of the many rows of training it moves nothing
    found: Floats = (smoothed - expected) * np.log(smoothed / expected)
    return found


def _js(count: Floats, expected: Floats) -> Floats:
    middle = (count + expected) / 2
    both: Floats = xlogy(count, count / middle) + xlogy(expected, expected / middle)
    return both / math.log(4)


@cache
def _moments(term: _Term) -> tuple[Floats, Floats, Floats]:
    """The mean and the variance of a bin's term, and its covariance with the bin's Poisson count,
    by rows expected."""
    count = np.arange(2 * _EXPECTED[-1])[:, None]
    chance = np.exp(xlogy(count, _EXPECTED) - _EXPECTED - gammaln(count + 1))
    value = term(count, _EXPECTED)
    mean = (chance * value).sum(axis=0)
    variance = (chance * (value - mean) ** 2).sum(axis=0)
    return mean, variance, (chance * (value - mean) * (count - _EXPECTED)).sum(axis=0)


def _area(sides: BinnedSides, up_to: Floats) -> float:
    """The two distribution functions' distance, integrated over training's range, in its standard
    deviations."""
    if sides.bins.edges is None:
        return 0.0
    at = _deviation(np.concatenate([[0.0], up_to]).clip(0, 1), sides.valued)
    at = at[1:] if sides.bins.is_discrete else (at[:-1] + at[1:]) / 2
    return float((at * widths(sides.bins)).sum() / (sides.bins.std or 1.0))


def _far_out(sides: BinnedSides) -> float:
    """What lies beyond an end of training's range, where so many rows may by chance."""
    found, bound = 0.0, _beyond_ends(1, sides.valued)
    for outside, how_far in ((Extra.BELOW, Extra.EXCESS_BELOW), (Extra.ABOVE, Extra.EXCESS_ABOVE)):
        share = int(sides.now[sides.bins.size + outside]) / sides.valued[1]
        found += excess(sides, how_far) if share <= bound else 0.0
    return found


def _beyond_ends(ends: int, sizes: tuple[int, int]) -> float:
    """The share beyond the least or the greatest value of another sample, or beyond both."""
    return float(chdtri(2 * ends, _LEVEL)) / 2 * (1 / sizes[0] + 1 / sizes[1])


def _unseen(sides: BinnedSides) -> float:
    """The share of values that training does not have.

    Its variance is that of Good's estimate (Esty, Ann. Statist. 11, 1983) and of the rows' own.
    """
    before, now = sides.all_rows
    training = sides.before[: sides.bins.size]
    once, twice = (int((training == times).sum()) for times in (1, 2))
    expected = once / before
    spread = (once + 2 * twice) / before**2 + expected / now
    return max(expected + _SURE * math.sqrt(spread), _beyond_ends(1, sides.all_rows))
