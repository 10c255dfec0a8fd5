"""The outputs are what the pipeline itself answers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from gnomon.contract.contract import Contract, Feature, Output
from gnomon.pipeline import outputs, shortcuts
from gnomon.pipeline.methods import as_columns
from gnomon.pipeline.predicting import Predictor


def contract(classes: tuple[Any, ...] = (), kind: Any = "float", proba: bool = True) -> Contract:
    probabilities = [Output(name=f"probability_{c}", type="float") for c in classes if proba]
    return Contract(
        task="classification" if classes else "regression",
        features=tuple(Feature(name=name, type="float", dtype="float64") for name in "abc"),
        outputs=(Output(name="prediction", type=kind), *probabilities),
        classes=classes,
    )


def table(rows: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(5)
    return pd.DataFrame(random.normal(size=(rows, 3)).round(1), columns=list("abc"))


CLASSIFIERS = [
    DecisionTreeClassifier(max_depth=2, random_state=1),
    ExtraTreesClassifier(n_estimators=4, max_depth=2, random_state=1),
    HistGradientBoostingClassifier(max_iter=4, random_state=1),
    LogisticRegression(),
    RandomForestClassifier(n_estimators=4, max_depth=2, random_state=1),
    GaussianNB(),
    CalibratedClassifierCV(GaussianNB(), cv=2),
]
CASES = [(model, classes) for model in CLASSIFIERS for classes in (("no", "yes"), ("a", "b", "c"))]
CASES.append((FixedThresholdClassifier(LogisticRegression(), threshold=0.8), ("no", "yes")))


@pytest.mark.parametrize(
    ("model", "classes"), CASES, ids=[f"{type(m).__name__}-{len(c)}" for m, c in CASES]
)
def test_a_classifier_answers_as_it_does_itself(model: Any, classes: tuple[str, ...]) -> None:
    """Labels and probabilities are bit for bit those of predict and predict_proba."""
    rows = table()
    target = np.asarray(classes)[(np.abs(rows["a"]) * 10).astype(int) % len(classes)]
    pipeline = make_pipeline(StandardScaler(), clone(model)).fit(rows, target)
    answer = outputs(pipeline, rows, contract(classes, "string"))
    assert answer["prediction"].to_pylist() == pipeline.predict(rows).tolist()
    probabilities = pipeline.predict_proba(rows)
    for index, name in enumerate(classes):
        column = answer[f"probability_{name}"].to_numpy()
        np.testing.assert_array_equal(column, probabilities[:, index])


def test_a_tie_is_decided_by_the_model() -> None:
    """Where rounding makes both probabilities one half, the label is still the score's."""
    rows = table()
    pipeline = make_pipeline(LogisticRegression()).fit(rows, rows["a"] > 0)
    model = pipeline[-1]
    model.coef_, model.intercept_ = np.array([[1e-17, 0.0, 0.0]]), np.array([0.0])
    expected = pipeline.predict(rows)
    assert expected.any()
    assert (pipeline.predict_proba(rows) == 0.5).all()
    answer = outputs(pipeline, rows, contract((False, True), "boolean"))
    assert answer["prediction"].to_pylist() == expected.tolist()


class Contrary(LogisticRegression):
    """Predicts the less likely class."""

    def predict(self, X: Any) -> Any:  # noqa: N803
        return self.classes_[np.asarray(self.predict_proba(X)).argmin(axis=1)]


def test_a_subclass_is_asked_for_its_own_label() -> None:
    """A class that only looks like scikit-learn's may predict otherwise."""
    rows = table()
    pipeline = make_pipeline(Contrary()).fit(rows, rows["a"] > 0)
    answer = outputs(pipeline, rows, contract((False, True), "boolean"))
    assert answer["prediction"].to_pylist() == pipeline.predict(rows).tolist()


class Loud(Pipeline):
    """A pipeline that predicts otherwise than its steps."""

    def predict(self, X: Any, **params: Any) -> Any:  # noqa: N803
        return ~super().predict(X, **params)


def test_a_pipeline_of_another_class_is_asked_itself() -> None:
    """Steps are only walked for scikit-learn's own Pipeline."""
    rows = table()
    pipeline = Loud([("model", LogisticRegression())]).fit(rows, rows["a"] > 0)
    answer = outputs(pipeline, rows, contract((False, True), "boolean"))
    assert answer["prediction"].to_pylist() == pipeline.predict(rows).tolist()


def test_preprocessing_runs_once() -> None:
    """A pipeline is not preprocessed a second time for the label."""
    calls = []

    class Counting(StandardScaler):
        def transform(self, X: Any, copy: Any = None) -> Any:  # noqa: N803
            calls.append(len(X))
            return super().transform(X, copy=copy)

    rows = table()
    pipeline = Pipeline([("scale", Counting()), ("skip", "passthrough"), ("model", GaussianNB())])
    pipeline.fit(rows, rows["a"] > 0)
    calls.clear()
    outputs(pipeline, rows, contract((False, True), "boolean"))
    assert calls == [len(rows)]


def test_a_classifier_without_probabilities_gives_labels() -> None:
    """Its contract has one output."""
    rows = table()
    pipeline = make_pipeline(LinearSVC()).fit(rows, (rows["a"] > 0).astype(int))
    answer = outputs(pipeline, rows, contract((0, 1), "integer", proba=False))
    assert answer.schema == pa.schema([pa.field("prediction", pa.int64())])
    assert answer["prediction"].to_pylist() == pipeline.predict(rows).tolist()


@pytest.mark.parametrize("model", [LinearRegression(), HistGradientBoostingRegressor(max_iter=3)])
def test_a_regressor_gives_numbers(model: Any) -> None:
    """They are bit for bit those of predict."""
    rows = table()
    pipeline = make_pipeline(StandardScaler(), model).fit(rows, rows["a"] * 3)
    answer = outputs(pipeline, rows, contract())
    np.testing.assert_array_equal(answer["prediction"].to_numpy(), pipeline.predict(rows))


def test_shortcuts_answer_the_same() -> None:
    """With them the answers are those without, and the steps are no longer called."""
    rows = table()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows["a"] > 0)
    promised = contract((False, True), "boolean")
    predictor = Predictor(pipeline, promised)
    assert predictor.take_shortcuts(rows)
    assert predictor(rows).equals(outputs(pipeline, rows, promised))


@pytest.mark.parametrize("off", [np.nextafter(1, 2), np.float32(1)], ids=["a bit", "a type"])
def test_a_shortcut_that_moves_a_bit_is_not_taken(
    off: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A predictor that finds a difference goes on calling the steps."""
    rows = table()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows["a"] > 0)
    promised = contract((False, True), "boolean")

    def wrong(step: Any, plain: Any) -> Any:
        return lambda x: (plain(x) * off).astype(type(off))

    monkeypatch.setitem(shortcuts._BUILDERS, StandardScaler, wrong)
    predictor = Predictor(pipeline, promised)
    assert not predictor.take_shortcuts(rows)
    assert predictor(rows).equals(outputs(pipeline, rows, promised))


def test_a_shortcut_that_raises_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of a shortcut is no error of the pipeline."""
    rows = table()
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, rows["a"] > 0)
    monkeypatch.setitem(shortcuts._BUILDERS, StandardScaler, lambda step, plain: lambda x: x.gone)
    assert not Predictor(pipeline, contract((False, True), "boolean")).take_shortcuts(rows)


def test_what_is_under_a_mask_is_no_answer() -> None:
    """A masked number is NaN, which is an error of its row; the hidden number used to be
    answered.
    """
    (column,) = as_columns(np.ma.masked_array([1.5, 2.5], [False, True]))
    np.testing.assert_array_equal(column, [1.5, np.nan])
