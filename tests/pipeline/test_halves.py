"""The two halves of a pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from gnomon.errors import PackRefused
from gnomon.pipeline.halves import joined, model_input, split

FRAME = pd.DataFrame({"a": [1.0, 2.0, 4.0], "b": [3.0, 1.0, 2.0]})
TARGET = [1.0, 2.0, 4.0]


def fitted(*steps: Any) -> Pipeline:
    return make_pipeline(*steps, LinearRegression()).fit(FRAME, TARGET)


def test_the_halves_together_are_the_pipeline() -> None:
    """They share its fitted steps, and the answers are the same bits."""
    pipeline = fitted(StandardScaler(), "passthrough")
    halves = split(pipeline)
    ready, _ = model_input(halves.preprocessing, FRAME)
    np.testing.assert_array_equal(halves.model.predict(ready), pipeline.predict(FRAME))
    again = joined(halves.preprocessing, halves.name, halves.model)
    np.testing.assert_array_equal(again.predict(FRAME), pipeline.predict(FRAME))
    assert len(pipeline.steps) == 3


def test_a_search_is_split_at_its_best_pipeline() -> None:
    """As it is traced."""
    search = GridSearchCV(make_pipeline(StandardScaler(), LinearRegression()), {}, cv=3)
    search.fit(pd.concat([FRAME] * 3), TARGET * 3)
    assert split(search).name == "linearregression"


def test_a_step_of_the_same_name_does_not_hide_the_model() -> None:
    """Names of steps are unique in a pipeline."""
    preprocessing = split(fitted(StandardScaler())).preprocessing
    model = LinearRegression()
    names = [name for name, _ in joined(preprocessing, "standardscaler", model).steps]
    assert names == ["standardscaler", "standardscaler_model"]


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (LinearRegression(), "got LinearRegression, which cannot be split"),
        (make_pipeline(LinearRegression()), "only the step `linearregression`"),
    ],
)
def test_what_has_no_preprocessing_is_refused(model: Any, why: str) -> None:
    """There is nothing to exchange."""
    with pytest.raises(PackRefused, match=why):
        split(model)


def test_the_form_of_an_array_has_the_names_of_its_step() -> None:
    """scikit-learn's steps name the columns of their arrays."""
    _, form = model_input(split(fitted(StandardScaler())).preprocessing, FRAME)
    assert (form.kind, form.width, form.names) == ("ndarray", 2, ("a", "b"))
    assert form.dtypes == ("float64",)


def test_the_form_of_a_frame_has_a_type_for_each_column() -> None:
    """Its own names and types."""
    half = FunctionTransformer(lambda frame: frame.assign(b=frame["b"].astype("int32")))
    _, form = model_input(split(fitted(half)).preprocessing, FRAME)
    assert (form.kind, form.names, form.dtypes) == ("DataFrame", ("a", "b"), ("float64", "int32"))


def test_an_array_that_nothing_names_has_no_names() -> None:
    """A step need not say what it gives."""
    _, form = model_input(split(fitted(FunctionTransformer(np.asarray))).preprocessing, FRAME)
    assert (form.kind, form.names) == ("ndarray", None)


def test_a_sparse_form_says_its_format() -> None:
    """A model may accept only one."""
    texts = pd.DataFrame({"t": ["a b", "b c", "c c"]})
    words = ColumnTransformer(
        [("t", CountVectorizer(token_pattern=r"\w"), "t")], sparse_threshold=1.0
    )
    pipeline = make_pipeline(words, LinearRegression()).fit(texts, TARGET)
    _, form = model_input(split(pipeline).preprocessing, texts)
    assert form.kind == "sparse csr matrix"
    assert form.names == ("t__a", "t__b", "t__c")
