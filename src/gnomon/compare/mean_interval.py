"""Anytime-valid intervals for the mean of a bounded value per unit, such as a share per entity."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gnomon.compare.e_values import log_e_values
from gnomon.compare.sequential import Interval, more_until, outer_edge
from gnomon.compare.two_way import combined_evidence

__all__ = [
    "clustered_interval",
    "difference_interval",
    "mean_interval",
    "split_between",
    "units_needed_to_tell",
    "units_still_needed",
]

Floats = npt.NDArray[np.float64]
Weighted = tuple[npt.ArrayLike, npt.ArrayLike | None]
"""Values, and how many units have each, or one unit for each."""

_STEPS = 26
"""Ends are rounded outward by at most 1e-7."""
_MOST_KNOTS = 128
"""Distinct values that are told apart, so that 100,000 units take a fraction of a second."""


def mean_interval(
    values: npt.ArrayLike, confidence: float, *, counts: npt.ArrayLike | None = None
) -> Interval:
    """Compute the confidence sequence for the mean of values in [0, 1], one per unit.

    With the stated probability the true mean is in *every* interval of the sequence, after each
    number of units, so looking often and stopping at any time does not increase the error. The
    values need not be independent of what they are made of: rows of one entity may repeat each
    other in any way, as long as the units are independent draws of one distribution.

    The interval is every m for which M_n(m) of `log_e_values` has not reached 1 / (1 - confidence).
    At the mean of the values it is at most 1, by the inequality of arithmetic and geometric means,
    and from there it rises, so each end is found by bisection. Beyond 128 distinct values, each is
    replaced by a mixture of its two neighbours among 128 that has the same mean. The logarithm of a
    factor is concave in X, so this can only widen the interval.

    **Values that still change.** The promise is of units whose value is final when first used. The
    share of an entity of which more rows come later is not: then M_n is recomputed, not multiplied.
    At any one look that was chosen beforehand the error is still at most 1 - confidence; over many
    looks it is not: where 80 new customers come each week and all come back, 11% of the verdicts of
    half a year are wrong instead of 5%. So gates give this function values that are settled
    (:mod:`gnomon.rollout.evidence.settling`).

    **Means that drift.** Whether a fixed limit is in the interval is a statement about the average
    of the true means so far, with the same promise: see `log_e_values`.

    Args:
        values: at least one for each unit or, with ``counts``, for each distinct value.
        confidence: the probability.
        counts: how many units have each value, also in parts; by default one.

    Raises:
        ValueError: a value is not in [0, 1].

    >>> mean_interval([], 0.95)
    Interval(low=0.0, high=1.0)
    >>> low, high = mean_interval([0, 0.5, 0, 0.1] * 250, 0.95)
    >>> round(low, 3), round(high, 3)
    (0.129, 0.172)
    >>> low, high = mean_interval([0, 1], 0.95, counts=[980, 20])
    >>> round(low, 3), round(high, 3)
    (0.009, 0.038)
    """
    return clustered_interval([_counted(values, counts)], None, confidence)


def difference_interval(
    values: npt.ArrayLike,
    bound: float,
    confidence: float,
    *,
    clusters: npt.ArrayLike | None = None,
) -> Interval:
    """Compute the confidence sequence for the mean of values in [-bound, bound], one per unit.

    With ``clusters``, the values of units of another kind made of the same rows, the evidence of
    both is combined, without taking off what both contain: it is a little too wide.

    It is `mean_interval` on another scale. For differences of only -1, 0 and 1 it excludes 0
    exactly if `rate_interval` of the positive ones among those that are not 0 excludes 1/2: there a
    unit of 0 has factor 1, so it is McNemar's test as a confidence sequence (Q. McNemar,
    Psychometrika 12, 1947).

    Raises:
        ValueError: a value is beyond the bound.

    >>> low, high = difference_interval([0, 0, 0, -1, 0, 0, 1, 0] * 250, 1, 0.95)
    >>> round(low, 3), round(high, 3)
    (-0.04, 0.04)
    """
    sides = [values] if clusters is None else [values, clusters]
    kinds: list[Weighted] = [(_to_unit_scale(side, bound), None) for side in sides]
    low, high = clustered_interval(kinds, None, confidence)
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


def clustered_interval(
    kinds: Sequence[Weighted], rows: Weighted | None, confidence: float
) -> Interval:
    """Compute the interval of a mean from units of several kinds, as `combined_evidence` does.

    Args:
        kinds: the values and how many units have each, of each kind of unit.
        rows: the same of the rows; without them what several kinds have in common is not taken off.
        confidence: the probability.
    """
    counted = [_counted(*kind) for kind in kinds]
    if not all(len(values) for values, _ in counted):
        return Interval(0.0, 1.0)
    means = [float(np.average(values, weights=counts)) for values, counts in counted]
    few = [_thinned(*kind) for kind in counted]
    of_rows = None if rows is None else _counted(*rows)
    limit = -math.log1p(-confidence)

    def excluded(candidate: float) -> bool:
        # One value above 0 rules out a mean of 0, and one below 1 a mean of 1.
        if candidate in (0.0, 1.0):
            return all((values != candidate).any() for values, _ in counted)
        evidence = [log_e_values(counts, values, candidate) for values, counts in few]
        if len(evidence) > 1:
            rows_alone = 0.0 if of_rows is None else log_e_values(*of_rows[::-1], candidate)
            evidence = [combined_evidence(evidence, rows_alone)]
        return float(evidence[0]) >= limit

    return Interval(
        outer_edge(0.0, min(means), excluded, steps=_STEPS),
        outer_edge(1.0, max(means), excluded, steps=_STEPS),
    )


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


def units_still_needed(
    values: npt.ArrayLike,
    limit: float,
    confidence: float,
    *,
    counts: npt.ArrayLike | None = None,
) -> int | None:
    """Estimate how many more units decide on which side of a limit the mean is.

    The values seen so far are taken as the distribution; without any, all are taken as 0. None if
    more than a billion are needed.

    >>> units_still_needed([], 0.05, 0.95)
    92
    """
    knots, weights = _thinned(*_counted(values, counts))
    units = float(weights.sum())
    if not units:
        knots, weights = np.zeros(1), np.ones(1)
    if not 0 < limit < 1:
        return None if (knots <= limit).all() else 0
    per_unit, threshold = weights / weights.sum(), -math.log1p(-confidence)
    return more_until(
        lambda total: float(log_e_values(total * per_unit, knots, limit)) >= threshold,
        round(units),
    )


def _to_unit_scale(values: npt.ArrayLike, bound: float) -> Floats:
    return np.asarray((np.asarray(values, np.float64) / bound + 1) / 2, np.float64)


def _counted(values: npt.ArrayLike, counts: npt.ArrayLike | None) -> tuple[Floats, Floats]:
    """Return the distinct values, rising, and how many units have each."""
    array = np.asarray(values, np.float64).ravel()
    weights = np.ones(len(array)) if counts is None else np.asarray(counts, np.float64).ravel()
    array, weights = array[weights > 0], weights[weights > 0]
    wrong = array[~((array >= 0) & (array <= 1))]
    if len(wrong):
        raise ValueError(f"expected values in [0, 1], one per unit, got {wrong[0]:g}")
    distinct, places = np.unique(array, return_inverse=True)
    return distinct, np.bincount(places, weights, minlength=len(distinct)).astype(np.float64)


def _thinned(knots: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Keep at most 128 values, each other one split between its neighbours."""
    if len(knots) <= _MOST_KNOTS:
        return knots, counts
    kept = knots[np.linspace(0, len(knots) - 1, _MOST_KNOTS).round().astype(np.intp)]
    lower, upper_part = split_between(knots, kept)
    weights = np.bincount(lower, counts * (1 - upper_part), minlength=_MOST_KNOTS)
    weights += np.bincount(lower + 1, counts * upper_part, minlength=_MOST_KNOTS)
    return kept, weights.astype(np.float64)
