"""The evidence of bounded values against a mean: the wealth of a bettor, which is an e-value."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

__all__ = ["log_e_values"]

Floats = npt.NDArray[np.float64]

_QUARTER_TURN = math.pi / 2
_FEWEST_NODES = 64
_MOST_NODES = 1 << 14
_NODES_PER_ROOT_UNIT = 4
"""With the nodes at equal distances in the angle, the integrand is a peak no narrower than
1 / (2 sqrt(n)). 4 sqrt(n) nodes on a quarter turn are 1.27 to that width, where the error of the
sum is exp(-2 pi^2 1.27^2), about 1e-14 of it (the trapezoid rule of a Gaussian)."""
_NEAR = 7 / 8
"""The part of the mixture near the mean. The rest costs log(8 / 7) = 0.13 of the 3 that a decision
at 95% needs, and excludes means far from the values after a few of them."""


def log_e_values(weights: npt.ArrayLike, knots: npt.ArrayLike, mean: float) -> Floats:
    """Compute log M_n(mean) for many samples at once.

    For each rate p,

        M_n(m, p) = product over i of (X_i p / m + (1 - X_i) (1 - p) / (1 - m))

    is the wealth of a bettor against m whose factors have mean 1 if the mean is m, so it is a
    martingale, and so is its average M_n(m) over any distribution of p that is fixed beforehand.
    By Ville's inequality, the probability that M_n(m) ever reaches 1 / alpha is at most alpha.

    With p = sin^2(a), the angle a is uniform: in 7 of 8 parts on the widest interval around the
    angle of m that stays within a quarter turn, so p is between 0 and about 4 m where m is small;
    in the eighth part on the whole quarter turn, which is the prior of Jeffreys, Beta(1/2, 1/2).
    That alone would spend most of itself on rates that a bet near m decides about just as well: for
    m = 5%, being near it is worth log(3.5) of the log(20) that a decision at 95% needs, so a
    quarter fewer units decide; for m = 1%, a third fewer.

    **Means that drift.** Let each unit have its own mean, depending in any way on those before it,
    and m be the average of the means so far. For fixed c = p (1 - m0) / (m0 (1 - p)) - 1, the
    product of (1 + c X_i) / (1 + c m_i) is a martingale, and by the inequality of arithmetic and
    geometric means it is at least the product of (1 + c X_i) / (1 + c m), whose mixture at m = m0
    is M_n(m0), and which is convex in m and at most 1 at the mean of the values. So the probability
    that M_n(limit) *ever* reaches 1 / alpha while the values are on one side of the limit and the
    average of the true means so far on the other is at most alpha.

    Args:
        weights: shape (..., K): how many units of the sample have each value, in whole units or in
            the parts that `split_between` gives.
        knots: shape (K,): the values, in [0, 1].
        mean: strictly between 0 and 1.

    Returns:
        Shape (...,).

    Sources: I. Waudby-Smith, A. Ramdas, "Estimating means of bounded random variables by betting",
    J. R. Stat. Soc. B 86 (2024), for the factors; F. Orabona, K.-S. Jun, "Tight concentrations and
    confidence sequences from the regret of universal portfolio", IEEE Trans. Inf. Theory 70 (2024),
    for the mixture; H. Robbins, Ann. Math. Statist. 41 (1970); S. Howard, A. Ramdas, J. McAuliffe,
    J. Sekhon, Ann. Statist. 49 (2021), section 3, for a mixture where a decision is expected.

    >>> limit = -math.log(0.05)
    >>> [bool(e >= limit) for e in log_e_values([[92, 0], [30, 2]], [0, 1], 0.05)]
    [True, False]
    """
    weights, knots = np.asarray(weights, np.float64), np.asarray(knots, np.float64)
    rates, log_parts = _mixture(mean, float(weights.sum(axis=-1).max(initial=0)))
    factors = np.outer(knots, rates / mean) + np.outer(1 - knots, (1 - rates) / (1 - mean))
    exponents = weights @ np.log(factors) + log_parts
    largest = exponents.max(axis=-1, keepdims=True)
    return np.asarray(np.log(np.exp(exponents - largest).sum(axis=-1)) + largest[..., 0])


def _mixture(mean: float, units: float) -> tuple[Floats, Floats]:
    """Return the rates of the mixture, and the logarithm of the part of each."""
    per_quarter_turn = min(_NODES_PER_ROOT_UNIT * math.sqrt(units), _MOST_NODES)
    centre = math.asin(math.sqrt(mean))
    reach = min(centre, _QUARTER_TURN - centre)
    near = _nodes(centre - reach, 2 * reach, per_quarter_turn)
    whole = _nodes(0.0, _QUARTER_TURN, per_quarter_turn)
    parts = np.repeat([_NEAR / len(near), (1 - _NEAR) / len(whole)], [len(near), len(whole)])
    return np.sin(np.concatenate([near, whole])) ** 2, np.log(parts)


def _nodes(start: float, width: float, per_quarter_turn: float) -> Floats:
    count = max(math.ceil(per_quarter_turn * width / _QUARTER_TURN), _FEWEST_NODES)
    return np.asarray(start + width * (np.arange(count) + 0.5) / count)
