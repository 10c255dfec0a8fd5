"""The answers of every kind of fitted model in scikit-learn."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from sklearn.cluster import DBSCAN, KMeans
from sklearn.covariance import EllipticEnvelope
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.manifold import TSNE
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KernelDensity, LocalOutlierFactor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC

from gnomon.contract import infer_contract
from gnomon.errors import PackRefused
from gnomon.pipeline.model_outputs import described
from gnomon.pipeline.predicting import DirectPredictor, Predictor

X = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 4)), columns=list("abcd"))
NUMBERS = pd.DataFrame({"u": X["a"] * 2 + X["b"], "v": X["c"] - X["d"]})
FLAGS = pd.DataFrame({"hot": (X["a"] > 0).astype(int), "wet": (X["b"] > 0).astype(int)})
NAMED = pd.DataFrame({"hot": np.where(X["a"] > 0, "y", "n"), "wet": np.where(X["b"] > 0, "y", "n")})
THREE = np.where(X["a"] > 0, "p", np.where(X["b"] > 0, "q", "r"))


class Threshold:
    """What has a `predict` and nothing else."""

    def predict(self, rows: pd.DataFrame) -> npt.NDArray[np.int64]:
        return (rows["a"].to_numpy() > 0).astype(int)


class Halves(Threshold):
    """The same, of numbers."""

    def predict(self, rows: pd.DataFrame) -> npt.NDArray[Any]:
        return rows["a"].to_numpy() / 2


class Bounds(Threshold):
    """What names the columns of its answer."""

    def predict(self, rows: pd.DataFrame) -> Any:
        return pd.DataFrame({"low": rows["a"] - 1, "high": rows["a"] + 1})


KINDS: dict[str, tuple[Any, Any, str, dict[str, str]]] = {
    "several numbers": (
        LinearRegression(),
        NUMBERS,
        "regression",
        {"prediction_u": "float", "prediction_v": "float"},
    ),
    "without names": (
        LinearRegression(),
        NUMBERS.to_numpy(),
        "regression",
        {"prediction_0": "float", "prediction_1": "float"},
    ),
    "a probability of each class of each target": (
        MultiOutputClassifier(LogisticRegression()),
        NAMED,
        "classification",
        {"prediction_hot": "string", "prediction_wet": "string"}
        | {f"probability_{target}_{label}": "float" for target in NAMED for label in "ny"},
    ),
    "a forest of several targets": (
        RandomForestClassifier(3, random_state=0),
        FLAGS,
        "classification",
        {"prediction_hot": "integer", "prediction_wet": "integer"}
        | {f"probability_{target}_{label}": "float" for target in FLAGS for label in (0, 1)},
    ),
    "a chain": (
        ClassifierChain(LogisticRegression(), random_state=0),
        FLAGS,
        "classification",
        {"prediction_hot": "integer", "prediction_wet": "integer"}
        | {"probability_hot_1": "float", "probability_wet_1": "float"},
    ),
    "one matrix of labels": (
        OneVsRestClassifier(LogisticRegression()),
        FLAGS.to_numpy(),
        "classification",
        {"prediction_0": "integer", "prediction_1": "integer"}
        | {"probability_0_1": "float", "probability_1_1": "float"},
    ),
    "a score of each target": (
        RidgeClassifier(),
        FLAGS,
        "classification",
        {"prediction_hot": "integer", "prediction_wet": "integer"}
        | {"score_hot": "float", "score_wet": "float"},
    ),
    "a score of each class": (
        LinearSVC(random_state=0),
        THREE,
        "classification",
        {"prediction": "string", "score_p": "float", "score_q": "float", "score_r": "float"},
    ),
    "a score of each pair of classes": (
        SVC(decision_function_shape="ovo"),
        THREE,
        "classification",
        {"prediction": "string", "score_0": "float", "score_1": "float", "score_2": "float"},
    ),
    "one score of two classes": (
        make_pipeline(StandardScaler(), RidgeClassifier()),
        FLAGS["hot"],
        "classification",
        {"prediction": "integer", "score": "float"},
    ),
    "outliers": (
        IsolationForest(n_estimators=3, random_state=0),
        None,
        "outlier_detection",
        {"prediction": "integer", "score": "float"},
    ),
    "an envelope": (
        EllipticEnvelope(random_state=0),
        None,
        "outlier_detection",
        {"prediction": "integer", "score": "float"},
    ),
    "clusters": (
        KMeans(3, n_init=1, random_state=0),
        None,
        "clustering",
        {"prediction": "integer"},
    ),
    "a mixture": (
        GaussianMixture(2, random_state=0),
        None,
        "clustering",
        {"prediction": "integer", "probability_0": "float", "probability_1": "float"},
    ),
    "a density": (KernelDensity(), None, "density_estimation", {"score": "float"}),
    "an embedding": (
        make_pipeline(StandardScaler(), PCA(2)),
        None,
        "transformation",
        {"pca0": "float", "pca1": "float"},
    ),
    "an embedding without names": (
        FunctionTransformer(np.asarray),
        None,
        "transformation",
        {f"value_{place}": "float" for place in range(4)},
    ),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_model_is_described_and_answers(
    kind: tuple[Any, Any, str, dict[str, str]],
) -> None:
    """The fast way and the model's own methods give the same, by a contract of its task and
    outputs.
    """
    model, y, task, outputs = kind
    model.fit(X, y) if y is not None else model.fit(X)
    found = described(model, X.iloc[:20], y)
    assert found.task == task
    assert {output.name: output.type for output in found.outputs} == outputs
    contract = infer_contract(X, task=found.task, classes=found.classes, outputs=found.outputs)
    answered = Predictor(model, contract)(X)
    assert answered.equals(DirectPredictor(model, contract)(X))
    assert answered.schema == contract.output_schema


def test_the_numbers_are_those_of_the_models_methods() -> None:
    """Each column is that of its own target, class or score."""
    model = MultiOutputClassifier(LogisticRegression()).fit(X, NAMED)
    found = described(model, X, NAMED)
    contract = infer_contract(X, task=found.task, outputs=found.outputs)
    answered = Predictor(model, contract)(X)
    hot, wet = model.predict_proba(X)
    assert answered["prediction_wet"].to_pylist() == list(model.predict(X)[:, 1])
    np.testing.assert_array_equal(answered["probability_hot_y"], hot[:, 1])
    np.testing.assert_array_equal(answered["probability_wet_n"], wet[:, 0])


@pytest.mark.parametrize(
    ("model", "y", "task"),
    [
        (Threshold(), None, "classification"),
        (Threshold(), FLAGS["hot"], "classification"),
        (Halves(), None, "regression"),
        (Halves(), FLAGS["hot"], "regression"),
    ],
)
def test_what_only_predicts_is_judged_by_what_it_predicts(model: Any, y: Any, task: str) -> None:
    """A class that knows nothing of scikit-learn names labels or gives numbers."""
    assert described(model, X, y).task == task


def test_targets_are_called_as_the_answer_calls_them() -> None:
    """Where no y says how, or y is one quantity of which several quantiles are predicted."""
    for y in (None, np.arange(len(X)) * 1.0, pd.DataFrame({"sold": np.arange(len(X)) * 1.0})):
        found = described(Bounds(), X, y)
        assert [output.name for output in found.outputs] == ["prediction_low", "prediction_high"]


NOTHING: tuple[tuple[Any, str, str], ...] = (
    (DBSCAN(), "DBSCAN has no `predict`.*`fit_predict` only answers", "fit a classifier"),
    (LocalOutlierFactor(), "novelty=False", r"LocalOutlierFactor\(novelty=True\)"),
    (TSNE(), "TSNE has no `predict` and no `transform`", "PCA or KernelPCA"),
    (GridSearchCV(Halves(), {}, refit=False), "refit=False", "refit=True"),
    (len, "nothing that answers new rows", "complete pipeline"),
)


@pytest.mark.parametrize(("model", "message", "hint"), NOTHING)
def test_what_answers_no_new_rows_is_refused_with_the_reason(
    model: Any, message: str, hint: str
) -> None:
    """The error has the line to change."""
    with pytest.raises(PackRefused, match=message) as caught:
        described(model, X)
    assert re.search(hint, str(caught.value.hint))


def test_more_columns_than_can_be_logged_are_refused() -> None:
    """A vectorizer alone answers a million."""
    text = pd.Series(["a b", "c"])
    with pytest.raises(PackRefused, match=r"1,048,576 columns, and at most 4,096") as caught:
        described(HashingVectorizer(), text)  # type: ignore[arg-type]
    assert "TruncatedSVD" in str(caught.value.hint)


def test_two_outputs_of_one_name_are_refused() -> None:
    """The class `b_c` of `a` and the class `c` of `a_b`."""
    y = pd.DataFrame({"a": np.where(X["a"] > 0, "b_c", "d"), "a_b": np.where(X["b"] > 0, "c", "e")})
    model = MultiOutputClassifier(LogisticRegression()).fit(X, y)
    with pytest.raises(PackRefused, match="two outputs would be called `probability_a_b_c`"):
        described(model, X, y)
