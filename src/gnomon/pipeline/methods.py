"""A model's methods, and their answers as columns.

scikit-learn's estimators answer in many shapes: labels of one target or of several, probabilities
as one matrix or as a list with a matrix per target, scores for each row or each class, transformed
rows as an array, a sparse matrix or a frame. Here each becomes a list of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from gnomon.contract.feature import Role

__all__ = ["as_columns", "method", "score_method"]

Columns = list[npt.NDArray[Any]]

SCORES = ("decision_function", "score_samples")
"""Methods that score rows; the first one that a model has is used."""

_METHODS: dict[Role, tuple[str, ...]] = {
    "prediction": ("predict",),
    "probability": ("predict_proba",),
    "score": SCORES,
    "value": ("transform",),
}


def method(model: Any, role: Role) -> Callable[[Any], Any] | None:
    """Return the method of a fitted model for outputs of a kind; None if it has none."""
    for name in _METHODS[role]:
        found = getattr(model, name, None)
        if callable(found):
            answer: Callable[[Any], Any] = found
            return answer
    return None


def score_method(model: Any) -> str | None:
    """Return the name of the method that scores rows; None if there is none."""
    return next((name for name in SCORES if callable(getattr(model, name, None))), None)


def as_columns(answer: Any, rows: int | None = None) -> Columns:
    """Convert an answer to columns with a value per row: one per target, class or feature.

    Args:
        answer: what a method returned.
        rows: how many rows it was called with; some estimators, such as SparsePCA, return one row
            as a one-dimensional array.

    Raises:
        ValueError: the answer has more than two dimensions.
    """
    if isinstance(answer, list | tuple) and all(getattr(part, "ndim", 0) == 2 for part in answer):
        return [column for part in answer for column in as_columns(part)]
    if sparse.issparse(answer):
        answer = answer.toarray()
    if isinstance(answer, pd.DataFrame):
        return [np.asarray(answer.iloc[:, place]) for place in range(answer.shape[1])]
    if isinstance(answer, np.ma.MaskedArray) and answer.dtype.kind == "f":
        answer = answer.filled(np.nan)  # what is under the mask is no answer
    values = np.asarray(answer)
    if values.ndim == 1 and rows == 1:
        values = values.reshape(1, -1)
    if values.ndim == 1:
        return [values]
    if values.ndim != 2:
        raise ValueError(f"expected an answer of one or two dimensions, got {values.ndim}")
    return list(values.T)
