"""Check for holdout rows from the time of the training data, whose score is not a forecast."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.leakage.encodings import datetimes
from gnomon.leakage.finding import LeakageEvidence, LeakageFinding, unknown
from gnomon.leakage.labelled_table import LabelledTable
from gnomon.leakage.measures import CONFIDENCE, share_within

__all__ = ["CHECK", "check_overlap", "is_later"]

CHECK = "time overlap"

FEW = 0.01
"""The share of holdout rows that may be before the last training row, to allow a few late records.
"""

Times = npt.NDArray[np.datetime64]


def check_overlap(train: LabelledTable, holdout: LabelledTable) -> list[LeakageFinding]:
    """Find holdout rows that are not after the training data, by their event times."""
    if train.event_time is None or train.event_time not in holdout.frame:
        return []
    left, right = _times(train), _times(holdout)
    if not len(left) or not len(right):
        return [
            unknown(
                CHECK,
                f"inconclusive whether the holdout is later: `{train.event_time}` is not a "
                "timestamp with values on both sides",
                0,
                "give both sides timestamps",
            )
        ]
    hits = int((right < left.max()).sum())
    least, most = share_within(hits, len(right))
    if least <= FEW:
        return []
    return [_finding(left, right, hits, (least, most))]


def is_later(train: LabelledTable, holdout: LabelledTable) -> bool:
    """Whether event times show that the holdout comes after the training data."""
    if train.event_time is None:
        return False
    left, right = _times(train), _times(holdout)
    return bool(len(left) and len(right) and (right < left.max()).mean() <= FEW)


def _finding(left: Times, right: Times, hits: int, within: tuple[float, float]) -> LeakageFinding:
    before = right.max() < left.min()
    span = f"{_date(left.min())} to {_date(left.max())}"
    what = (
        f"the entire holdout is before the training data, which covers {span}"
        if before
        else f"{hits:,} of {len(right):,} rows of the holdout are not after the training data, "
        f"which covers {span}"
    )
    return LeakageFinding(
        check=CHECK,
        features=(),
        severity="suspect",
        sentence=what,
        evidence=LeakageEvidence(
            rows=len(right),
            hits=hits,
            measure="share of rows",
            value=hits / len(right),
            low=within[0],
            high=within[1],
            confidence=CONFIDENCE,
            examples=(f"holdout from {_date(right.min())} to {_date(right.max())}",),
        ),
        action="train on what was before the holdout, as it will be online; a model that has seen "
        "the same days has also seen their weather, prices and news",
    )


def _times(table: LabelledTable) -> Times:
    column: pd.Series[Any] = table.column(str(table.event_time))
    if not pd.api.types.is_datetime64_any_dtype(column.dtype):
        return np.array([], "datetime64[us]")
    times = datetimes(column)
    return times[~np.isnat(times)]


def _date(time: np.datetime64) -> str:
    return str(time.astype("datetime64[m]")).replace("T", " ")
