"""The target as packing takes it."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from gnomon.errors import PackRefused

__all__ = ["as_target"]


def as_target(y: Any, stacklevel: int) -> Any:
    """A column of one target as a series or array of one dimension; several as they are.

    Warns:
        DataConversionWarning: a frame or matrix of one column was given.

    Raises:
        PackRefused: a structured array, as survival models take; more than two dimensions.
    """
    if y is None or isinstance(y, pd.Series):
        return y
    if sparse.issparse(y):
        y = y.toarray()
    if not isinstance(y, pd.DataFrame):
        y = np.asarray(y)
        if y.dtype.names:
            raise PackRefused(
                f"y is a structured array of {', '.join(y.dtype.names)}, as survival models take",
                where="y",
                hint="leave y out to serve what `predict` gives, such as a risk score; leakage of "
                "the target is then not checked",
            )
        if y.ndim not in (1, 2):
            raise PackRefused(
                f"expected y of one or two dimensions, got {y.ndim}",
                where="y",
                hint="pass a column for each target",
            )
    if y.ndim == 2 and y.shape[1] == 1:
        warnings.warn(
            "y has one column, and is taken as one target; pass y as a Series or with y.ravel()",
            DataConversionWarning,
            stacklevel + 1,
        )
        return y.iloc[:, 0] if isinstance(y, pd.DataFrame) else y[:, 0]
    return y
