"""Convert columns of any dtype to numbers, codes, bins or ranks."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import rankdata

__all__ = [
    "bins",
    "codes",
    "datetimes",
    "is_unique",
    "numbers",
    "ranks",
    "short",
    "text",
    "timestamps",
]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

UNIQUE = 0.9
"""The share of distinct values from which a column counts as an identifier of rows."""


def numbers(column: pd.Series[Any]) -> Floats | None:
    """Convert numbers to floats and timestamps to seconds; null and infinity become NaN.

    None for a column that holds anything else.
    """
    dtype = column.dtype
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return _seconds(column)
    if dtype.kind == "c" or not pd.api.types.is_numeric_dtype(dtype):
        return None
    values = column.to_numpy(np.float64, na_value=np.nan)
    return np.where(np.isfinite(values), values, np.nan)


def codes(column: pd.Series[Any]) -> tuple[Codes, int]:
    """Return a code for each value, null included, and the number of distinct values."""
    try:
        codes_of_rows, values = pd.factorize(column, use_na_sentinel=False)
    except TypeError:  # unhashable values such as lists
        codes_of_rows, values = pd.factorize(column.astype(str), use_na_sentinel=False)
    return codes_of_rows.astype(np.int64), len(values)


def bins(values: Floats, most: int) -> tuple[Codes, int]:
    """Assign values to bins with about equal numbers of rows; nulls have a separate bin."""
    known = values[~np.isnan(values)]
    if not len(known):
        return np.zeros(len(values), np.int64), 1
    edges = np.unique(np.quantile(known, np.linspace(0, 1, most + 1)[1:-1]))
    places = np.searchsorted(edges, values, side="right")
    places[np.isnan(values)] = len(edges) + 1
    return places.astype(np.int64), len(edges) + 2


def ranks(values: Any) -> Floats:
    """Return ranks; ties get their mean rank."""
    return np.asarray(rankdata(values), np.float64)


def text(column: pd.Series[Any]) -> pd.Series[Any]:
    """Convert values to text; nulls stay null."""
    return column.astype("str").where(column.notna())


def short(value: Any) -> str:
    """Write a value for readers, in at most 40 characters."""
    shortened = f"{value:.6g}" if isinstance(value, float) else str(value)
    return shortened if len(shortened) <= 40 else shortened[:39] + "…"


def is_unique(column: pd.Series[Any]) -> bool:
    """Whether a column of whole numbers or text has a different value in almost every row."""
    is_integer = pd.api.types.is_integer_dtype(column.dtype)
    if not is_integer and numbers(column) is not None:
        return False
    known = column.dropna()
    return len(known) > 1 and codes(known)[1] >= UNIQUE * len(known)


def timestamps(column: pd.Series[Any]) -> pd.Series[Any] | None:
    """Return a column of timestamps, parsed from text if all of it is ISO 8601; else None."""
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        return column
    known = column.dropna()
    if numbers(column) is not None or not all(_ISO.match(str(value)) for value in known[:20]):
        return None
    try:
        parsed = pd.to_datetime(text(column), format="ISO8601")
    except ValueError:
        return None
    return parsed if len(known) and pd.api.types.is_datetime64_any_dtype(parsed.dtype) else None


_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?$")


def datetimes(column: pd.Series[Any], *, wall: bool = False) -> npt.NDArray[np.datetime64]:
    """Return timestamps in microseconds, in UTC or, with ``wall``, in the local time of their zone.

    A column without a zone is not converted.
    """
    if column.dt.tz is not None:
        column = column.dt.tz_localize(None) if wall else column.dt.tz_convert(None)
    return column.to_numpy().astype("datetime64[us]")


def _seconds(column: pd.Series[Any]) -> Floats:
    values = datetimes(column)
    seconds = values.astype(np.int64) / 1e6
    seconds[np.isnat(values)] = np.nan
    return np.asarray(seconds, np.float64)
