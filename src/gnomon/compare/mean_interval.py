"""Anytime-valid intervals for the mean of a bounded value per unit, such as a share per entity."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from gnomon.compare.sequential import Interval, more_until, outer_edge, rate_interval

__all__ = [
    "difference_interval",
    "log_e_values",
    "mean_interval",
    "split_between",
    "units_needed_to_tell",
    "units_still_needed",
]

Floats = npt.NDArray[np.float64]

_FEWEST_NODES = 64
_MOST_NODES = 1 << 14
_NODES_PER_ROOT_UNIT = 4
"""With the nodes at equal distances in the angle, the integrand is a peak no narrower than
1 / (2 sqrt(n)). 4 sqrt(n) nodes are 1.27 to that width, where the error of the sum is
exp(-2 pi^2 1.27^2), about 1e-14 of it (the trapezoid rule of a periodic Gaussian)."""
_STEPS = 40
_MOST_KNOTS = 128
"""Distinct values that are told apart, so that 100,000 units take a fraction of a second."""


def mean_interval(values: npt.ArrayLike, confidence: float) -> Interval:
    """Compute the confidence sequence for the mean of values in [0, 1], one per unit.

    With the stated probability the true mean is in *every* interval of the sequence, after each
    number of units, so looking often and stopping at any time does not increase the error. The
    values need not be independent of what they are made of: rows of one entity may repeat each
    other in any way, as long as the units are independent draws of one distribution. For values of
    only 0 and 1 it is `rate_interval`.

    For each mean m and each rate p,

        M_n(m, p) = product over i of (X_i p / m + (1 - X_i) (1 - p) / (1 - m))

    is the wealth of a bettor against m whose factors have mean 1 if the mean is m, so it is a
    martingale, and so is its average M_n(m) over any fixed distribution of p. By Ville's
    inequality, the probability that M_n(m) ever reaches 1 / (1 - confidence) is at most
    1 - confidence. The interval is every m for which it has not. p is distributed as
    Beta(1/2, 1/2), which for X of 0 and 1 gives the method of mixtures of `rate_interval`. The
    integral is a sum over Gauss-Chebyshev nodes, p_j = sin^2(pi (2 j - 1) / (4 J)): exact for fewer
    than 2 J units. A sum over fixed nodes is a martingale too, only weaker.

    log M_n(m) is convex in m, because 1 / m and 1 / (1 - m) are log-convex, and by Jensen's
    inequality it is at most 0 at the mean of the values, so each end is found by bisection.
    Beyond 128 distinct values, each is replaced by a mixture of its two neighbours among 128 that
    has the same mean. The logarithm of a factor is concave in X, so this can only widen the
    interval.

    **Values that still change.** The promise is of units whose value is final when first used. The
    share of an entity of which more rows come later is not: then M_n is recomputed, not multiplied.
    At any one look that was chosen beforehand the error is still at most 1 - confidence. Over many
    looks there is no proof: rows that are added to known entities form a reverse martingale, new
    entities a forward one, each within the promise alone. In every stream of
    `benchmarks.gates`, entities that come in turns included, the errors were within the promise.
    To use of an entity only the rows that came until the look after its first one is proven, and
    leaves most rows out: "closed entity" there.

    **Means that drift.** If the units are independent with different means, E M_n(m) <= 1 where m
    is the average of their means (by the inequality of arithmetic and geometric means). The
    interval is then of the average so far, at any one look; over many looks, by simulation.

    Sources: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
    J. R. Stat. Soc. B 86 (2024), for the factors; F. Orabona, K.-S. Jun, "Tight concentrations and
    confidence sequences from the regret of universal portfolio", IEEE Trans. Inf. Theory 70 (2024),
    for the mixture; H. Robbins, Ann. Math. Statist. 41 (1970).

    Raises:
        ValueError: a value is not in [0, 1].

    >>> mean_interval([], 0.95)
    Interval(low=0.0, high=1.0)
    >>> low, high = mean_interval([0, 0.5, 0, 0.1] * 250, 0.95)
    >>> round(low, 3), round(high, 3)
    (0.128, 0.173)
    """
    knots, counts = _counted(values)
    if np.isin(knots, (0.0, 1.0)).all():
        return rate_interval(int(counts[knots == 1.0].sum()), int(counts.sum()), confidence)
    limit = -math.log1p(-confidence)
    mean = float(np.average(knots, weights=counts))
    knots, weights = _thinned(knots, counts)

    def excluded(candidate: float) -> bool:
        # A value strictly between 0 and 1 rules both ends out.
        return not 0 < candidate < 1 or float(log_e_values(weights, knots, candidate)) >= limit

    return Interval(*(outer_edge(end, mean, excluded, steps=_STEPS) for end in (0.0, 1.0)))


def difference_interval(values: npt.ArrayLike, bound: float, confidence: float) -> Interval:
    """Compute the confidence sequence for the mean of values in [-bound, bound], one per unit.

    It is `mean_interval` on another scale. For differences of only -1, 0 and 1 it excludes 0
    exactly if `rate_interval` of the positive ones among those that are not 0 excludes 1/2: there a
    unit of 0 has factor 1, so it is McNemar's test as a confidence sequence (Q. McNemar,
    Psychometrika 12, 1947).

    Raises:
        ValueError: a value is beyond the bound.

    >>> low, high = difference_interval([0, 0, 0, -1, 0, 0, 1, 0] * 250, 1, 0.95)
    >>> round(low, 3), round(high, 3)
    (-0.038, 0.038)
    """
    low, high = mean_interval(_to_unit_scale(values, bound), confidence)
    return Interval((2 * low - 1) * bound, (2 * high - 1) * bound)


def units_needed_to_tell(
    values: npt.ArrayLike, bound: float, limit: float, confidence: float
) -> int | None:
    """Estimate as `units_still_needed`, for the mean of values in [-bound, bound].

    None also where the limit is not between the bounds.
    """
    if not -bound < limit < bound:
        return None
    return units_still_needed(_to_unit_scale(values, bound), (limit / bound + 1) / 2, confidence)


def log_e_values(weights: npt.ArrayLike, knots: npt.ArrayLike, mean: float) -> Floats:
    """Compute log M_n(mean) of `mean_interval` for many samples at once.

    The interval of a sample excludes ``mean`` where it is at least -log(1 - confidence), and is
    then on the side where the sample's own mean is.

    Args:
        weights: shape (..., K): how many units of the sample have each value, in whole units or in
            the parts that `split_between` gives.
        knots: shape (K,): the values, in [0, 1].
        mean: strictly between 0 and 1.

    Returns:
        Shape (...,).

    >>> limit = -math.log(0.05)
    >>> [bool(e >= limit) for e in log_e_values([[130, 0], [30, 2]], [0, 1], 0.05)]
    [True, False]
    """
    weights = np.asarray(weights, np.float64)
    largest = float(weights.sum(axis=-1).max(initial=0))
    exponents = weights @ _log_factors(np.asarray(knots, np.float64), mean, _node_count(largest))
    return _log_mean_exp(exponents)


def split_between(
    values: npt.ArrayLike, knots: npt.ArrayLike
) -> tuple[npt.NDArray[np.intp], Floats]:
    """Express each value as a mixture of the two knots around it.

    Args:
        values: between the first knot and the last.
        knots: rising, at least two.

    Returns:
        The index of the lower knot of each value, and the part of its weight that the next knot
        gets.

    >>> split_between([0, 0.25, 1], [0, 0.5, 1])
    (array([0, 0, 1]), array([0. , 0.5, 1. ]))
    """
    values, knots = np.asarray(values, np.float64), np.asarray(knots, np.float64)
    lower = np.clip(np.searchsorted(knots, values, side="right") - 1, 0, len(knots) - 2)
    return lower, (values - knots[lower]) / (knots[lower + 1] - knots[lower])


def units_still_needed(values: npt.ArrayLike, limit: float, confidence: float) -> int | None:
    """Estimate how many more units decide on which side of a limit the mean is.

    The values seen so far are taken as the distribution; without any, all are taken as 0. None if
    more than a billion are needed.

    >>> units_still_needed([], 0.05, 0.95)
    116
    """
    knots, counts = _thinned(*_counted(values))
    units = float(counts.sum())
    if not units:
        knots, counts = np.zeros(1), np.ones(1)
    per_unit = counts / counts.sum() @ _log_factors(knots, limit, _MOST_NODES)
    threshold = -math.log1p(-confidence)
    return more_until(
        lambda total: float(_log_mean_exp(total * per_unit)) >= threshold, round(units)
    )


def _to_unit_scale(values: npt.ArrayLike, bound: float) -> Floats:
    return np.asarray((np.asarray(values, np.float64) / bound + 1) / 2, np.float64)


def _counted(values: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return the distinct values, rising, and how often each occurs."""
    array = np.asarray(values, np.float64).ravel()
    wrong = array[~((array >= 0) & (array <= 1))]
    if len(wrong):
        raise ValueError(f"expected values in [0, 1], one per unit, got {wrong[0]:g}")
    distinct, counts = np.unique(array, return_counts=True)
    return distinct.astype(np.float64), counts.astype(np.float64)


def _thinned(knots: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Keep at most 128 values, each other one split between its neighbours."""
    if len(knots) <= _MOST_KNOTS:
        return knots, counts
    kept = knots[np.linspace(0, len(knots) - 1, _MOST_KNOTS).round().astype(np.intp)]
    lower, upper_part = split_between(knots, kept)
    weights = np.bincount(lower, counts * (1 - upper_part), minlength=_MOST_KNOTS)
    weights += np.bincount(lower + 1, counts * upper_part, minlength=_MOST_KNOTS)
    return kept, weights.astype(np.float64)


def _node_count(units: float) -> int:
    return min(max(math.ceil(_NODES_PER_ROOT_UNIT * math.sqrt(units)), _FEWEST_NODES), _MOST_NODES)


def _log_factors(knots: Floats, mean: float, nodes: int) -> Floats:
    """Return the logarithm of each value's factor at each node, shape (K, J)."""
    rates = np.sin(np.pi * (2 * np.arange(nodes) + 1) / (4 * nodes)) ** 2
    return np.log(np.outer(knots, rates / mean) + np.outer(1 - knots, (1 - rates) / (1 - mean)))


def _log_mean_exp(exponents: Floats) -> Floats:
    """Return the logarithm of the mean over the last axis."""
    largest = exponents.max(axis=-1, keepdims=True)
    sums = np.exp(exponents - largest).mean(axis=-1)
    return np.asarray(np.log(sums) + largest[..., 0])
