"""Hashes of rows, to find rows of one table in another: equal, or nearly equal."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.leakage import encodings

__all__ = ["exact", "found_in", "rounded"]

Hashes = npt.NDArray[np.uint64]

STEPS = 100
"""Numbers are rounded to 1/100 of a standard deviation."""


def exact(frame: pd.DataFrame) -> Hashes:
    """Hash each row. Equal rows have equal hashes, also with different dtypes; two different rows
    have equal hashes with probability 2^-64.
    """
    return _hashes({name: _as_is(column) for name, column in frame.items()}, len(frame))


def rounded(frame: pd.DataFrame, like: pd.DataFrame) -> Hashes:
    """Hash each row with its numbers and its text simplified.

    Numbers are rounded to a hundredth of ``like``'s standard deviation. In text, differences of
    case, Unicode form and spaces are removed.
    """
    parts = {name: _rounded(frame[name], like[name]) for name in frame.columns}
    return _hashes(parts, len(frame))


def found_in(hashes: Hashes, others: Hashes) -> npt.NDArray[np.bool_]:
    """Return which of the hashes are among the others."""
    return np.isin(hashes, others)


def _hashes(parts: dict[Any, Any], rows: int) -> Hashes:
    if not parts:
        return np.zeros(rows, np.uint64)
    frame = pd.DataFrame(parts)
    hashed = pd.util.hash_pandas_object(frame, index=False, categorize=True)
    return np.asarray(hashed, np.uint64)


def _as_is(column: pd.Series[Any]) -> Any:
    values = encodings.numbers(column)
    return encodings.text(column).to_numpy(object) if values is None else values + 0.0


def _rounded(column: pd.Series[Any], like: pd.Series[Any]) -> Any:
    values, others = encodings.numbers(column), encodings.numbers(like)
    if values is None or others is None:
        texts = encodings.text(column)
        plain_texts = {value: _plain(value) for value in texts.dropna().unique()}
        return texts.map(plain_texts).to_numpy(object)
    spread = float(np.nanstd(others)) if (~np.isnan(others)).any() else 0.0
    return np.round(values / (spread or 1.0) * STEPS) + 0.0


def _plain(value: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", value).casefold().split())
