"""The target in the form that packing uses."""

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
    """Return a single target as a one-dimensional series or array; several as they are.

    Warns:
        DataConversionWarning: a frame or matrix of one column was given.

    Raises:
        PackRefused: it is a structured array, as for survival models, or has more than two
            dimensions.
    """
    if y is None or isinstance(y, pd.Series):
        return y
    if sparse.issparse(y):
        y = y.toarray()
    if not isinstance(y, pd.DataFrame):
        y = np.asarray(y)
        if y.dtype.names:
            raise PackRefused(
                f"y is a structured array of {', '.join(y.dtype.names)}, as for survival models",
                where="y",
                hint="leave y out to serve what `predict` returns, such as a risk score; leakage "
                "of the target is then not checked",
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
