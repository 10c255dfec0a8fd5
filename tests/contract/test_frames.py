"""Batches into the frames of training, and back."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.contract import Decoder, Feature, from_frame, infer_contract, to_frame
from gnomon.errors import ContractError
from tests.contract.strategies import contract, contracts, records

ROWS = 6
TRAINING = pd.DataFrame(
    {
        "integer": np.arange(ROWS),
        "byte": np.arange(ROWS, dtype="int8"),
        "unsigned": np.arange(ROWS, dtype="uint16"),
        "nullable integer": pd.array([1, None, 3] * 2, dtype="Int32"),
        "float": np.linspace(0, 1, ROWS),
        "single": np.linspace(0, 1, ROWS, dtype="float32"),
        "float with null": [1.5, None, 2.5] * 2,
        "nullable float": pd.array([1.5, None, 2.5] * 2, dtype="Float64"),
        "boolean": [True, False, True] * 2,
        "nullable boolean": pd.array([True, None, False] * 2, dtype="boolean"),
        "object boolean": pd.Series([True, None, False] * 2, dtype=object),
        "text": ["ä", "", "c"] * 2,
        "text with null": ["a", None, "c"] * 2,
        "nullable text": pd.array(["a", None, "c"] * 2, dtype="string"),
        "object": pd.Series(["a", None, "c"] * 2, dtype=object),
        "object with nan": pd.Series(["a", np.nan, "c"] * 2, dtype=object),
        "category": pd.Categorical(["b", "a", "b"] * 2, categories=["b", "unseen", "a"]),
        "ordered": pd.Categorical(["b", None, "a"] * 2, categories=["b", "a"], ordered=True),
        "local": pd.date_range("2013-03-10", periods=ROWS, freq="h", tz="America/New_York"),
        "nanoseconds": pd.date_range("2013", periods=ROWS, freq="h", tz="UTC", unit="ns"),
        "seconds": pd.DatetimeIndex(["2013", None, "2014"] * 2, tz="UTC").as_unit("s"),
        "offset": pd.DatetimeIndex(["2013-01-01T00:00:00+05:30"] * ROWS),
    }
)
CONTRACT = infer_contract(TRAINING, task="regression")


@pytest.mark.parametrize("rows", [slice(0, ROWS), slice(1, 4), slice(0, 0)])
def test_frames_come_back_as_they_were(rows: slice) -> None:
    """A training frame sent through Arrow is the same frame: dtypes, zones, units, nulls."""
    part = TRAINING.iloc[rows].reset_index(drop=True)
    back = to_frame(from_frame(part, CONTRACT), CONTRACT)
    pd.testing.assert_frame_equal(back, part, check_freq=False)


@pytest.mark.parametrize("row", range(ROWS))
def test_a_row_alone_has_the_dtypes_of_the_batch(row: int) -> None:
    """One row, null or not, is a frame of the training dtypes; integers stay integers."""
    batch = from_frame(TRAINING, CONTRACT)
    alone = to_frame(batch.slice(row, 1), CONTRACT)
    expected = TRAINING.iloc[[row]].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected, check_freq=False)


def test_frames_behave_as_pandas_own() -> None:
    """A frame built from blocks can be written to, sorted, joined and copied like any other."""
    frame = to_frame(from_frame(TRAINING, CONTRACT), CONTRACT)
    frame["float"] += 1
    frame.loc[0, "text"] = "z"
    frame["new"] = frame["integer"] * 2
    assert frame["new"].tolist() == (TRAINING["integer"] * 2).tolist()
    assert frame.sort_values("integer", ascending=False)["text"].iloc[-1] == "z"
    assert pd.concat([frame, frame]).shape == (2 * ROWS, TRAINING.shape[1] + 1)
    again = to_frame(from_frame(TRAINING, CONTRACT), CONTRACT)
    pd.testing.assert_frame_equal(again, TRAINING, check_freq=False)


def test_nulls_of_objects_are_those_of_training() -> None:
    """None stays None and NaN stays NaN: an encoder tells them apart."""
    frame = to_frame(from_frame(TRAINING, CONTRACT), CONTRACT)
    assert frame["object"][1] is None
    assert isinstance(frame["object with nan"][1], float)


def test_a_value_outside_the_categories_is_null() -> None:
    """A pandas category cannot hold a value training never saw, so it is null."""
    feature = Feature(name="c", type="category", dtype="category", domain=("b", "a"))
    batch = pa.record_batch({"c": ["a", "new", None, "b"]}, contract(feature).input_schema)
    frame = to_frame(batch, contract(feature))
    assert frame["c"].isna().tolist() == [False, True, True, False]
    assert list(frame["c"].cat.categories) == ["b", "a"]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("s", "2013-01-01T00:00:00+00:00"),
        ("ms", "2013-01-01T00:00:00.123000+00:00"),
        ("us", "2013-01-01T00:00:00.123456+00:00"),
    ],
)
def test_timestamps_are_cut_to_the_training_unit(unit: str, expected: str) -> None:
    """A column of whole seconds holds no fraction of one."""
    given_contract = contract(
        Feature(name="t", type="timestamp", dtype=f"datetime64[{unit}, UTC]", timezone="UTC")
    )
    rows = Decoder(given_contract).decode(b'{"t": "2013-01-01T00:00:00.123456Z"}').rows
    frame = to_frame(Decoder(given_contract).batch(rows), given_contract)
    assert frame["t"][0].isoformat() == expected
    assert str(frame["t"].dtype) == f"datetime64[{unit}, UTC]"


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool"])
def test_a_null_no_column_can_hold_is_refused(dtype: str) -> None:
    """A null in a plain integer or boolean column is an error, never a zero."""
    kind: Any = "boolean" if dtype == "bool" else "integer"
    given_contract = contract(Feature(name="x", type=kind, dtype=dtype))
    batch = pa.record_batch({"x": [None]}, given_contract.input_schema)
    with pytest.raises(ContractError, match="a null in `x`"):
        to_frame(batch, given_contract)


def test_a_batch_of_another_schema_is_refused() -> None:
    """Columns are taken by position, so a batch with others is an error."""
    batch = from_frame(TRAINING, CONTRACT)
    with pytest.raises(ContractError, match="input schema"):
        to_frame(batch.select(batch.schema.names[::-1]), CONTRACT)


def test_other_columns_and_the_index_are_left_out() -> None:
    """Only the features are taken from a frame, in the contract's order."""
    feature = Feature(name="x", type="integer", dtype="int64")
    frame = pd.DataFrame({"y": ["a", "b"], "x": [1, 2]}, index=[7, 3])
    batch = from_frame(frame, contract(feature))
    assert batch.to_pydict() == {"x": [1, 2]}


@pytest.mark.parametrize(
    ("kind", "dtype", "column"),
    [
        ("integer", "int64", [3.5]),
        ("integer", "int64", ["a"]),
        ("float", "float64", ["a"]),
        ("timestamp", "datetime64[us, UTC]", [object()]),
        ("timestamp", "datetime64[us, UTC]", [dt.datetime(2013, 1, 1)]),
        ("timestamp", "datetime64[us, UTC]", ["2013-01-01T00:00:00Z"]),
    ],
)
def test_a_column_its_feature_cannot_hold_is_refused(kind: Any, dtype: str, column: Any) -> None:
    """A frame that does not keep to the contract is refused by column; 3.5 is not cut to 3."""
    feature = Feature(name="x", type=kind, dtype=dtype)
    with pytest.raises(ContractError) as caught:
        from_frame(pd.DataFrame({"x": column}), contract(feature))
    assert caught.value.where == "column `x`"


def test_a_missing_column_is_refused() -> None:
    """A frame without a feature's column says which."""
    with pytest.raises(ContractError, match="no column `integer`"):
        from_frame(TRAINING.drop(columns="integer"), CONTRACT)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_record_survives_the_journey_to_pandas(data: st.DataObject) -> None:
    """JSON, rows, batch, frame and back to a batch: nothing is lost, alone or together."""
    given_contract = data.draw(contracts())
    sent = data.draw(st.lists(records(given_contract), min_size=1, max_size=4))
    decoder = Decoder(given_contract)
    batch = decoder.batch(decoder.decode(json.dumps({"rows": sent}).encode()).rows)
    frame = to_frame(batch, given_contract)
    assert from_frame(frame, given_contract) == batch
    alone = [to_frame(batch.slice(i, 1), given_contract) for i in range(len(sent))]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), frame)
