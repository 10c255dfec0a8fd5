"""Measures of how well something predicts, with intervals."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = [
    "CONFIDENCE",
    "Estimate",
    "Measured",
    "area",
    "area_of_cells",
    "area_within",
    "explained",
    "explained_within",
    "share_within",
]

CONFIDENCE = 0.95

Floats = npt.NDArray[np.float64]


class Estimate(NamedTuple):
    """A measure on some rows, with the interval of the true value at ``confidence``."""

    measure: str
    value: float
    low: float
    high: float
    rows: int
    confidence: float = CONFIDENCE


class Measured(NamedTuple):
    """A measure on some rows, with the contribution of each row.

    ``influence`` has mean 0; the standard error of ``value`` is its standard deviation over the
    square root of the rows.
    """

    measure: str
    value: float
    influence: Floats

    @property
    def error(self) -> float:
        """The standard error."""
        return float(self.influence.std() / math.sqrt(len(self.influence)))

    def estimate(self, confidence: float = CONFIDENCE) -> Estimate:
        """Return the measure with a normal interval."""
        reach = deviations(confidence) * self.error
        low, high = self.value - reach, min(self.value + reach, 1.0)
        return Estimate(self.measure, self.value, low, high, len(self.influence), confidence)


def deviations(confidence: float) -> float:
    """Return the half-width of a two-sided normal interval, in standard errors."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def share_within(hits: float, rows: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Compute the Wilson score interval of a share, which also holds near 0 and 1.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    J. Amer. Statist. Assoc. 22 (1927).

    >>> low, high = share_within(0, 100)
    >>> low, round(high, 3)
    (0.0, 0.037)
    """
    if rows == 0:
        return 0.0, 1.0
    z, share = deviations(confidence), hits / rows
    centre = share + z * z / (2 * rows)
    reach = z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    scale = 1 + z * z / rows
    low = 0.0 if hits <= 0 else (centre - reach) / scale
    return low, 1.0 if hits >= rows else (centre + reach) / scale


def area_within(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """Compute an interval for an AUC from the sizes of the classes alone.

    For any distributions, the variance of an AUC of A is at most A (1 - A) / min(m, n), which is
    the variance of a share in min(m, n) draws; so the interval of that share is used. It is rather
    too wide than too narrow, and it does not become a point at AUC 1.

    Source: Z. W. Birnbaum and O. M. Klose, "Bounds for the variance of the Mann-Whitney
    statistic", Ann. Math. Statist. 28 (1957).
    """
    fewest = min(positives, negatives)
    return share_within(value * fewest, fewest)


def explained_within(value: float, rows: int) -> tuple[float, float]:
    """Compute an interval for an R2, by Fisher's transformation of its root, the correlation.

    Source: R. A. Fisher, "On the probable error of a coefficient of correlation", Metron 1 (1921).
    """
    if rows <= 3 or value <= 0:
        return 0.0, 1.0 if rows <= 3 else max(value, 0.0)
    if value >= 1:
        return 1.0, 1.0
    centre, reach = math.atanh(math.sqrt(value)), deviations(CONFIDENCE) / math.sqrt(rows - 3)
    return max(math.tanh(centre - reach), 0.0) ** 2, math.tanh(centre + reach) ** 2


def area_of_cells(scores: Floats, positives: Floats, negatives: Floats) -> float:
    """Compute the AUC of rows that were counted by score.

    It is the probability that a positive scores higher than a negative; ties count half.
    """
    _, places = np.unique(scores, return_inverse=True)
    positives_by_score, negatives_by_score = (
        np.bincount(places, positives),
        np.bincount(places, negatives),
    )
    below = np.cumsum(negatives_by_score) - negatives_by_score
    return float(
        (positives_by_score * (below + negatives_by_score / 2)).sum()
        / (positives_by_score.sum() * negatives_by_score.sum())
    )


def area(positive: npt.NDArray[np.bool_], scores: Floats) -> Measured:
    """Compute the AUC of scores, with each row's contribution (DeLong's placements).

    Source: E. R. DeLong, D. M. DeLong, D. L. Clarke-Pearson, "Comparing the areas under two or
    more correlated receiver operating characteristic curves", Biometrics 44 (1988).
    """
    positive_scores, negative_scores = scores[positive], scores[~positive]
    above = _placements(positive_scores, np.sort(negative_scores))
    below = 1 - _placements(negative_scores, np.sort(positive_scores))
    value = float(above.mean())
    influence = np.empty(len(scores))
    share = len(positive_scores) / len(scores)
    influence[positive] = (above - value) / share
    influence[~positive] = (below - value) / (1 - share)
    return Measured("AUC", value, influence)


def explained(truth: Floats, predicted: Floats) -> Measured:
    """Compute R2, with each row's contribution (the delta method on its two means)."""
    errors, spread = (truth - predicted) ** 2, (truth - truth.mean()) ** 2
    ratio = errors.mean() / spread.mean()
    influence = (ratio * (spread - spread.mean()) - (errors - errors.mean())) / spread.mean()
    return Measured("R2", float(1 - ratio), influence)


def _placements(values: Floats, among: npt.NDArray[Any]) -> Floats:
    """Return, for each value, the share of ``among`` below it; ties count half."""
    low, high = (np.searchsorted(among, values, side) for side in ("left", "right"))
    placements: Floats = (low + high) / (2 * len(among))
    return placements
