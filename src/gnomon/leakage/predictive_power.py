"""Measure how well a single column predicts the label.

Two simple models are used, of which the better one counts: the order of the values, which needs no
fitting; and the mean label of each value or bin, cross-fitted: a row is predicted from the rows of
other folds with the same value. A column that identifies rows does not repeat a value, so it
predicts nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.leakage import encodings
from gnomon.leakage.labelled_table import MOST_CLASSES, LabelledTable
from gnomon.leakage.measures import Estimate, area_of_cells, area_within, explained_within
from gnomon.tolerances import CORRELATION

__all__ = ["FEWEST_OF_A_CLASS", "FEWEST_ROWS", "LabelTarget", "target"]

FEWEST_ROWS = 30
"""With fewer rows of a regression, nothing is reported."""

FEWEST_OF_A_CLASS = 10
"""With fewer rows of a class, nothing is reported about it."""

FOLDS = 5
MOST_BINS = 64
ROWS_A_BIN = 16
_SEED = 0

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def target(table: LabelledTable) -> LabelTarget | None:
    """Return the label of a table as a target to predict; None if there are too few rows."""
    assert table.labels is not None
    kind = Classes if table.task == "classification" else Quantity
    label_target = kind(table.labels)
    return label_target if label_target.enough else None


ClassScorer = Callable[[int], float]
"""A function that scores how well a simple model predicts one of the classes."""


class LabelTarget(ABC):
    """The target that a column is to predict.

    Attributes:
        rows: how many labels there are.
        folds: the fold of each row.
        class_codes: the classes to predict; a quantity has a single one.
        enough: whether there are enough rows for a result.
    """

    rows: int
    folds: Codes
    class_codes: list[int]
    enough: bool

    def power(self, column: pd.Series[Any], *, floor: float = 0.0) -> Estimate:
        """Measure how well the column alone predicts the label.

        The measure is the AUC of the class it predicts worst, or its R2 with the label's ranks. As
        soon as a class is below ``floor``, the other classes are skipped.
        """
        codes, count = encodings.codes(column)
        repeats = 2 * count <= self.rows
        scorers = [self.by_code(codes, count)] if repeats else []
        values = encodings.numbers(column)
        if values is not None:
            scorers += self.numeric_scorers(values)
        return self._power(scorers, column.notna().to_numpy(), floor)

    def power_of_numbers(self, values: Floats) -> Estimate:
        """Measure how well numbers predict by their order and their bins, not by equal values."""
        return self._power(self.numeric_scorers(values), ~np.isnan(values), 0.0)

    def numeric_scorers(self, values: Floats) -> list[ClassScorer]:
        """Return scorers by the bins of numbers and, if at least half are known, by their order."""
        most = min(MOST_BINS, max(2, self.rows // ROWS_A_BIN))
        scorers = [self.by_code(*encodings.bins(values, most))]
        known = ~np.isnan(values)
        return [*scorers, self.by_order(values, known)] if 2 * known.sum() >= self.rows else scorers

    def _power(
        self, scorers: Sequence[ClassScorer], known: npt.NDArray[np.bool_], floor: float
    ) -> Estimate:
        worst, worst_class = np.inf, self.class_codes[0]
        for class_code in self.class_codes:
            best = max((scorer(class_code) for scorer in scorers), default=0.0)
            if best < worst:
                worst, worst_class = best, class_code
            if worst < floor:
                break
        return self.estimate(worst, worst_class, known)

    @abstractmethod
    def by_code(self, codes: Codes, count: int) -> ClassScorer:
        """Return a scorer that predicts by the cross-fitted mean label of each code."""

    @abstractmethod
    def by_order(self, values: Floats, known: npt.NDArray[np.bool_]) -> ClassScorer:
        """Return a scorer that predicts by the order of the values."""

    @abstractmethod
    def estimate(self, value: float, class_code: int, known: npt.NDArray[np.bool_]) -> Estimate:
        """Return a score with its interval."""

    @abstractmethod
    def is_copy(self, column: pd.Series[Any]) -> bool:
        """Whether the column is the label under other names or in another unit."""


class Classes(LabelTarget):
    """A label with a few classes; a column must separate each class from the others."""

    def __init__(self, labels: pd.Series[Any]) -> None:
        self.rows = len(labels)
        self.classes = pd.factorize(labels)[0]
        counts = np.bincount(self.classes)
        frequent = np.argsort(-counts, kind="stable")[:MOST_CLASSES]
        self.class_codes = [int(c) for c in frequent if counts[c] >= FEWEST_OF_A_CLASS]
        self.enough = len(self.class_codes) >= 2
        self.whole = len(self.class_codes) == len(counts)
        self.folds = self._folds()

    def _folds(self) -> Codes:
        """Assign folds with equal numbers of each class."""
        order = np.random.default_rng(_SEED).permutation(self.rows)
        turn = pd.Series(self.classes[order]).groupby(self.classes[order]).cumcount()
        folds = np.empty(self.rows, np.int64)
        folds[order] = turn.to_numpy() % FOLDS
        return folds

    def by_code(self, codes: Codes, count: int) -> ClassScorer:
        cells, sizes = codes * FOLDS + self.folds, count * FOLDS
        rows = np.bincount(cells, minlength=sizes)

        def score(class_code: int) -> float:
            hits = np.bincount(cells, self.classes == class_code, minlength=sizes).astype(float)
            rates = _out_of_fold_means(hits, rows, hits.sum() / self.rows)
            return area_of_cells(rates, hits, rows - hits)

        return score

    def by_order(self, values: Floats, known: npt.NDArray[np.bool_]) -> ClassScorer:
        values, classes = values[known], self.classes[known]

        def score(class_code: int) -> float:
            hits = classes == class_code
            if hits.all() or not hits.any():
                return 0.0
            area = area_of_cells(values, hits.astype(float), (~hits).astype(float))
            return max(area, 1 - area)

        return score

    def estimate(self, value: float, class_code: int, known: npt.NDArray[np.bool_]) -> Estimate:
        hits = self.classes[known] == class_code
        positives = int(hits.sum())
        low, high = area_within(value, positives, len(hits) - positives)
        return Estimate("AUC", value, low, high, len(hits))

    def is_copy(self, column: pd.Series[Any]) -> bool:
        codes, count = encodings.codes(column)
        pairs = len(np.unique(codes * (int(self.classes.max()) + 1) + self.classes))
        return self.whole and count == len(self.class_codes) == pairs


class Quantity(LabelTarget):
    """A numeric label; its ranks are predicted, so that a few extreme labels do not dominate."""

    def __init__(self, labels: pd.Series[Any]) -> None:
        self.rows = len(labels)
        self.class_codes = [0]
        self.labels = labels.to_numpy(np.float64, na_value=np.nan)
        self.ranks = encodings.ranks(self.labels)
        self.enough = self.rows >= FEWEST_ROWS and bool(np.ptp(self.ranks))
        self.folds = np.random.default_rng(_SEED).permutation(self.rows) % FOLDS

    def by_code(self, codes: Codes, count: int) -> ClassScorer:
        cells, sizes = codes * FOLDS + self.folds, count * FOLDS
        rows = np.bincount(cells, minlength=sizes)
        sums = np.bincount(cells, self.ranks, minlength=sizes).astype(float)
        means = _out_of_fold_means(sums, rows, self.ranks.mean())
        errors = ((self.ranks - means[cells]) ** 2).sum()
        spread = ((self.ranks - self.ranks.mean()) ** 2).sum()
        return lambda class_code: float(1 - errors / spread)

    def by_order(self, values: Floats, known: npt.NDArray[np.bool_]) -> ClassScorer:
        pair = encodings.ranks(values[known]), encodings.ranks(self.labels[known])
        if not all(map(np.ptp, pair)):
            return lambda class_code: 0.0
        correlation = np.corrcoef(*pair)[0, 1]
        return lambda class_code: float(correlation**2)

    def estimate(self, value: float, class_code: int, known: npt.NDArray[np.bool_]) -> Estimate:
        rows = int(known.sum())
        return Estimate("R2 of ranks", value, *explained_within(value, rows), rows)

    def is_copy(self, column: pd.Series[Any]) -> bool:
        values = encodings.numbers(column)
        if values is None or np.isnan(values).any() or not np.ptp(values):
            return False
        return bool(1 - abs(np.corrcoef(values, self.labels)[0, 1]) < CORRELATION)


def _out_of_fold_means(sums: Floats, rows: npt.NDArray[Any], base: float) -> Floats:
    """Return, for each cell, the mean of the same code's rows in the other folds.

    One row with the base rate is added, so that codes of one or two rows do not get extreme means.
    """
    by_code = sums.reshape(-1, FOLDS), rows.reshape(-1, FOLDS)
    others, of = (part.sum(axis=1, keepdims=True) - part for part in by_code)
    means: Floats = ((others + base) / (of + 1)).ravel()
    return means
