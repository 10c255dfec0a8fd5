"""Rows of requests get the same answers as in training; refusals name the reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace
from sklearn import datasets, linear_model
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC, LinearSVR

from gnomon.artifact import load, pack
from gnomon.artifact.checks.round_trip import check_round_trip
from gnomon.contract import infer_contract
from gnomon.contract.frames import from_frame, to_frame
from gnomon.errors import PackRefused

Project = Callable[..., Any]

DIABETES = datasets.load_diabetes(as_frame=True)
REGRESSORS: tuple[Any, ...] = (
    linear_model.LinearRegression(),
    linear_model.Ridge(),
    linear_model.Lasso(),
    linear_model.ElasticNet(),
    linear_model.BayesianRidge(),
    linear_model.ARDRegression(),
    linear_model.HuberRegressor(max_iter=1000),
    linear_model.Lars(),
    linear_model.OrthogonalMatchingPursuit(),
    linear_model.TweedieRegressor(max_iter=1000),
    linear_model.SGDRegressor(random_state=0, max_iter=2000),
    LinearSVR(random_state=0),
    make_pipeline(StandardScaler(), linear_model.RidgeCV()),
)
CLASSIFIERS: tuple[Any, ...] = (
    linear_model.LogisticRegression(max_iter=5000),
    linear_model.RidgeClassifier(),
    linear_model.SGDClassifier(random_state=0),
    linear_model.Perceptron(random_state=0),
    LinearSVC(random_state=0),
    make_pipeline(StandardScaler(), linear_model.LogisticRegression()),
)


def faithful(model: Any, frame: pd.DataFrame, **outputs: Any) -> None:
    contract = infer_contract(frame, **outputs)
    assert contract.layout == "rows"
    check_round_trip(model, frame.iloc[:64], contract)
    served = to_frame(from_frame(frame, contract), contract)
    np.testing.assert_array_equal(model.predict(served), model.predict(frame))


@pytest.mark.parametrize("model", REGRESSORS, ids=lambda m: type(m).__name__)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_linear_models_of_a_row_major_frame_answer_the_same_bits(model: Any) -> None:
    """`load_diabetes(as_frame=True)` is made of a NumPy array; the served frame has its layout."""
    faithful(model.fit(DIABETES.data, DIABETES.target), DIABETES.data, task="regression")


@pytest.mark.slow
@pytest.mark.parametrize("loaded", ["load_iris", "load_wine", "load_breast_cancer"])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: type(m).__name__)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_linear_classifiers_too(model: Any, loaded: str) -> None:
    """The models are trained on iris, wine and breast cancer."""
    data = getattr(datasets, loaded)(as_frame=True)
    faithful(
        model.fit(data.data, data.target),
        data.data,
        task="classification",
        classes=model.classes_,
        probabilities=hasattr(model, "predict_proba"),
    )


def test_a_column_major_contract_of_a_row_major_frame_is_packed(home: Path) -> None:
    """Its sums are added in another order, and differ by no more than rounding."""
    model = LinearRegression().fit(DIABETES.data, DIABETES.target)
    contract = replace(infer_contract(DIABETES.data, task="regression"), layout="columns")
    artifact = pack("linear", model, DIABETES.data, DIABETES.target, contract=contract)
    served = load(artifact.tag).predict(to_frame(from_frame(DIABETES.data, contract), contract))
    np.testing.assert_allclose(
        served["prediction"].to_numpy(), model.predict(DIABETES.data), rtol=1e-13
    )


ORDER = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class ReadsMemory(RegressorMixin, BaseEstimator):
    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def predict(self, X):
        return X.to_numpy().ravel("K")[: len(X)]
"""


def test_a_step_that_reads_memory_in_its_order_is_refused(project: Project) -> None:
    """Its answers differ by far more than rounding."""
    model = project({"__init__.py": ORDER}, name="reads_memory").ReadsMemory().fit(DIABETES.data)
    contract = replace(infer_contract(DIABETES.data, task="regression"), layout="columns")
    with pytest.raises(PackRefused, match="depends on the memory layout of the frame"):
        check_round_trip(model, DIABETES.data.iloc[:64], contract)


def test_the_column_that_its_type_changes_is_named() -> None:
    """The refusal names the feature of the contract, not only that an answer changes."""
    frame = pd.DataFrame({"a": np.linspace(0, 1, 40), "b": np.linspace(3, 9, 40)})
    model = LinearRegression().fit(frame, frame["a"] - frame["b"])
    contract = infer_contract(frame, task="regression")
    narrow = replace(contract.features[1], dtype="float16")
    with pytest.raises(PackRefused, match="when `b` is converted by the contract") as caught:
        check_round_trip(model, frame, replace(contract, features=(contract.features[0], narrow)))
    assert caught.value.where == "column `b`"


def test_a_random_draw_is_called_so() -> None:
    """The step that draws is named, and the contract is not blamed."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(random.normal(size=(80, 3)), columns=list("abc"))
    frame.loc[::7, "b"] = np.nan
    imputer = IterativeImputer(sample_posterior=True, random_state=0)
    model = make_pipeline(imputer, LinearRegression()).fit(frame, frame.sum(axis=1))
    with pytest.raises(PackRefused, match=r"`iterativeimputer`.*draws at random.*") as caught:
        check_round_trip(model, frame, infer_contract(frame, task="regression"))
    assert caught.value.where == "step `iterativeimputer`, column `b`"
    assert "sample_posterior=False" in str(caught.value.hint)
