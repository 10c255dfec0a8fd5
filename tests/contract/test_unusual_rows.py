"""Rows that a request may contain although training had none."""

from __future__ import annotations

import numpy as np
import pandas as pd
from msgspec import structs

from gnomon.contract import infer_contract
from gnomon.contract.unusual_rows import NEVER_SEEN, null_rows, unusual_rows

FRAME = pd.DataFrame(
    {
        "carrier": pd.Series(["AA", "B6"] * 10, dtype="category"),
        "origin": ["EWR", "JFK"] * 10,
        "flight": [f"F{n}" for n in range(20)],
        "wind": [np.nan, 3.25] * 10,
        "distance": np.linspace(10.4, 90.4, 20),
        "seats": pd.array([None, 149] * 10, dtype="Int64"),
    }
)
CONTRACT = infer_contract(FRAME, task="regression")


def test_null_whole_and_never_seen() -> None:
    """Rows are varied from a row without nulls, and each is as a request would give it to the
    pipeline.
    """
    null, whole, category, text = (row for _, row in unusual_rows(FRAME, CONTRACT).iterrows())
    assert null[["wind", "seats"]].isna().all()
    assert null["distance"] == FRAME["distance"][1]
    assert (whole["wind"], whole["distance"]) == (3.0, 15.0)
    assert category["origin"] == NEVER_SEEN
    assert pd.isna(category["carrier"])
    assert category["flight"] == "F1"
    assert (text["flight"], text["origin"]) == (NEVER_SEEN, "JFK")


def test_dtypes_are_those_of_training() -> None:
    """All four of them together, and each alone."""
    rows = unusual_rows(FRAME, CONTRACT)
    assert rows.dtypes.tolist() == FRAME.dtypes.tolist()


def test_what_the_contract_refuses_is_not_asked() -> None:
    """No unknown origin where they are refused; no row that is as it was."""
    features = [structs.replace(f, outside="error") for f in CONTRACT.features]
    strict = structs.replace(CONTRACT, features=tuple(features))
    rows = unusual_rows(FRAME, strict)
    assert len(rows) == 2
    assert rows["origin"].tolist() == ["JFK", "JFK"]
    plain = FRAME[["origin"]]
    assert unusual_rows(plain, infer_contract(plain, task="regression"))["origin"].tolist() == [
        NEVER_SEEN
    ]


def test_every_column_with_nulls_gets_a_row_that_shows_one() -> None:
    """Unless the chosen rows do already."""
    rows = null_rows(FRAME, FRAME.iloc[[1, 3]])
    assert rows.index.tolist() == [0]
    assert null_rows(FRAME, FRAME.iloc[[0]]).empty
    many = pd.DataFrame({f"c{n}": np.where(np.arange(40) == n, np.nan, 1.0) for n in range(40)})
    assert len(null_rows(many, many.iloc[[39]].fillna(1.0))) == 16
