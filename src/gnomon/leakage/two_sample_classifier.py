"""A classifier that separates the rows of one frame from the rows of another.

Source: D. Lopez-Paz and M. Oquab, "Revisiting classifier two-sample tests", ICLR 2017.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from gnomon.leakage import encodings
from gnomon.leakage.measures import area

__all__ = ["TwoSampleClassifier", "folds"]

FOLDS = 3
BLOCKS = 30
TREES = 40
LEAVES = 8
_SEED = 0

Floats = npt.NDArray[np.float64]
Folds = npt.NDArray[np.int64]


class TwoSampleClassifier:
    """Small boosted trees that separate two frames; each row is scored by trees not fitted on it.

    Attributes:
        both: the rows of the first frame, then those of the second.
        is_second: which rows are from the second.
        area: the AUC.
    """

    def __init__(self, first: pd.DataFrame, second: pd.DataFrame, folds: Folds) -> None:
        """
        Args:
            first: rows with only the columns by which to separate them.
            second: rows with the same columns.
            folds: the fold of each row of both.
        """
        self.both = pd.concat([first, second], ignore_index=True)
        self.is_second = np.arange(len(self.both)) >= len(first)
        self._matrix = np.column_stack([_codes(column) for _, column in self.both.items()])
        with threadpool_limits(1, "openmp"):  # more threads are slower
            self._fitted = list(self._fit(folds))
        self.area = area(self.is_second, self._scores(self._matrix))

    def losses(self) -> dict[str, float]:
        """Return, by column, the loss of AUC when it is shuffled (permutation importance)."""
        random = np.random.default_rng(_SEED)
        losses = {}
        with threadpool_limits(1, "openmp"):
            for place, name in enumerate(self.both.columns):
                shuffled = self._matrix.copy()
                shuffled[:, place] = random.permutation(shuffled[:, place])
                losses[str(name)] = (
                    self.area.value - area(self.is_second, self._scores(shuffled)).value
                )
        return losses

    def _fit(self, folds: Folds) -> Iterator[tuple[npt.NDArray[np.bool_], Any]]:
        for fold in range(FOLDS):
            held_out = folds == fold
            model = HistGradientBoostingClassifier(
                max_iter=TREES, max_leaf_nodes=LEAVES, early_stopping=False, random_state=_SEED
            )
            yield held_out, model.fit(self._matrix[~held_out], self.is_second[~held_out])

    def _scores(self, matrix: Floats) -> Floats:
        scores = np.empty(len(matrix))
        for held_out, model in self._fitted:
            scores[held_out] = model.predict_proba(matrix[held_out])[:, 1]
        return scores


def folds(order: npt.NDArray[Any]) -> Folds:
    """Assign each row a fold, by blocks of neighbours in this order.

    Rows of one hour share, for instance, weather and prices. If neighbouring rows were in different
    folds, the classifier would learn to recognise the hour instead of the difference.

    Args:
        order: a number for each row, such as its time.
    """
    fold_of_row = np.empty(len(order), np.int64)
    fold_of_row[np.argsort(order, kind="stable")] = (
        np.arange(len(order)) * BLOCKS // len(order) % FOLDS
    )
    return fold_of_row


def _codes(column: pd.Series[Any]) -> Floats:
    """Return numbers unchanged, and other values as their rank by frequency.

    This order of values is good enough for trees.
    """
    values = encodings.numbers(column)
    if values is not None:
        return values
    coded = encodings.codes(encodings.text(column))[0]
    counts = np.bincount(coded)
    places = np.empty(len(counts))
    places[np.argsort(-counts, kind="stable")] = np.arange(len(counts))
    return np.where(column.isna(), np.nan, places[coded])
