"""Rows must not depend on their batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from gnomon.errors import PackRefused
from gnomon.pipeline.invariance import check_rows_alone

RNG = np.random.default_rng(7)
FRAME = pd.DataFrame(
    {
        "distance": RNG.uniform(100, 3000, 24),
        "delay": np.where(RNG.random(24) < 0.3, np.nan, RNG.normal(0, 30, 24)),
        "carrier": RNG.choice(["AA", "B6", "UA"], 24),
        "note": RNG.choice(["late", "on time", "late again", ""], 24),
    }
)
TARGET = RNG.normal(size=24)


def check(pipeline: Any, frame: pd.DataFrame = FRAME) -> None:
    """Fit the pipeline and check it."""
    pipeline.fit(frame, TARGET)

    def predict(rows: pd.DataFrame) -> pa.RecordBatch:
        return pa.record_batch({"prediction": np.asarray(pipeline.predict(rows), float)})

    check_rows_alone(pipeline, frame, predict)


def refusal(step: Any, model: Any = None) -> PackRefused:
    """How a function as a step before a model is refused."""
    first = FunctionTransformer(step) if callable(step) else step
    last = LinearRegression() if model is None else model
    with pytest.raises(PackRefused) as caught:
        check(Pipeline([("step", first), ("model", last)]))
    return caught.value


@pytest.mark.parametrize("model", [LinearRegression(), RandomForestRegressor(5, random_state=0)])
def test_ordinary_pipelines_are_accepted(model: Any) -> None:
    """Scaling, encoding and counting words are learned in `fit`; rounding is not a difference."""
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), ["distance"]),
            ("carrier", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
            ("words", TfidfVectorizer(), "note"),
        ]
    )
    check(Pipeline([("columns", columns), ("model", model)]))


def test_numbers_of_single_precision_are_accepted() -> None:
    """A pipeline that computes in float32 is held to float32's digits."""
    single = FunctionTransformer(lambda rows: rows[["distance"]].to_numpy(np.float32) * 1e4)
    wide = FunctionTransformer(lambda rows: np.hstack([rows * w for w in RNG_WEIGHTS]))
    check(Pipeline([("single", single), ("wide", wide), ("model", LinearRegression())]))


RNG_WEIGHTS = np.random.default_rng(1).normal(size=40).astype(np.float32)


@pytest.mark.parametrize(
    ("step", "column"),
    [
        (lambda rows: rows[["distance"]] - rows[["distance"]].mean(), "distance"),
        (lambda rows: rows[["distance"]].rank(), "distance"),
        (lambda rows: rows[["distance", "delay"]].fillna(rows["delay"].mean()), "delay"),
        (lambda rows: rows[["distance"]].shift(1).fillna(0), "distance"),
        (lambda rows: rows[["distance"]].cumsum(), "distance"),
        (lambda rows: rows[["distance"]].assign(n=len(rows)), "n"),
        (lambda rows: rows[["distance"]].assign(twin=rows["carrier"].duplicated()), "twin"),
    ],
)
def test_a_step_that_looks_at_other_rows_is_refused(step: Any, column: str) -> None:
    """A step that uses the batch's mean, rank, size or neighbours is named, with its column."""
    error = refusal(step)
    assert error.where == f"step `step`, column `{column}`"
    assert error.hint is not None
    assert "fit" in error.hint


def test_columns_made_from_the_batch_are_refused() -> None:
    """`get_dummies` makes a column for each value in the batch: another batch, other columns."""
    error = refusal(
        lambda rows: pd.get_dummies(rows["carrier"]).reindex(columns=["AA", "B6", "UA"]),
        RandomForestRegressor(2),
    )
    assert error.where == "step `step`, column `AA`"
    raw = lambda rows: pd.get_dummies(rows["carrier"])  # noqa: E731
    assert "of the rows become" in refusal(raw, LateModel()).message


class LateModel(LinearRegression):
    """Takes any number of columns."""

    def predict(self, X: Any) -> Any:  # noqa: N803
        return np.zeros(len(X))


def test_a_row_that_raises_alone_is_refused() -> None:
    """A step that needs other rows is refused with its own message and name."""

    def quartiles(rows: pd.DataFrame) -> pd.DataFrame:
        if len(rows) < 4:
            raise ValueError("four rows at least")
        return rows[["distance"]]

    error = refusal(quartiles)
    assert error.where == "step `step`"
    assert "four rows at least" in error.message


def test_a_step_that_keeps_state_is_refused() -> None:
    """An answer that changes on a second call cannot be verified, replayed or compared."""
    calls: list[int] = []

    def count(rows: pd.DataFrame) -> pd.DataFrame:
        calls.append(1)
        return rows[["distance"]].assign(calls=len(calls))

    error = refusal(count)
    assert error.where == "step `step`, column `calls`"
    assert "on a second call" in error.message
    assert "state" in str(error.hint)


def test_a_model_that_looks_at_other_rows_is_refused() -> None:
    """When every step agrees, the outputs themselves are compared."""

    class Centred(LinearRegression):
        def predict(self, X: Any) -> Any:  # noqa: N803
            found = super().predict(X)
            return found - found.mean()

    error = refusal(FunctionTransformer(lambda rows: rows[["distance"]]), Centred())
    assert error.where == "output `prediction`"


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["a", None, "b", "b"] * 6),
        pd.Series(["a", None, "b", "b"] * 6, dtype=object),
        pd.Series(["a", np.nan, "b", "b"] * 6, dtype=object),
        pd.Series(["a", None, "b", "b"] * 6, dtype="category"),
        pd.Series([1, None, 2, 2] * 6, dtype="Int64"),
        pd.Series([1.5, None, 2, 2] * 6, dtype="Float32"),
        pd.Series([True, None, False, False] * 6, dtype="boolean"),
        pd.Series(pd.DatetimeIndex(["2013", None, "2014", "2014"] * 6, tz="UTC")),
    ],
)
def test_every_dtype_is_compared_as_it_is(column: pd.Series[Any]) -> None:
    """Values and nulls of any dtype agree when they are equal, and part when they are not."""
    frame = FRAME.assign(kind=column)
    last = FunctionTransformer(lambda rows: rows[["distance"]])
    keep = FunctionTransformer(lambda rows: rows[["kind", "distance"]])
    check(Pipeline([("keep", keep), ("last", last), ("model", LinearRegression())]), frame)
    shift = FunctionTransformer(
        lambda rows: keep.transform(rows).assign(kind=rows["kind"].shift(1))
    )
    with pytest.raises(PackRefused, match="column `kind`"):
        check(Pipeline([("shift", shift), ("last", last), ("model", LinearRegression())]), frame)


def test_a_step_that_depends_on_the_order_is_refused() -> None:
    """A running maximum changes neither sorted rows nor a row alone; another order shows it."""
    step = FunctionTransformer(lambda rows: rows[["distance"]].cummax())
    with pytest.raises(PackRefused, match="in another order"):
        check(
            Pipeline([("step", step), ("model", LinearRegression())]), FRAME.sort_values("distance")
        )


def test_probabilities_are_checked_too() -> None:
    """Whatever `predict` gives is compared, not the labels only."""
    model = LogisticRegression().fit(FRAME[["distance"]], TARGET > 0)

    def predict(rows: pd.DataFrame) -> pa.RecordBatch:
        late = model.predict_proba(rows[["distance"]])[:, 1]
        return pa.record_batch({"prediction": late > 0.5, "late": late / late.sum()})

    with pytest.raises(PackRefused, match="output `late`"):
        check_rows_alone(model, FRAME, predict)


WHOLE = FRAME.assign(
    distance=np.where(np.arange(24) % 6 == 0, FRAME["distance"].round(), FRAME["distance"]),
    known=pd.Series([True, None, False] * 8, dtype=object),
)


@pytest.mark.parametrize(
    ("infer", "column"),
    [
        (lambda rows: rows[["distance", "delay"]].convert_dtypes(), "distance"),
        (lambda rows: rows[["delay"]].convert_dtypes(), "delay"),
        (lambda rows: rows[["known"]].infer_objects(), "known"),
        (lambda rows: rows[["distance"]].astype(object).convert_dtypes(), "distance"),
    ],
)
def test_types_inferred_from_the_rows_that_came_are_refused(infer: Any, column: str) -> None:
    """A row alone that is whole, null or without a null gets another type than in the batch."""
    last = FunctionTransformer(lambda rows: np.zeros((len(rows), 1)))
    pipeline = Pipeline(
        [("infer", FunctionTransformer(infer)), ("last", last), ("model", LinearRegression())]
    )
    with pytest.raises(PackRefused, match="the type depends on the rows in the batch") as caught:
        check(pipeline, WHOLE)
    assert caught.value.where == f"step `infer`, column `{column}`"
    assert "astype" in str(caught.value.hint)


@pytest.mark.parametrize(
    "step",
    [
        lambda rows: rows["carrier"].map({"AA": 1, "B6": 2}).to_frame(),
        lambda rows: np.array([[len(v) if v else np.nan] for v in rows["note"]]),
        lambda rows: rows[["carrier"]].to_numpy(),
        lambda rows: np.array([[v or "none"] for v in rows["note"]]),
        lambda rows: rows[["distance"]].astype("float32"),
        lambda rows: rows[["distance"]].astype("Float64"),
        lambda rows: rows[["carrier"]].astype("category"),
    ],
)
def test_whole_numbers_where_the_batch_has_a_hole_are_accepted(step: Any) -> None:
    """Integers without a hole are floats with one, and longer text is wider: no step minds."""
    last = FunctionTransformer(lambda rows: np.zeros((len(rows), 1)))
    model = LinearRegression()
    check(Pipeline([("step", FunctionTransformer(step)), ("last", last), ("model", model)]))


def test_text_made_of_numbers_is_refused() -> None:
    """`3.0` in a batch with fractions is `3` alone: the step that writes it is named."""

    def write(rows: pd.DataFrame) -> pd.DataFrame:
        whole = rows["distance"].apply(lambda x: int(x) if x == int(x) else x)
        return whole.astype(str).to_frame()

    last = FunctionTransformer(lambda rows: np.zeros((len(rows), 1)))
    pipeline = Pipeline(
        [("write", FunctionTransformer(write)), ("last", last), ("model", LinearRegression())]
    )
    with pytest.raises(
        PackRefused, match=r"'\d+\.0' in the batch, '\d+' in a batch of one"
    ) as caught:
        check(pipeline, WHOLE)
    assert caught.value.where == "step `write`, column `distance`"


@pytest.mark.parametrize(
    ("step", "composition"),
    [
        (lambda rows: rows[["distance"]] * (1 if len(rows) in (1, 24) else 2), "in the batch"),
        (lambda rows: rows[["distance"]] * (1 + (len(rows) > 100)), "among more rows"),
        (
            lambda rows: rows[["distance"]].mask(rows.duplicated(), 0),
            "with each row twice in the batch",
        ),
        (lambda rows: rows[["distance"]] * (1 + (len(rows) == 2)), "among fewer rows"),
    ],
)
def test_a_step_that_minds_the_size_of_the_batch_is_refused(step: Any, composition: str) -> None:
    """Two rows, hundreds, or the same row twice."""
    frame = FRAME.drop(columns="note")
    pipeline = Pipeline([("step", FunctionTransformer(step)), ("model", LinearRegression())])
    pipeline.fit(frame, TARGET)

    def predict(rows: pd.DataFrame) -> pa.RecordBatch:
        return pa.record_batch({"prediction": np.asarray(pipeline.predict(rows), float)})

    others = pd.concat([frame] * 5, ignore_index=True).assign(distance=np.arange(120.0))
    with pytest.raises(PackRefused, match=composition) as caught:
        check_rows_alone(pipeline, frame, predict, others=others)
    assert caught.value.where == "step `step`, column `distance`"


@pytest.mark.parametrize("noise", [1e-6, 1.0])
def test_a_step_that_draws_at_random_is_refused(noise: float) -> None:
    """Even if it adds little, its second answer differs."""
    error = refusal(lambda rows: rows[["distance"]] + noise * np.random.random())
    assert error.where == "step `step`, column `distance`"
    assert "on a second call" in error.message
    assert "draws random numbers" in str(error.hint)


def test_a_step_that_draws_with_its_own_seed_is_accepted() -> None:
    """The same number for every row, every time."""
    step = FunctionTransformer(
        lambda rows: rows[["distance"]] + np.random.default_rng(3).normal(size=1)
    )
    check(Pipeline([("step", step), ("model", LinearRegression())]))


def test_a_step_that_draws_for_each_row_of_the_batch_is_refused_though_seeded() -> None:
    """A row's random number then depends on its position."""
    error = refusal(
        lambda rows: rows[["distance"]] + np.random.default_rng(3).normal(size=(len(rows), 1))
    )
    assert error.where == "step `step`, column `distance`"


def test_unusual_rows_are_asked_like_the_others() -> None:
    """A problem that only such a row shows is found: here, a null among floats."""
    frame = FRAME[["distance"]]
    odd = pd.DataFrame({"distance": [np.nan]})
    fill = FunctionTransformer(lambda rows: rows.fillna(rows["distance"].mean()).fillna(0.0))
    pipeline = Pipeline([("fill", fill), ("model", LinearRegression())]).fit(frame, TARGET)

    def predict(rows: pd.DataFrame) -> pa.RecordBatch:
        return pa.record_batch({"prediction": np.asarray(pipeline.predict(rows), float)})

    check_rows_alone(pipeline, frame, predict)
    with pytest.raises(PackRefused, match="in a batch of one") as caught:
        check_rows_alone(pipeline, frame, predict, unusual=odd)
    assert caught.value.where == "step `fill`, column `distance`"


def test_a_row_that_fails_in_any_company_is_left_out() -> None:
    """It also fails online, and not because of other rows."""

    def strict(rows: pd.DataFrame) -> pd.DataFrame:
        if rows["distance"].isna().any():
            raise ValueError("a null")
        return rows

    frame = FRAME[["distance"]]
    odd = pd.DataFrame({"distance": [np.nan, 7.0]})
    model = LinearRegression()
    pipeline = Pipeline([("strict", FunctionTransformer(strict)), ("model", model)])
    pipeline.fit(frame, TARGET)

    def predict(rows: pd.DataFrame) -> pa.RecordBatch:
        return pa.record_batch({"prediction": np.asarray(pipeline.predict(rows), float)})

    check_rows_alone(pipeline, frame, predict, unusual=odd)
