"""Rows in any container become the same records."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gnomon.errors import InvalidRequest
from gnomon.service.client.rows import is_nameless, one_record, records

RECORDS = [{"carrier": "UA", "hour": 5}, {"carrier": None, "hour": 6}]
FRAME = pd.DataFrame(RECORDS)


@pytest.mark.parametrize(
    "rows",
    [
        RECORDS,
        tuple(RECORDS),
        FRAME,
        pa.Table.from_pylist(RECORDS),
        pa.RecordBatch.from_pylist(RECORDS),
    ],
)
def test_rows_with_names(rows: Any) -> None:
    """Lists, frames and tables; a null is None whatever kind it was."""
    assert one_record(rows) is None
    assert not is_nameless(rows)
    assert records(rows) == RECORDS


def test_a_polars_frame() -> None:
    """It is sent as a pandas frame is."""
    import polars

    assert records(polars.DataFrame(RECORDS)) == RECORDS


@pytest.mark.parametrize(
    "rows",
    [np.array([["UA", 5], [None, 6]], object), [["UA", 5], [None, 6]], [("UA", 5), (None, 6)]],
)
def test_rows_without_names(rows: Any) -> None:
    """The caller or the server names their columns."""
    assert is_nameless(rows)
    assert records(rows, ["carrier", "hour"]) == RECORDS
    with pytest.raises(InvalidRequest, match=r"each of the 3 features, got 2.*carrier, hour, day"):
        records(rows, ["carrier", "hour", "day"])


def test_a_row_of_a_frame_is_one_record() -> None:
    """The row is ``frame.iloc[1]``, with its nulls."""
    row = pd.DataFrame({"x": [1.5, np.nan], "at": [pd.Timestamp("2026-01-01", tz="UTC"), pd.NaT]})
    assert one_record(row.iloc[1]) == {"x": None, "at": None}
    assert one_record(row.iloc[0]) == {"x": 1.5, "at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("carrier=UA", r"expected rows, got builtins\.str"),
        (pd.Series([1.0, 2.0]), "expected rows, got pandas"),
        (3, "expected rows, got builtins.int"),
        (np.array([1.0, 2.0]), "two dimensions"),
        ({1, 2}, "expected rows, got builtins.set"),
    ],
)
def test_an_unsupported_type_of_rows_lists_the_supported_ones(rows: Any, message: str) -> None:
    """They are refused instead of being sent."""
    with pytest.raises(InvalidRequest, match=message) as refused:
        records(rows, ["x"])
    assert refused.value.hint
    assert ("series.to_frame()" in refused.value.hint) == isinstance(rows, pd.Series)
