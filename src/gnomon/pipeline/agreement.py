"""When two columns of a step's output agree, in their values and in their types."""

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
    """Which values are the same; of floats, in this share of their digits.

    Args:
        left: one column; its type and its largest value say what a digit is.
        right: the other, row by row.
        digits: 0.5 for half the digits of a float.
    """
    if pd.api.types.is_float_dtype(left) and pd.api.types.is_numeric_dtype(right):
        values = left.to_numpy(np.float64, na_value=np.nan)
        others = right.to_numpy(np.float64, na_value=np.nan)
        return _near(values, others, epsilon(left, values) ** digits)
    return np.asarray(_objects(left) == _objects(right), bool)


def type_family(dtype: str) -> str:
    """What a dtype is to the steps after it.

    Whole numbers and floats are one family: a column of numpy's with a hole is floats, the same
    column without is integers, and every estimator takes both alike. Pandas' nullable types are
    not, and objects are not numbers.
    """
    return next((name for pattern, name in _FAMILIES if pattern.fullmatch(dtype)), dtype)


def _objects(column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """The values as Python objects, every kind of null as None."""
    return column.astype(object).where(column.notna(), None).to_numpy(object)


def _near(values: Numbers, others: Numbers, share: float) -> Mask:
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        near: Mask = (values == others) | (np.abs(values - others) <= largest * share)
    return near | (np.isnan(values) & np.isnan(others))


def epsilon(column: pd.Series[Any], values: Numbers) -> float:
    """The epsilon of the column's type, or of the narrower type its values were computed in."""
    known = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        narrow = bool((known == known.astype(np.float32)).all() and (known % 1).any())
    return float(np.finfo(np.float32 if narrow else str(column.dtype).lower()).eps)
