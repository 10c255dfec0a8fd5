"""Probabilities corrected on labelled rows, so that 30% means three in ten there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression
from sklearn.model_selection import GroupKFold

__all__ = ["FOLDS", "Calibration", "calibrate_out_of_fold"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

FOLDS = 5
"""Reference rows are estimated by a model of the other four fifths of their entities."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A monotone correction of each class's probability.

    Attributes:
        curves: one for each class; of two classes one, for the second.
    """

    curves: tuple[Any, ...]

    @classmethod
    def fit(cls, probabilities: Floats, codes: Codes) -> Calibration:
        """Fit isotonic regressions (Zadrozny and Elkan, KDD 2002), one class against the rest.

        Args:
            probabilities: shape (n, classes), without NaN.
            codes: shape (n,), the class of each row.
        """
        classes = probabilities.shape[1]
        chosen = [1] if classes == 2 else range(classes)
        curves = []
        for place in chosen:
            curve = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
            curves.append(curve.fit(probabilities[:, place], codes == place))
        return cls(tuple(curves))

    def __call__(self, probabilities: Floats) -> Floats:
        """Return the corrected probabilities, which add up to 1; NaN where one is NaN.

        Where every class's is corrected to 0, the given ones stay.
        """
        corrected = np.full(probabilities.shape, np.nan)
        given = ~np.isnan(probabilities).any(axis=1)
        some = probabilities[given]
        if not len(some):
            return corrected
        if some.shape[1] == 2:
            second = self.curves[0].predict(some[:, 1])
            corrected[given] = np.column_stack([1 - second, second])
            return corrected
        found = np.column_stack([c.predict(some[:, i]) for i, c in enumerate(self.curves)])
        total = found.sum(axis=1, keepdims=True)
        corrected[given] = np.where(total > 0, found / np.where(total > 0, total, 1.0), some)
        return corrected


def calibrate_out_of_fold(probabilities: Floats, codes: Codes, units: Codes) -> Floats:
    """Return each row's probabilities, corrected by the rows of other units.

    Args:
        probabilities: shape (n, classes), without NaN.
        codes: shape (n,), the class of each row.
        units: shape (n,), the unit of evidence of each row; at least :data:`FOLDS` of them.
    """
    corrected = np.empty_like(probabilities)
    for others, these in GroupKFold(FOLDS).split(probabilities, groups=units):
        fitted = Calibration.fit(probabilities[others], codes[others])
        corrected[these] = fitted(probabilities[these])
    return corrected
