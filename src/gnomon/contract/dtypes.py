"""The pandas dtype of a training column, as a name in the contract and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from gnomon.contract.feature import Feature
from gnomon.errors import ContractError

__all__ = ["Dtype", "dtype_name", "training_dtype"]

Dtype = np.dtype[Any] | pd.api.extensions.ExtensionDtype


def training_dtype(feature: Feature) -> Dtype:
    """The dtype that the feature's column had in training."""
    if feature.dtype.startswith("category"):
        categories = pd.Index(list(feature.domain or ()), dtype="str")
        return pd.CategoricalDtype(categories, ordered=feature.dtype == "category[ordered]")
    if feature.dtype == "object[nan]":
        return np.dtype(object)
    return pd.api.types.pandas_dtype(feature.dtype)


def dtype_name(column: pd.Series[Any]) -> str:
    """What :class:`Feature` calls the dtype of a training column.

    Raises:
        ContractError: an object column whose nulls are of several kinds.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return "category[ordered]" if dtype.ordered else "category"
    if dtype == np.dtype(object):
        return _object_name(column)
    return str(dtype)


def _object_name(column: pd.Series[Any]) -> str:
    kinds = {type(value) for value in column[column.isna()]}
    if kinds <= {type(None)}:
        return "object"
    if kinds == {float}:
        return "object[nan]"
    raise ContractError(
        "the nulls of an object column are of several kinds: "
        + ", ".join(sorted(kind.__name__ for kind in kinds)),
        hint='make them one, for instance with .astype("str")',
    )
