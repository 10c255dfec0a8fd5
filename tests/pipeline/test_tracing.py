"""The output of every step of a pipeline for a frame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from gnomon.errors import PredictionFailed
from gnomon.pipeline import trace

FRAME = pd.DataFrame(
    {
        "distance": [100.0, np.nan, 300.0, 400.0],
        "delay": [1.0, 2.0, 3.0, 5.0],
        "carrier": ["AA", "B6", "AA", "UA"],
        "note": ["late again", "on time", "late", "again again"],
        "unused": [1, 2, 3, 4],
    }
)
TARGET = [0.0, 1.0, 2.0, 3.0]


def fitted(*steps: tuple[str, Any]) -> Pipeline:
    """A fitted pipeline of steps before a linear regression."""
    return Pipeline([*steps, ("model", LinearRegression())]).fit(FRAME, TARGET)


def flights() -> Pipeline:
    """A pipeline with every kind of composition in it."""
    numbers = Pipeline([("impute", SimpleImputer()), ("scale", StandardScaler())])
    union = FeatureUnion([("pca", PCA(1)), ("same", "passthrough"), ("none", "drop")])
    columns = ColumnTransformer(
        [
            ("numbers", numbers, ["distance", "delay"]),
            ("carrier", OneHotEncoder(), ["carrier"]),
            ("words", CountVectorizer(), "note"),
            ("nothing", StandardScaler(), []),
            ("gone", "drop", ["unused"]),
        ],
        remainder="passthrough",
        sparse_threshold=0,
    )
    return fitted(("skip", "passthrough"), ("columns", columns), ("both", union))


def test_every_transformer_is_there_in_order() -> None:
    """Compositions are walked to their leaves; the model, the dropped and the skipped are not."""
    assert list(trace(flights(), FRAME)) == [
        "columns/numbers/impute",
        "columns/numbers/scale",
        "columns/carrier",
        "columns/words",
        "both/pca",
        "both/same",
    ]


def test_remaining_columns_are_a_step() -> None:
    """What a column transformer passes through is in the trace too."""
    columns = ColumnTransformer([("scale", StandardScaler(), ["delay"])], remainder="passthrough")
    pipeline = Pipeline([("columns", columns), ("model", LinearRegression())])
    pipeline.fit(FRAME[["delay", "unused"]], TARGET)
    found = trace(pipeline, FRAME[["delay", "unused"]])
    assert found["columns/remainder"]["unused"].tolist() == [1, 2, 3, 4]


def test_columns_have_the_names_the_steps_give() -> None:
    """Names come from `get_feature_names_out`, through nested pipelines."""
    found = trace(flights(), FRAME)
    assert list(found["columns/numbers/scale"]) == ["distance", "delay"]
    assert list(found["columns/carrier"]) == ["carrier_AA", "carrier_B6", "carrier_UA"]
    assert list(found["both/pca"]) == ["pca0"]
    assert "words__late" in found["both/same"].columns


def test_values_are_those_of_the_steps() -> None:
    """What is shown is what the step computed, on what the step before it made."""
    pipeline = flights()
    found = trace(pipeline, FRAME)
    assert found["columns/numbers/impute"]["distance"][1] == pytest.approx(800 / 3)
    assert found["columns/numbers/scale"].mean().abs().max() < 1e-12
    columns = pipeline.named_steps["columns"].transform(FRAME)
    expected = pipeline.named_steps["both"].transformer_list[0][1].transform(columns)
    np.testing.assert_array_equal(found["both/pca"].to_numpy(), expected)


def test_sparse_outputs_show_their_active_columns() -> None:
    """Of a sparse output only columns with a value are made dense; the width tells of the rest."""
    found = trace(flights(), FRAME.iloc[[2]])["columns/words"]
    assert found.to_dict("list") == {"late": [1]}
    assert found.attrs["width"] == 4


class Halves(TransformerMixin, BaseEstimator):
    """A user's transformer that names nothing."""

    def fit(self, X: Any, y: Any = None) -> Halves:  # noqa: N803
        self.fitted_ = True
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803
        return np.asarray(X[["delay", "unused"]]) / 2


def test_columns_without_names_are_numbered() -> None:
    """A step that names nothing has its columns numbered after it."""
    found = trace(fitted(("halves", Halves())), FRAME)["halves"]
    assert found["halves_0"].tolist() == [0.5, 1.0, 1.5, 2.5]
    assert list(found) == ["halves_0", "halves_1"]


def test_names_that_do_not_tell_columns_apart_are_numbered() -> None:
    """Two columns with the same name are numbered."""
    twice = FunctionTransformer(
        lambda rows: rows[["delay", "unused"]].to_numpy(),
        feature_names_out=lambda step, names: ["same", "same"],
    )
    assert list(trace(fitted(("twice", twice)), FRAME)["twice"]) == ["twice_0", "twice_1"]


def test_frames_keep_their_names_and_dtypes() -> None:
    """A step that makes a frame is shown as it is; an index of its own is left out."""
    made = FunctionTransformer(
        lambda rows: rows.assign(kind=rows["carrier"]).set_index("note")[["delay", "kind"]]
    )
    last = FunctionTransformer(lambda rows: rows[["delay"]])
    found = trace(fitted(("made", made), ("last", last)), FRAME)["made"]
    pd.testing.assert_frame_equal(
        found, FRAME[["delay", "carrier"]].rename(columns={"carrier": "kind"})
    )


def test_objects_are_shown_as_what_they_hold() -> None:
    """An object array's columns have their own dtypes, so that they can be compared and stored."""
    impute = SimpleImputer(strategy="most_frequent")
    encode = OneHotEncoder(sparse_output=False)
    pipeline = Pipeline([("impute", impute), ("encode", encode), ("model", LinearRegression())])
    pipeline.fit(FRAME[["carrier", "unused"]], TARGET)
    found = trace(pipeline, FRAME[["carrier", "unused"]])["impute"]
    assert [str(dtype) for dtype in found.dtypes] == ["str", "int64"]


def test_the_best_pipeline_of_a_search_is_walked() -> None:
    """A search predicts with its best pipeline, so that one is traced."""
    pipeline = Pipeline([("halves", Halves()), ("model", LinearRegression())])
    search = GridSearchCV(pipeline, {"model__fit_intercept": [True, False]}, cv=2)
    assert list(trace(search.fit(FRAME, TARGET), FRAME)) == ["halves"]


def test_a_model_alone_has_no_steps() -> None:
    """Without preprocessing there is nothing to trace."""
    assert trace(LinearRegression().fit(FRAME[["delay"]], TARGET), FRAME[["delay"]]) == {}


def test_a_step_that_raises_is_named() -> None:
    """The error contains the user's exception and the step."""
    pipeline = flights()
    with pytest.raises(PredictionFailed) as caught:
        trace(pipeline, FRAME.assign(carrier="ZZ"))
    assert caught.value.where == "columns/carrier"
    assert caught.value.message.startswith("ValueError: Found unknown categories")


class Counted(TransformerMixin, BaseEstimator):
    """Passes its rows on, and counts how often it is asked to."""

    def fit(self, X: Any, y: Any = None) -> Counted:  # noqa: N803
        self.calls_ = 0
        return self

    def transform(self, X: Any) -> Any:  # noqa: N803
        self.calls_ += 1
        return np.array(X)


def added_in_place(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What a step with ``copy=False`` does to the output of the one before it."""
    values += 1.0
    return values


def test_a_step_runs_once_and_its_output_stays_when_the_next_step_writes_into_it() -> None:
    """What a step made is what is shown of it and what the next step is given."""
    numbers = FRAME[["delay"]]
    first, last = Counted(), FunctionTransformer(added_in_place)
    pipeline = Pipeline([("first", first), ("last", last), ("model", LinearRegression())])
    pipeline.fit(numbers, TARGET)
    before = first.calls_
    found = trace(pipeline, numbers)
    assert first.calls_ == before + 1
    assert found["first"].iloc[:, 0].tolist() == [1.0, 2.0, 3.0, 5.0]
    assert found["last"].iloc[:, 0].tolist() == [2.0, 3.0, 4.0, 6.0]
