"""The columns that a pipeline reads are known from its structure, or unknown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingRegressor, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from gnomon.pipeline.read_columns import first_steps, read_columns

X = pd.DataFrame(np.random.default_rng(3).normal(size=(60, 4)), columns=list("abcd"))
LABELS = np.where(X["a"] > 0, 1, 0)


def scaled(*columns: Any) -> ColumnTransformer:
    """Reads only these columns."""
    return ColumnTransformer([("scaled", StandardScaler(), [*columns])])


def labelled(*columns: Any) -> Any:
    """A classifier of these columns."""
    return make_pipeline(scaled(*columns), LogisticRegression())


class Reading(ColumnTransformer):
    """A class of the user's."""


@pytest.mark.parametrize(
    ("pipeline", "read"),
    [
        (labelled("a", "c"), "ac"),
        (labelled(-1, 0), "ad"),
        (ColumnTransformer([("one", StandardScaler(), ["a"]), ("no", "drop", ["b"])]), "a"),
        (ColumnTransformer([("one", StandardScaler(), ["a"])], remainder="passthrough"), "abcd"),
        (ColumnTransformer([("one", scaled("a"), ["a", "b"])]), "ab"),
        (FeatureUnion([("one", scaled("a")), ("two", scaled("b")), ("no", "drop")]), "ab"),
        (VotingClassifier([("one", labelled("a")), ("two", labelled("b"))]), "ab"),
        (CalibratedClassifierCV(labelled("a"), cv=2), "a"),
        (CalibratedClassifierCV(FrozenEstimator(labelled("a").fit(X, LABELS))), "a"),
        (FixedThresholdClassifier(labelled("a")), "a"),
        (TunedThresholdClassifierCV(labelled("a"), cv=2), "a"),
        (MultiOutputRegressor(make_pipeline(scaled("a"), LinearRegression())), "a"),
        (StackingRegressor([("one", make_pipeline(scaled("a"), LinearRegression()))], cv=2), "a"),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, str) else value,
)
def test_what_scikit_learns_own_classes_select_is_known(pipeline: Any, read: str) -> None:
    """Nested selectors are known too. The answers are the same without the other columns."""
    y = np.column_stack([LABELS, X["b"]]) if "MultiOutput" in type(pipeline).__name__ else LABELS
    pipeline.fit(X, y)
    assert read_columns(pipeline) == {*read}
    answer = getattr(pipeline, "predict", None) or pipeline.transform
    np.testing.assert_array_equal(answer(X), answer(X[[*read]]))


@pytest.mark.parametrize(
    "pipeline",
    [
        LinearRegression(),
        make_pipeline(FunctionTransformer(), LinearRegression()),
        FeatureUnion([("one", scaled("a")), ("all", "passthrough")]),
        StackingRegressor(
            [("one", make_pipeline(scaled("a"), LinearRegression()))], passthrough=True, cv=2
        ),
        Reading([("scaled", StandardScaler(), ["a"])]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_of_other_steps_nothing_is_known(pipeline: Any) -> None:
    """A subclass may read more than the class that it is derived from."""
    assert read_columns(pipeline.fit(X, LABELS)) is None


class Resampling(FunctionTransformer):
    """A transformer that could also resample."""

    def fit_resample(self, X: Any, y: Any) -> Any:  # noqa: N803
        """What imbalanced-learn would call."""
        return X, y


def test_a_step_that_can_resample_reads_what_it_gets() -> None:
    """scikit-learn's own pipeline calls its `transform` in every prediction."""
    pipeline = make_pipeline(Resampling(), scaled("a"), LinearRegression()).fit(X, LABELS)
    assert read_columns(pipeline) is None


def test_of_an_array_no_names_are_known() -> None:
    """Its columns have none, and their number must stay."""
    assert read_columns(labelled(0).fit(X.to_numpy(), LABELS)) is None


def test_the_first_steps_get_the_input_as_it_is() -> None:
    """Those that are not entered, in order."""
    union = FeatureUnion([("one", scaled("a")), ("two", FunctionTransformer())])
    pipeline = make_pipeline("passthrough", union, LinearRegression()).fit(X, LABELS)
    assert [type(step) for step in first_steps(pipeline)] == [
        ColumnTransformer,
        FunctionTransformer,
    ]
    assert first_steps(make_pipeline("passthrough")) == ["passthrough"]
