"""The rules by which two columns of a step's output agree, in values and types."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["agree", "epsilon", "type_family"]

Numbers = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

_FAMILIES = (
    (re.compile(r"u?int\d+|float\d+|complex\d+|bool"), "number"),
    (re.compile(r"object|str.*|<?[US]\d+|[|><=][US]\d+"), "text"),
    (re.compile(r"U?Int\d+"), "nullable integer"),
    (re.compile(r"Float\d+"), "nullable float"),
    (re.compile(r"category"), "category"),
    (re.compile(r"datetime64.*"), "timestamp"),
)


def agree(left: pd.Series[Any], right: pd.Series[Any], digits: float) -> Mask:
    """Return which values agree; floats must agree in a share of their digits.

    Args:
        left: one column; its type and its largest value define what a digit is.
        right: the other column, row by row.
        digits: the share, such as 0.5 for half the digits of a float.
    """
    if pd.api.types.is_float_dtype(left) and pd.api.types.is_numeric_dtype(right):
        values = left.to_numpy(np.float64, na_value=np.nan)
        others = right.to_numpy(np.float64, na_value=np.nan)
        return _near(values, others, epsilon(left, values) ** digits)
    return np.asarray(_objects(left) == _objects(right), bool)


def type_family(dtype: str) -> str:
    """Return the family of dtypes that later steps treat alike.

    Integers and floats are one family: a numpy column with a missing value has floats, the same
    column without has integers, and every estimator treats both alike. Pandas' nullable types are
    other families, and objects are not numbers.
    """
    return next((name for pattern, name in _FAMILIES if pattern.fullmatch(dtype)), dtype)


def _objects(column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """Return the values as Python objects, with every kind of null as None."""
    return column.astype(object).where(column.notna(), None).to_numpy(object)


def _near(values: Numbers, others: Numbers, share: float) -> Mask:
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):  # infinity minus infinity
        near: Mask = (values == others) | (np.abs(values - others) <= largest * share)
    return near | (np.isnan(values) & np.isnan(others))


def epsilon(column: pd.Series[Any], values: Numbers) -> float:
    """Return the epsilon of the column's type, or of the narrower type of its values."""
    known = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        narrow = bool((known == known.astype(np.float32)).all() and (known % 1).any())
    return float(np.finfo(np.float32 if narrow else str(column.dtype).lower()).eps)
