"""Anytime-valid intervals for a rate: they hold however often, and whenever, you look."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

__all__ = [
    "Interval",
    "median_ranks",
    "more_until",
    "outer_edge",
    "rate_interval",
    "rows_still_needed",
]

_PRIOR = 0.5
_STEPS = 60
_MOST_ROWS = 1_000_000_000


class Interval(NamedTuple):
    """An interval of a rate, at the requested confidence."""

    low: float
    high: float


def rate_interval(hits: int, rows: int, confidence: float) -> Interval:
    """Compute the confidence sequence for the rate of a yes-no event, after ``hits`` in ``rows``.

    With the stated probability the true rate is in *every* interval of the sequence, over all row
    counts at once, so looking often and stopping at any time does not increase the error. The price
    is width: about 1.5 to 2 times that of an interval made for one look.

    It is Robbins' method of mixtures. For each rate p,

        M_n(p) = B(a + s, a + n - s) / B(a, a) / (p^s (1 - p)^(n - s))

    averages the likelihood ratio against p over a Beta(a, a) prior, and is a martingale of mean 1
    if p is the true rate. By Ville's inequality, the probability that it ever reaches
    1 / (1 - confidence) is at most 1 - confidence. The interval is every p for which it has not.
    a = 1/2, the prior of Krichevsky and Trofimov, keeps it narrow near 0, where rates of
    disagreement usually are.

    Sources: H. Robbins, "Statistical methods related to the law of the iterated logarithm",
    Ann. Math. Statist. 41 (1970); S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, "Time-uniform,
    nonparametric, nonasymptotic confidence sequences", Ann. Statist. 49 (2021).

    Rows must be independent draws of one rate. If rows of one entity repeat each other, the
    interval is too narrow.

    >>> rate_interval(0, 0, 0.95)
    Interval(low=0.0, high=1.0)
    >>> low, high = rate_interval(20, 1000, 0.95)
    >>> round(low, 3), round(high, 3)
    (0.008, 0.041)
    """
    misses = rows - hits
    mixture = _log_beta(_PRIOR + hits, _PRIOR + misses) - _log_beta(_PRIOR, _PRIOR)
    limit = -math.log1p(-confidence)

    def excluded(rate: float) -> bool:
        # log M_n, convex in the rate with its least value at hits / rows.
        return mixture - _times_log(hits, rate) - _times_log(misses, 1 - rate) >= limit

    centre = hits / rows if rows else 0.5
    return Interval(
        0.0 if hits == 0 else outer_edge(0.0, centre, excluded),
        1.0 if misses == 0 else outer_edge(1.0, centre, excluded),
    )


def median_ranks(values: float, confidence: float) -> Interval | None:
    """Return between which shares of the sorted values the true median is, at every look at once.

    Half of all values are at or below the true median, so the share of the drawn ones that are is
    a rate of 1/2. The median is therefore between the quantiles that :func:`rate_interval` does
    not tell from 1/2, for any distribution, also with ties.

    Source: S. Howard, A. Ramdas, "Sequential estimation of quantiles with applications to A/B
    testing and best-arm identification", Bernoulli 28(3), 2022, who invert an interval of the
    distribution function likewise.

    Args:
        values: how many independent values there are, or are worth.
        confidence: of the interval.

    Returns:
        Two shares that are alike far from 1/2; None if the values are too few for an interval.

    >>> median_ranks(5, 0.95) is None
    True
    >>> low, high = median_ranks(100, 0.95)
    >>> round(low, 2), round(high, 2)
    (0.34, 0.66)
    """
    limit = -math.log1p(-confidence)

    def excluded(share: float) -> bool:
        hits = share * values
        mixture = _log_beta(_PRIOR + hits, _PRIOR + values - hits) - _log_beta(_PRIOR, _PRIOR)
        return mixture + values * math.log(2) >= limit

    if not excluded(0.0):
        return None
    low = outer_edge(0.0, 0.5, excluded)
    return Interval(low, 1 - low)


def rows_still_needed(hits: int, rows: int, limit: float, confidence: float) -> int | None:
    """Estimate how many more rows decide on which side of a limit the rate is.

    The rate found so far is taken as the true one. None if more than a billion are needed.

    >>> rows_still_needed(0, 0, 0.01, 0.95)
    680
    """
    rate = hits / rows if rows else 0.0

    def decides(total: int) -> bool:
        low, high = rate_interval(round(rate * total), total, confidence)
        return high <= limit or low > limit

    return more_until(decides, rows)


def more_until(decides: Callable[[int], bool], rows: int) -> int | None:
    """Estimate how many more rows are needed until ``decides`` is true for the total.

    If it is true for some total, it must be true for every larger one. None if more than a
    billion are needed.
    """
    total = max(rows, 1)
    while not decides(total):
        total *= 2
        if total > _MOST_ROWS:
            return None
    too_few = max(total // 2, rows)
    while total - too_few > max(total // 100, 1):  # To 1%, because it is an estimate.
        middle = (total + too_few) // 2
        if decides(middle):
            total = middle
        else:
            too_few = middle
    return total - rows


def outer_edge(
    outside: float, inside: float, excluded: Callable[[float], bool], *, steps: int = _STEPS
) -> float:
    """Find the end of the interval by bisection, rounded outward.

    Each step halves the distance from ``outside``, if that is excluded, to ``inside``, which is
    not.
    """
    if not excluded(outside):
        return outside
    for _ in range(steps):
        middle = (outside + inside) / 2
        if excluded(middle):
            outside = middle
        else:
            inside = middle
    return outside


def _times_log(count: float, rate: float) -> float:
    if count == 0:
        return 0.0
    return count * math.log(rate) if rate > 0 else -math.inf


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
