"""Golden rows: recorded, and run again."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gnomon.artifact import golden
from gnomon.contract import Contract, infer_contract
from gnomon.errors import GoldenMismatch


def trained() -> tuple[Pipeline, pd.DataFrame, Contract]:
    random = np.random.default_rng(8)
    frame = pd.DataFrame(
        {
            "carrier": random.choice(["UA", "AA"], size=90),
            "distance": random.integers(1, 99, size=90),
        }
    )
    columns = ColumnTransformer(
        [("carrier", OneHotEncoder(), ["carrier"]), ("distance", StandardScaler(), ["distance"])]
    )
    pipeline = Pipeline([("columns", columns), ("model", LogisticRegression())])
    pipeline.fit(frame, frame["distance"] > 50)
    contract = infer_contract(frame, task="classification", classes=[False, True])
    return pipeline, frame, contract


def test_every_step_and_answer_is_recorded() -> None:
    """Inputs, each step's columns and the outputs are there, a row for a row."""
    pipeline, frame, contract = trained()
    table = golden.record(pipeline, frame[:5], contract)
    names = table.column_names
    assert names[:2] == ["input/carrier", "input/distance"]
    assert "step/columns/distance/distance" in names
    assert names[-3:] == [
        "output/prediction",
        "output/probability_false",
        "output/probability_true",
    ]
    assert table["output/prediction"].to_pylist() == pipeline.predict(frame[:5]).tolist()


def test_the_same_pipeline_passes() -> None:
    """Recording and verifying agree, through a file too."""
    pipeline, frame, contract = trained()
    golden.verify(pipeline, golden.record(pipeline, frame[:9], contract), contract, "flights:1")


def test_the_first_step_that_moved_is_named() -> None:
    """A scaler that changed is named itself, not the model after it."""
    pipeline, frame, contract = trained()
    table = golden.record(pipeline, frame[:9], contract)
    pipeline["columns"].named_transformers_["distance"].mean_ += 1
    with pytest.raises(GoldenMismatch) as caught:
        golden.verify(pipeline, table, contract, "flights:1")
    assert caught.value.message.startswith("step `columns/distance`, column `distance`: row 0 was")
    assert "9 of 9 rows differ" in caught.value.message
    assert caught.value.where == "flights:1"


def test_a_model_that_moved_is_named_by_its_output() -> None:
    """Preprocessing that is unchanged is not named."""
    pipeline, frame, contract = trained()
    table = golden.record(pipeline, frame[:9], contract)
    pipeline["model"].intercept_ += 1e-6
    with pytest.raises(GoldenMismatch, match="output `probability_false`"):
        golden.verify(pipeline, table, contract, "flights:1")


def test_the_last_bits_of_a_float_may_differ() -> None:
    """Another processor may add in another order; a difference of 1e-12 is tolerated."""
    pipeline, frame, contract = trained()
    table = golden.record(pipeline, frame[:9], contract)
    pipeline["model"].intercept_ += 1e-12
    golden.verify(pipeline, table, contract, "flights:1")


def test_other_columns_are_a_mismatch() -> None:
    """A step that gives a column more or less is named by that column."""
    pipeline, frame, contract = trained()
    table = golden.record(pipeline, frame[:9], contract)
    fewer = table.drop_columns(["step/columns/distance/distance"])
    with pytest.raises(GoldenMismatch, match=r"step `columns/distance`, column `distance`"):
        golden.verify(pipeline, fewer, contract, "flights:1")


def test_a_pipeline_that_raises_is_a_mismatch() -> None:
    """The error is the message."""
    pipeline, frame, contract = trained()
    table = golden.record(pipeline, frame[:9], contract)
    del pipeline["model"].coef_
    with pytest.raises(GoldenMismatch, match="raised AttributeError"):
        golden.verify(pipeline, table, contract, "flights:1")


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        ([1.0, None], [1.0, None], True),
        ([1.0, None], [1.0, 2.0], False),
        (["a", None], ["a", None], True),
        (["a", None], ["a", "b"], False),
        ([True, False], [True, True], False),
        ([1, 2], [1, 2], True),
        ([1, 2], [1.0, 2.0], False),
    ],
)
def test_what_counts_as_the_same(expected: Any, found: Any, same: bool) -> None:
    """Two nulls are the same; a null and a value, or two types, are not."""

    left, right = pa.chunked_array([expected]), pa.chunked_array([found])
    with nullcontext() if same else pytest.raises(GoldenMismatch, match="output `x`"):
        golden._compare("output/x", left, right, "flights:1")


def test_rows_are_chosen_for_what_they_show() -> None:
    """Nulls and extremes come first, then evenly spaced rows; the choice is deterministic."""
    random = np.random.default_rng(9)
    frame = pd.DataFrame({"a": random.normal(size=1000), "b": random.normal(size=1000)})
    frame.loc[[77, 500], "a"] = np.nan
    frame.loc[321, "b"], frame.loc[123, "b"] = 99.0, -99.0
    chosen = golden.choose_rows(frame, 20)
    assert len(chosen) == 20
    assert {77, 321, 123} <= set(chosen.index)
    pd.testing.assert_frame_equal(chosen, golden.choose_rows(frame, 20))


def test_a_short_frame_is_taken_whole() -> None:
    """If it has fewer rows than requested, all are taken, in order."""
    frame = pd.DataFrame({"a": [3.0, 1.0, 2.0]})
    assert golden.choose_rows(frame, 64)["a"].tolist() == [3.0, 1.0, 2.0]
