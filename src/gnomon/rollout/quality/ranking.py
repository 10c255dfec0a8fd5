"""The area under the ROC curve of live and a shadow on the same rows, with intervals."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from gnomon.compare.sequential import Interval
from gnomon.rollout.quality.metric_comparison import PairedAuc

__all__ = ["paired_auc"]

Floats = npt.NDArray[np.float64]


def paired_auc(
    live: npt.ArrayLike,
    shadow: npt.ArrayLike,
    positive: npt.ArrayLike,
    units: npt.ArrayLike,
    confidence: float = 0.95,
) -> PairedAuc | None:
    """Compare two rankings of the same rows, which may repeat each other within a unit.

    Each row has a component: of a positive row the share of negative ones that are ranked below
    it, of a negative row the share of positive ones above it; half of those with the same score.
    The variance is that of their sums over units. With one row per unit it is that of E. DeLong, D.
    DeLong, D. Clarke-Pearson, *Biometrics* 44 (1988); with more, of N. Obuchowski, *Biometrics* 53
    (1997).

    Args:
        live: scores, shape (n,).
        shadow: scores, shape (n,).
        positive: whether the label is the positive class, shape (n,).
        units: the number of each row's unit, from 0, shape (n,).
        confidence: of the interval, from a normal distribution.

    Returns:
        None with fewer than two units of either kind.

    >>> found = paired_auc([0.1, 0.4, 0.3, 0.8], [0.1, 0.2, 0.3, 0.8], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> found.live, found.shadow
    (0.75, 1.0)
    """
    yes, of = np.asarray(positive, np.bool_), np.asarray(units, np.int64)
    if min(len(np.unique(of[yes])), len(np.unique(of[~yes]))) < 2:
        return None
    components = [_components(np.asarray(scores, np.float64), yes) for scores in (live, shadow)]
    areas = [float(component[yes].mean()) for component in components]
    difference = areas[1] - areas[0]
    error = math.sqrt(_variance(components[1] - components[0] - difference, yes, of))
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * error
    return PairedAuc(
        live=areas[0],
        shadow=areas[1],
        difference=difference,
        interval=Interval(max(difference - reach, -1.0), min(difference + reach, 1.0)),
        positives=int(yes.sum()),
        negatives=int((~yes).sum()),
    )


def _components(scores: Floats, yes: npt.NDArray[np.bool_]) -> Floats:
    """Return the component of each row."""
    found = np.empty(len(scores))
    for of, others in ((yes, np.sort(scores[~yes])), (~yes, np.sort(scores[yes]))):
        below = np.searchsorted(others, scores[of], "left")
        up_to = np.searchsorted(others, scores[of], "right")
        found[of] = (below + up_to) / 2 / len(others)
    found[~yes] = 1 - found[~yes]
    return found


def _variance(centred: Floats, yes: npt.NDArray[np.bool_], units: npt.NDArray[np.int64]) -> float:
    """Return the variance of the mean of components, by their sums over units."""
    count = int(units.max()) + 1
    sums = [np.bincount(units[of], centred[of], minlength=count) for of in (yes, ~yes)]
    rows = [int(of.sum()) for of in (yes, ~yes)]
    found = 0.0
    for total, size, of in zip(sums, rows, (yes, ~yes), strict=True):
        groups = len(np.unique(units[of]))
        found += groups / (groups - 1) * float((total**2).sum()) / size**2
    groups = len(np.unique(units))
    found += 2 * groups / (groups - 1) * float((sums[0] * sums[1]).sum()) / (rows[0] * rows[1])
    return max(found, 0.0)
