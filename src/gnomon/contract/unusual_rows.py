"""Rows that training may not have had but requests may: all null, all whole, never seen."""

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
    """Variants of a row of the frame, each as the pipeline would get it from a request.

    One with every nullable feature null, one with every number whole, one with every category a
    value that training did not have, and one with every other text so. What the contract refuses
    is not among them, nor is a variant that changes nothing.

    Args:
        nulls: whether the one with nulls is among them.
    """
    row = _fullest(frame, contract)
    changes: tuple[Change, ...] = (_whole, _unseen_category, _unseen_text)
    variants = [
        {feature.name: change(feature, row[feature.name]) for feature in contract.features}
        for change in ((_null, *changes) if nulls else changes)
    ]
    made = [variant for variant in variants if variant != row]
    return as_trained(pa.RecordBatch.from_pylist(made, schema=contract.input_schema), contract)


def unseen_rows(frame: pd.DataFrame, contract: Contract, most: int) -> Iterator[tuple[str, Any]]:
    """By feature, a row as the pipeline is called with it, in which the feature is a category or
    text that training did not have.

    Args:
        most: of the features that take any, so many are tried.
    """
    row = _fullest(frame, contract)
    open_ = [
        f for f in contract.features if f.type in _TEXT and f.outside == "allow" and not f.carried
    ]
    for feature in open_[:most]:
        made = pa.RecordBatch.from_pylist(
            [row | {feature.name: NEVER_SEEN}], schema=contract.input_schema
        )
        yield feature.name, to_input(made, contract)


def _fullest(frame: pd.DataFrame, contract: Contract) -> dict[str, Any]:
    """The row with the fewest nulls, as a request has it."""
    fewest = int(np.argmin(frame.isna().sum(axis=1).to_numpy()))
    row: dict[str, Any] = from_frame(frame.iloc[[fewest]], contract).to_pylist()[0]
    return row


def null_rows(frame: pd.DataFrame, chosen: pd.DataFrame) -> pd.DataFrame:
    """A row for each column that has nulls in the frame and none in the chosen rows, up to 16."""
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
