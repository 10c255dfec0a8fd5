"""Columns of the training frame that the pipeline provably does not read are not features."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import StackingRegressor, VotingRegressor
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import gnomon
from gnomon.artifact.checks.unused_columns import UnusedColumnWarning, same_answers, without_unused
from gnomon.artifact.training_input import given_table
from gnomon.pipeline.tracing import column_names


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


def fitted() -> Pipeline:
    """A model of the two columns."""
    return make_pipeline(scaled(), LinearRegression())


SELECTING: dict[str, Callable[[], Any]] = {
    "a column transformer": fitted,
    "by position": lambda: make_pipeline(
        ColumnTransformer([("last", StandardScaler(), [-3, 1])]), LinearRegression()
    ),
    "by mask": lambda: make_pipeline(
        ColumnTransformer([("masked", StandardScaler(), [False, True, True, False, False])]),
        LinearRegression(),
    ),
    "by a function": lambda: make_pipeline(
        ColumnTransformer([("floats", StandardScaler(), lambda frame: ["a", "b"])]),
        LinearRegression(),
    ),
    "after passthrough": lambda: make_pipeline("passthrough", scaled(), LinearRegression()),
    "nested": lambda: make_pipeline(make_pipeline(scaled(), StandardScaler()), LinearRegression()),
    "a pipeline in a pipeline": lambda: Pipeline(
        [("all", make_pipeline(make_pipeline(scaled()), LinearRegression()))]
    ),
    "a union": lambda: make_pipeline(
        FeatureUnion([("one", scaled()), ("two", scaled())]), LinearRegression()
    ),
    "a search": lambda: GridSearchCV(fitted(), {"linearregression__positive": [True]}, cv=2),
    "an ensemble": lambda: VotingRegressor([("one", fitted()), ("two", fitted())]),
    "a stack": lambda: StackingRegressor([("one", fitted())], LinearRegression(), cv=2),
    "a transformed target": lambda: TransformedTargetRegressor(fitted()),
    "an embedding": lambda: make_pipeline(scaled(), StandardScaler()),
}

OWN: dict[str, Callable[[], Any]] = {
    "a function": lambda: make_pipeline(FunctionTransformer(picked), LinearRegression()),
    "a union with a function": lambda: make_pipeline(
        FeatureUnion([("one", FunctionTransformer(picked)), ("two", scaled())]), LinearRegression()
    ),
}


def left(pipeline: Any, frame: pd.DataFrame, *kept: str, carry: tuple[str, ...] = ()) -> list[str]:
    """The columns that are left."""
    table = given_table(frame, (), carry)
    return [*without_unused(pipeline, table, kept, stacklevel=1).frame.columns]


@pytest.mark.parametrize("name", SELECTING)
def test_what_is_not_selected_is_left_out_with_a_warning(name: str) -> None:
    """The warning lists the columns that are left out and says how to keep them."""
    frame = rows()
    pipeline = SELECTING[name]().fit(frame, frame["a"])
    with pytest.warns(UnusedColumnWarning, match="`note`, `rare`, `seen`.*carry=") as caught:
        assert left(pipeline, frame) == ["a", "b"]
    assert len(caught) == 1
    assert column_names(pipeline, frame) == column_names(pipeline, frame[["a", "b"]])


@pytest.mark.parametrize("name", OWN)
def test_what_a_step_of_the_users_seems_not_to_read_is_kept_with_advice(name: str) -> None:
    """Other rows may need them, so the warning says how to pack without them."""
    frame = rows()
    pipeline = OWN[name]().fit(frame, frame["a"])
    with pytest.warns(UnusedColumnWarning, match="may read them in other rows") as caught:
        assert left(pipeline, frame) == [*frame.columns]
    (warning,) = caught
    assert "X.drop(columns=['note', 'rare', 'seen'])" in str(warning.message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert left(pipeline, frame.drop(columns=["note", "rare", "seen"])) == ["a", "b"]


def in_other_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """A function that reads a column in rows that training does not have."""
    found = frame[["a", "b"]].copy()
    if "note" in frame:
        found.loc[(found["a"] > 99) & (frame["note"] == "x"), "b"] = 0.0
    return found


def counting_nulls(frame: pd.DataFrame) -> pd.DataFrame:
    """A function that reads of each column whether it is null."""
    return frame[["a", "b"]].add(frame.isna().any(axis=1), axis=0)


def comparing(frame: pd.DataFrame) -> pd.DataFrame:
    """A function that compares a column with a value that training does not have."""
    return frame[["a", "b"]].add(frame.get("note", pd.Series("x", frame.index)) == "z", axis=0)


@pytest.mark.parametrize("step", [in_other_rows, counting_nulls, comparing])
def test_a_column_that_training_does_not_show_to_be_read_is_kept(step: Any) -> None:
    """The training rows get the same answers without the column, but requests may not."""
    frame = rows()[["note", "a", "b"]].assign(note="x")
    pipeline = make_pipeline(FunctionTransformer(step), LinearRegression()).fit(frame, frame["a"])
    with pytest.warns(UnusedColumnWarning, match="The contract has it"):
        assert left(pipeline, frame) == ["note", "a", "b"]


def test_columns_of_any_dtype_may_be_unread() -> None:
    """Regression: nullable booleans with nulls raised a TypeError in pandas."""
    frame = rows(60)[["a", "b"]].assign(
        maybe=pd.array([True, None, False] * 20, dtype="boolean"),
        price=pd.array([Decimal("9.99")] * 60, dtype=pd.ArrowDtype(pa.decimal128(3, 2))),
        month=pd.period_range("2024-01", periods=60, freq="M"),
    )
    pipeline = fitted().fit(frame, frame["a"])
    with pytest.warns(
        UnusedColumnWarning, match="`maybe`, `price`, `month`.*carry=.'maybe', 'price'"
    ):
        assert left(pipeline, frame) == ["a", "b"]


def test_what_is_kept_or_carried_stays_without_a_warning() -> None:
    """The entity key, the event time and carried columns are used, so they stay."""
    frame = rows()
    pipeline = make_pipeline(scaled(), LinearRegression()).fit(frame, frame["a"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert left(pipeline, frame, "note", "seen", carry=("rare",)) == [*frame.columns]


def test_a_column_that_only_some_rows_need_is_kept() -> None:
    """It is zero in most rows, and the step takes frames without it."""
    frame = rows()
    pipeline = make_pipeline(FunctionTransformer(lenient), LinearRegression())
    pipeline.fit(frame, frame["a"])
    with pytest.warns(UnusedColumnWarning, match="without `note`, `seen` for 700 rows"):
        assert left(pipeline, frame) == [*frame.columns]


def falling_back(frame: pd.DataFrame) -> pd.DataFrame:
    """A function that reads a column that cannot be sent only where another is null."""
    found = frame[["a"]].copy()
    null = found["a"].isna()
    found.loc[null, "a"] = frame["age"][null].dt.total_seconds() if "age" in frame else 0.0
    return found


def test_a_column_that_cannot_be_sent_is_refused_if_one_row_of_thousands_needs_it() -> None:
    """Without it, that row would get another answer."""
    frame = rows(20_000)[["a"]]
    frame["age"] = pd.to_timedelta(np.arange(len(frame)), unit="s")
    pipeline = make_pipeline(FunctionTransformer(falling_back), LinearRegression())
    pipeline.fit(frame, frame["a"])
    with pytest.warns(UnusedColumnWarning, match="`age` is not in the contract"):
        assert left(pipeline, frame) == ["a"]
    frame.loc[12_345, "a"] = np.nan
    assert left(pipeline, frame) == ["a", "age"]


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


@pytest.mark.slow
@pytest.mark.usefixtures("fresh_children")
def test_requests_need_not_bring_what_is_not_read(home: Path) -> None:
    """Rows without the column get the pipeline's answers; a carried column is logged and not passed
    to the pipeline.
    """
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
