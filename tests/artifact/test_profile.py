"""The training profile."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from gnomon.artifact import Artifact, profile
from gnomon.contract import infer_contract


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], dict[str, Any]]:
    """The profile of a small pipeline, by kind and name."""
    frame = pd.DataFrame(
        {
            "number": [*range(100), None],
            "carrier": ["UA"] * 60 + ["AA"] * 40 + ["B6"],
            "code": [f"N{i:03}" for i in range(101)],
            "at": pd.date_range("2013-01-01", periods=101, freq="h", tz="UTC", unit="us"),
        }
    )
    keep = FunctionTransformer(keep_number)
    pipeline = Pipeline([("keep", keep), ("model", LogisticRegression())])
    pipeline.fit(frame, frame["carrier"] == "UA")
    contract = infer_contract(frame, task="classification", classes=[False, True])
    table = profile.profile(pipeline, frame, contract)
    assert table.schema == profile.SCHEMA
    return {(row["kind"], row["name"]): row for row in table.to_pylist()}


def keep_number(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["number"]].fillna(-1.0)


def test_it_covers_inputs_the_models_features_and_outputs(rows: dict[Any, Any]) -> None:
    """One row for each."""
    names = [name for kind, name in rows if kind == "output"]
    assert names == ["prediction", "probability_false", "probability_true"]
    assert [name for kind, name in rows if kind == "input"] == ["number", "carrier", "code", "at"]
    assert [name for kind, name in rows if kind == "step"] == ["keep/number"]


def test_numbers_are_counted_between_quantiles(rows: dict[Any, Any]) -> None:
    """Twenty bins of five values each; nulls are counted separately."""
    number = rows["input", "number"]
    assert number["counts"] == [5] * 20
    assert len(number["edges"]) == 19
    assert (number["rows"], number["nulls"]) == (101, 1)
    assert (number["minimum"], number["maximum"], number["mean"]) == (0, 99, 49.5)


def test_a_value_on_an_edge_is_in_the_bin_above() -> None:
    """The same rule as in the schema, so that later counts use the same bins."""
    values = np.repeat(np.arange(40.0), 5)
    found = profile._number(values)
    again = np.bincount(np.digitize(values, found["edges"]))
    assert found["counts"] == again.tolist()


def test_a_number_of_few_values_has_a_bin_for_each() -> None:
    """A rare 1 among zeros, as in a one-hot column, has its own bin."""
    found = profile._number(np.array([0.0] * 98 + [1.0] * 2))
    assert (found["edges"], found["counts"]) == ([1.0], [98, 2])
    constant = profile._number(np.array([7.0] * 3))
    assert (constant["edges"], constant["counts"]) == ([], [3])


def test_everything_else_is_counted_by_value(rows: dict[Any, Any]) -> None:
    """Most frequent first, the last count is for all others."""
    carrier = rows["input", "carrier"]
    assert carrier["values"] == ["UA", "AA", "B6"]
    assert carrier["counts"] == [60, 40, 1, 0]
    assert carrier["edges"] is None


def test_rare_values_are_counted_together(rows: dict[Any, Any]) -> None:
    """Only the most frequent values are named."""
    code = rows["input", "code"]
    assert len(code["values"]) == 50
    assert code["counts"][-1] == 51


def test_timestamps_are_counted_in_seconds(rows: dict[Any, Any]) -> None:
    """Bins of time, as seconds since 1970."""
    at = rows["input", "at"]
    assert at["minimum"] == pd.Timestamp("2013-01-01", tz="UTC").timestamp()
    assert sum(at["counts"]) == 101


def test_a_time_that_means_for_ever_is_counted() -> None:
    """9999-12-31 has more microseconds since 1970 than a float holds exactly."""
    times = [dt.datetime(9999, 12, 31, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, tzinfo=dt.UTC), None]
    seconds = profile.as_numbers(pa.array(times, pa.timestamp("us", "UTC")))
    assert seconds is not None
    assert seconds[:2].tolist() == [253402214400.0, 1704067200.0]
    assert np.isnan(seconds[2])


def test_booleans_are_counted_by_value(rows: dict[Any, Any]) -> None:
    """A label is a value."""
    assert set(rows["output", "prediction"]["values"]) <= {"true", "false"}


def test_a_column_of_nulls_has_no_bins() -> None:
    """Its nulls are counted."""
    found = profile._number(np.array([np.nan, np.nan]))
    assert (found["rows"], found["nulls"], found["edges"], found["counts"]) == (2, 2, [], [0])


def test_an_artifact_carries_it(packed: Artifact) -> None:
    """It is read back as it was written."""
    table = packed.profile()
    assert table.schema == profile.SCHEMA
    assert ("input", "wind") in set(
        zip(table["kind"].to_pylist(), table["name"].to_pylist(), strict=True)
    )
