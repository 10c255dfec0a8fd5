"""Columns of the training frame that the pipeline does not read are no features."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import gnomon
from gnomon.artifact.checks.unused_columns import UnusedColumnWarning, same_answers, without_unused
from gnomon.artifact.training_input import given_table


def rows(count: int = 700) -> pd.DataFrame:
    """Two columns that models use, and others."""
    random = np.random.default_rng(4)
    return pd.DataFrame(
        {
            "note": random.choice(["x", "y"], size=count),
            "a": random.normal(size=count),
            "b": random.normal(size=count),
            "rare": np.r_[np.zeros(count - 5), np.ones(5)],
            "seen": pd.date_range("2024-01-01", periods=count, freq="h", tz="UTC"),
        }
    )


def picked(frame: pd.DataFrame) -> pd.DataFrame:
    """A function that picks its columns."""
    return frame[["a", "b"]]


def lenient(frame: pd.DataFrame) -> pd.DataFrame:
    """A function that uses a column if it is there."""
    return frame[["a", "b"]].mul(1 + frame.get("rare", 0.0), axis=0)


def scaled() -> ColumnTransformer:
    """Drops what it does not name."""
    return ColumnTransformer([("scaled", StandardScaler(), ["a", "b"])])


PICKING: dict[str, Callable[[], Any]] = {
    "a column transformer": lambda: make_pipeline(scaled(), LinearRegression()),
    "after passthrough": lambda: make_pipeline("passthrough", scaled(), LinearRegression()),
    "nested": lambda: make_pipeline(make_pipeline(scaled(), StandardScaler()), LinearRegression()),
    "a pipeline in a pipeline": lambda: Pipeline(
        [("all", make_pipeline(make_pipeline(scaled()), LinearRegression()))]
    ),
    "a function": lambda: make_pipeline(FunctionTransformer(picked), LinearRegression()),
    "a union": lambda: make_pipeline(
        FeatureUnion([("one", FunctionTransformer(picked)), ("two", scaled())]), LinearRegression()
    ),
    "an embedding": lambda: make_pipeline(scaled(), StandardScaler()),
}


def left(pipeline: Any, frame: pd.DataFrame, *kept: str, carry: tuple[str, ...] = ()) -> list[str]:
    """The columns that are left."""
    table = given_table(frame, (), carry)
    return [*without_unused(pipeline, table, kept, stacklevel=1).frame.columns]


@pytest.mark.parametrize("name", PICKING)
def test_what_is_not_picked_is_left_out_with_a_warning(name: str) -> None:
    """Whatever it is that picks: the warning names the columns, and the way to keep them."""
    frame = rows()
    pipeline = PICKING[name]().fit(frame, frame["a"])
    with pytest.warns(UnusedColumnWarning, match="`note`, `rare`, `seen`.*carry=") as caught:
        assert left(pipeline, frame) == ["a", "b"]
    assert len(caught) == 1


def test_what_is_kept_or_carried_stays_without_a_warning() -> None:
    """The entity key and the event time are asked for, and carried columns are."""
    frame = rows()
    pipeline = make_pipeline(scaled(), LinearRegression()).fit(frame, frame["a"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert left(pipeline, frame, "note", "seen", carry=("rare",)) == [*frame.columns]


def test_a_column_that_only_some_rows_need_is_kept() -> None:
    """It is absent or zero in the first rows, and the step takes frames without it."""
    frame = rows()
    pipeline = make_pipeline(FunctionTransformer(lenient), LinearRegression())
    pipeline.fit(frame, frame["a"])
    with pytest.warns(UnusedColumnWarning, match="`note`, `seen`"):
        assert left(pipeline, frame) == ["a", "b", "rare"]
    zeros = frame.assign(rare=0.0)  # training says nothing of it: another value would
    with pytest.warns(UnusedColumnWarning, match="`note`, `seen`"):
        assert left(pipeline, zeros) == ["a", "b", "rare"]


def fallen_back(frame: pd.DataFrame) -> pd.DataFrame:
    """A function that reads a second column only where the first is null."""
    found = frame[["a"]]
    return found.fillna({"a": frame["b"].mean()}) if found["a"].isna().any() else found


def test_a_column_that_one_row_of_thousands_needs_is_kept() -> None:
    """Left out, a request such as that row would fail."""
    frame = rows(20_000)
    frame.loc[12_345, "a"] = np.nan
    pipeline = make_pipeline(FunctionTransformer(fallen_back), LinearRegression())
    pipeline.fit(frame, np.arange(len(frame)))
    with pytest.warns(UnusedColumnWarning):
        assert left(pipeline, frame) == ["a", "b"]


def test_a_model_of_all_columns_keeps_all() -> None:
    """It is fitted on them, whatever its coefficients are."""
    frame = rows()[["a", "b", "rare"]].assign(rare=0.0)
    pipeline = make_pipeline(StandardScaler(), LinearRegression()).fit(frame, frame["a"])
    assert left(pipeline, frame) == ["a", "b", "rare"]


def test_answers_of_every_shape_are_compared() -> None:
    """Lists for several targets, of different classes; sparse matrices; frames of mixed types."""
    from scipy import sparse

    ragged = [np.eye(3), np.ones((3, 2))]
    assert same_answers(ragged, [part.copy() for part in ragged])
    assert not same_answers(ragged, [np.eye(3), np.zeros((3, 2))])
    matrix = sparse.csr_matrix(np.eye(3))
    assert same_answers(matrix, matrix.copy())
    assert not same_answers(matrix, matrix * 2)
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
    assert same_answers(frame, frame.copy())
    assert not same_answers(frame, frame.assign(b="x"))


@pytest.mark.usefixtures("fresh_children")
def test_requests_need_not_bring_what_nobody_reads(home: Path) -> None:
    """Packed and loaded: rows without the column are answered as the pipeline answers those with
    it; a carried one is in the contract and not required of the pipeline."""
    frame = rows(60)
    pipeline = make_pipeline(scaled(), LinearRegression()).fit(frame, frame["b"])
    with pytest.warns(UnusedColumnWarning, match="`rare`"):
        artifact = gnomon.pack(
            "picked", pipeline, frame, frame["b"], carry="note", event_time="seen", leakage="off"
        )
    features = {feature.name: feature.carried for feature in artifact.contract.features}
    assert features == {"note": True, "a": False, "b": False, "seen": False}
    found = gnomon.load(artifact.tag).predict(frame.drop(columns="rare"))["prediction"]
    np.testing.assert_array_equal(found.to_numpy(), pipeline.predict(frame))
