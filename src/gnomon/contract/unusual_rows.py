"""Rows that requests may have although training may not: all null, all integers, never seen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.contract.contract import Contract, Feature
from gnomon.contract.frames import as_trained, from_frame, to_input

__all__ = ["null_rows", "unseen_rows", "unusual_rows"]

NEVER_SEEN = "never seen"

MOST_NULL_ROWS = 16

_TEXT = ("category", "string")

Change = Callable[[Feature, Any], Any]


def unusual_rows(frame: pd.DataFrame, contract: Contract, *, nulls: bool = True) -> pd.DataFrame:
    """Return variants of a row of the frame, in the form of rows from a request.

    In one every nullable feature is null; in one every number is rounded to an integer; in one
    every category, and in one every other text, has a value that training did not have. Values
    that the contract refuses are left out, and so are variants that change nothing.

    Args:
        nulls: whether to include the one with nulls.
    """
    row = _fullest_row(frame, contract)
    changes: tuple[Change, ...] = (_whole, _unseen_category, _unseen_text)
    variants = [
        {feature.name: change(feature, row[feature.name]) for feature in contract.features}
        for change in ((_null, *changes) if nulls else changes)
    ]
    changed = [variant for variant in variants if variant != row]
    return as_trained(pa.RecordBatch.from_pylist(changed, schema=contract.input_schema), contract)


def unseen_rows(frame: pd.DataFrame, contract: Contract, most: int) -> Iterator[tuple[str, Any]]:
    """Yield features, each with a pipeline input in which it has a value not seen in training.

    Args:
        most: how many of the categories and texts that accept any value to try.
    """
    row = _fullest_row(frame, contract)
    open_ = [
        f for f in contract.features if f.type in _TEXT and f.outside == "allow" and not f.carried
    ]
    for feature in open_[:most]:
        inputs = pa.RecordBatch.from_pylist(
            [row | {feature.name: NEVER_SEEN}], schema=contract.input_schema
        )
        yield feature.name, to_input(inputs, contract)


def _fullest_row(frame: pd.DataFrame, contract: Contract) -> dict[str, Any]:
    """Return the row with the fewest nulls, as in a request."""
    fewest = int(np.argmin(frame.isna().sum(axis=1).to_numpy()))
    row: dict[str, Any] = from_frame(frame.iloc[[fewest]], contract).to_pylist()[0]
    return row


def null_rows(frame: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """Return rows with nulls, at most 16: one per column that has nulls, but not in ``chosen``."""
    rows: dict[int, None] = {}
    for name in frame.columns:
        nulls = frame[name].isna().to_numpy()
        if nulls.any() and not chosen[name].isna().any():
            rows[int(np.argmax(nulls))] = None
    return frame.iloc[list(rows)[:MOST_NULL_ROWS]]


def _null(feature: Feature, value: Any) -> Any:
    return None if feature.nullable else value


def _whole(feature: Feature, value: Any) -> Any:
    whole = feature.type == "float" and value is not None and np.isfinite(value)
    return float(round(value)) if whole else value


def _unseen_category(feature: Feature, value: Any) -> Any:
    if feature.outside == "error":
        return value
    if feature.type == "integer" and feature.domain:
        return max(feature.domain) + 1  # type: ignore[operator]
    return NEVER_SEEN if feature.type == "category" else value


def _unseen_text(feature: Feature, value: Any) -> Any:
    return NEVER_SEEN if feature.type == "string" and feature.outside == "allow" else value
