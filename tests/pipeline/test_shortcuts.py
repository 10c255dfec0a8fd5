"""A shortcut's answer equals that of the step, bit for bit, for any input."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

from gnomon.pipeline.shortcuts import quick_model, shortcut

CARRIERS = ["AA", "B6", "DL", "UA", "é"]
TEXTS = ["late again", "on time", "", "late late late", "weather at the origin"]
NUMBERS = ["distance", "minute", "temp"]


def rows(count: int = 60, seed: int = 3) -> pd.DataFrame:
    """Clean rows of every type a contract has."""
    random = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "carrier": pd.Series(random.choice(CARRIERS[:4], count), dtype="str"),
            "dest": pd.Series(random.choice(["ATL", "LAX", "ORD"], count), dtype="category"),
            "distance": random.normal(800, 300, count),
            "minute": random.integers(0, 60, count).astype(float),
            "temp": np.where(random.random(count) < 0.3, np.nan, random.normal(15, 9, count)),
            "text": pd.Series(random.choice(TEXTS, count), dtype="str"),
            "stops": random.integers(0, 3, count),
        }
    )


class Halved(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """A user's own step."""

    def fit(self, X: pd.DataFrame, y: object = None) -> Halved:  # noqa: N803
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def transform(self, X: pd.DataFrame) -> Any:  # noqa: N803
        return X.to_numpy(np.float64) / 2


class OwnEncoder(OneHotEncoder):  # type: ignore[misc]
    """A subclass, which may do anything."""

    def transform(self, X: Any) -> Any:  # noqa: N803
        return super().transform(X) * 2


def _numbers(**options: Any) -> Pipeline:
    return make_pipeline(SimpleImputer(**options), StandardScaler())


PIPELINES: dict[str, Callable[[], Any]] = {
    "dense": lambda: ColumnTransformer(
        [
            ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["carrier", "dest"]),
            ("n", _numbers(strategy="median", add_indicator=True), NUMBERS),
            ("own", Halved(), ["distance", "stops"]),
        ]
    ),
    "sparse": lambda: ColumnTransformer(
        [
            ("c", OneHotEncoder(handle_unknown="ignore"), ["carrier", "dest"]),
            ("t", TfidfVectorizer(), "text"),
            ("n", SimpleImputer(), NUMBERS),
        ],
        sparse_threshold=1.0,
    ),
    "sparse made dense": lambda: ColumnTransformer(
        [("c", OneHotEncoder(handle_unknown="ignore"), ["carrier"]), ("n", _numbers(), NUMBERS)],
        sparse_threshold=0.0,
    ),
    "ordinal": lambda: ColumnTransformer(
        [
            (
                "c",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
                ["carrier", "dest"],
            ),
            (
                "s",
                OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan),
                ["minute"],
            ),
        ],
        remainder="drop",
    ),
    "passthrough": lambda: ColumnTransformer(
        [("gone", "drop", ["text"]), ("kept", "passthrough", ["distance"]), ("none", Halved(), [])],
        remainder=StandardScaler(),
    ).set_params(remainder="drop"),
    "by place": lambda: ColumnTransformer(
        [("n", StandardScaler(), [2, 3]), ("one", OneHotEncoder(handle_unknown="ignore"), [0])]
    ),
    "by selector": lambda: ColumnTransformer(
        [("n", _numbers(), make_column_selector(dtype_include="float64"))]
    ),
    "nested": lambda: Pipeline(
        [
            (
                "columns",
                ColumnTransformer(
                    [
                        ("n", _numbers(), NUMBERS),
                        ("u", FeatureUnion([("a", Halved()), ("b", Halved())]), ["distance"]),
                    ]
                ),
            ),
            ("nothing", None),
            ("same", "passthrough"),
            ("identity", FunctionTransformer()),
            ("union", FeatureUnion([("s", StandardScaler()), ("p", PCA(2))])),
        ]
    ),
    "options without a shortcut": lambda: ColumnTransformer(
        [
            ("rare", OneHotEncoder(min_frequency=5, handle_unknown="ignore"), ["carrier"]),
            ("drop", OneHotEncoder(drop="first"), ["dest"]),
            ("scale", MinMaxScaler(), ["distance"]),
            ("own", OwnEncoder(handle_unknown="ignore"), ["carrier"]),
            ("hash", HashingVectorizer(n_features=16), "text"),
        ],
        transformer_weights={"rare": 2.0},
    ),
    "weighted union": lambda: make_pipeline(
        ColumnTransformer([("n", "passthrough", ["distance", "minute"])]),
        FeatureUnion(
            [("a", StandardScaler()), ("b", "passthrough")], transformer_weights={"a": 3.0}
        ),
    ),
    "framed": lambda: ColumnTransformer([("n", StandardScaler(), ["distance"])]).set_output(
        transform="pandas"
    ),
    "fills zeros": lambda: ColumnTransformer(
        [("n", SimpleImputer(missing_values=0.0, strategy="constant", fill_value=7.0), ["minute"])]
    ),
}


def _gives(transform: Callable[[Any], Any], frame: pd.DataFrame) -> Any:
    """What comes out, down to its bytes; or the error."""
    try:
        out = transform(frame)
    except Exception as error:
        return type(error), str(error)
    if isinstance(out, pd.DataFrame):
        return list(out.columns), out.to_numpy().tobytes()
    kind = type(out)
    if sparse.issparse(out):
        out = out.toarray()
    return kind, out.dtype, out.shape, out.flags.c_contiguous, out.tobytes()


@pytest.fixture(scope="module", params=PIPELINES.values(), ids=PIPELINES)
def step(request: pytest.FixtureRequest) -> Any:
    return request.param().fit(rows())


def test_clean_rows(step: Any) -> None:
    """One row or many come out as from the step."""
    taken = shortcut(step)
    for frame in (rows(), rows(200, 4), rows(1, 5), rows(0)):
        assert _gives(taken, frame) == _gives(step.transform, frame)


@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_strange_rows(step: Any, data: st.DataObject) -> None:
    """Unseen categories, nulls, infinities and other types: the same bits or the same error."""
    number = st.one_of(st.floats(-1e4, 1e4), st.sampled_from([np.nan, 0.0, -0.0, np.inf, 1e300]))
    carrier = st.sampled_from([*CARRIERS, "a longer name than any", None])
    size = data.draw(st.integers(1, 6))

    def column(values: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(values, min_size=size, max_size=size))

    frame = rows(size).assign(
        carrier=pd.Series(column(carrier), dtype=data.draw(st.sampled_from(["str", "object"]))),
        dest=pd.Series(column(st.sampled_from(["ATL", "LAX", "SEA"])), dtype="category"),
        distance=column(number),
        minute=column(number),
        temp=column(number),
    )
    assert _gives(shortcut(step), frame) == _gives(step.transform, frame)


def test_other_columns(step: Any) -> None:
    """Columns in another order, more or fewer, and an array instead of a frame."""
    taken, clean = shortcut(step), rows()
    for other in (clean[clean.columns[::-1]], clean.assign(more=1), clean.drop(columns="distance")):
        assert _gives(taken, other) == _gives(step.transform, other)


def test_the_input_is_left_as_it_was(step: Any) -> None:
    """A shortcut writes into nothing it was given."""
    frame = rows()
    shortcut(step)(frame)
    pd.testing.assert_frame_equal(frame, rows())


def test_an_unread_release_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """With an untested release of scikit-learn, every step is called."""
    step = PIPELINES["dense"]().fit(rows())
    assert shortcut(step) != step.transform
    monkeypatch.setattr(sklearn, "__version__", "9.9.0")
    assert shortcut(step) == step.transform


def matrix(count: int = 80, seed: int = 5) -> Any:
    """Two columns of category codes, two of numbers with holes."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 5, (count, 2)).astype(float)
    numbers = np.where(random.random((count, 2)) < 0.2, np.nan, random.normal(size=(count, 2)))
    return np.hstack((codes, numbers))


BOOSTING: dict[str, Callable[[], Any]] = {
    "two classes": lambda: HistGradientBoostingClassifier(max_iter=8, categorical_features=[0, 1]),
    "three classes": lambda: HistGradientBoostingClassifier(max_iter=8, categorical_features=[0]),
    "numbers only": lambda: HistGradientBoostingClassifier(max_iter=8),
    "regression": lambda: HistGradientBoostingRegressor(max_iter=8, categorical_features=[1]),
}


@pytest.fixture(scope="module", params=BOOSTING)
def boosting(request: pytest.FixtureRequest) -> Any:
    X = matrix()  # noqa: N806
    classes = 3 if request.param == "three classes" else 2
    y = X[:, 0] + np.nan_to_num(X[:, 2])
    if request.param != "regression":
        y = np.digitize(y, np.quantile(y, np.linspace(0, 1, classes + 1)[1:-1]))
    return BOOSTING[request.param]().fit(X, y)


def says(model: Any, X: Any) -> bytes:  # noqa: N803
    """Every bit of a model's answers."""
    ask = model.predict if isinstance(model, HistGradientBoostingRegressor) else model.predict_proba
    return bytes(np.ascontiguousarray(ask(X)).tobytes() + np.asarray(model.predict(X)).tobytes())


@given(
    seed=st.integers(0, 1000),
    count=st.integers(1, 40),
    unknown=st.sampled_from([-1.0, 2.5, np.nan]),
)
@settings(max_examples=25, deadline=None)
def test_quick_boosting_answers_the_same_bits(
    boosting: Any, seed: int, count: int, unknown: float
) -> None:
    """The inputs have nulls, unseen categories and any memory layout, or are no matrix."""
    quick, X = quick_model(boosting), matrix(count, seed)  # noqa: N806
    X[0, :2] = unknown
    X[-1] = np.nan
    for given_rows in (X, np.asfortranarray(X), X.astype(np.float32), X.tolist()):
        assert says(quick, given_rows) == says(boosting, given_rows)


def test_quick_boosting_runs_none_of_its_checks(
    boosting: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its transformer nor its validation runs on a matrix of floats."""
    expected, quick = says(boosting, matrix()), quick_model(boosting)

    def checked(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("it was checked")

    monkeypatch.setattr(ColumnTransformer, "transform", checked)
    monkeypatch.setattr(type(boosting), "_preprocess_X", checked)
    assert says(quick, matrix()) == expected
    with pytest.raises(AssertionError, match="it was checked"):
        says(boosting, matrix())


@pytest.mark.parametrize("bad", [matrix()[:, :3], matrix()[0], matrix()[:0]])
def test_quick_boosting_raises_its_own_errors(boosting: Any, bad: Any) -> None:
    """Too few columns, one row that is no matrix, no row."""
    with pytest.raises(ValueError, match=r"Found array|Expected 2D|features") as own:
        boosting.predict(bad)
    with pytest.raises(ValueError, match=re.escape(str(own.value))):
        quick_model(boosting).predict(bad)


def test_other_models_are_left_alone() -> None:
    """One fitted on a frame wants a frame; a subclass may do anything."""

    class Own(HistGradientBoostingClassifier):  # type: ignore[misc]
        """A user's own."""

    X, y = matrix(), np.arange(80) % 2  # noqa: N806
    framed = HistGradientBoostingClassifier(max_iter=2).fit(
        pd.DataFrame(X, columns=list("abcd")), y
    )
    for model in (framed, Own(max_iter=2).fit(X, y), PCA(1).fit(np.nan_to_num(X))):
        assert quick_model(model) is model


@pytest.mark.parametrize("strange", [np.inf, -np.inf, np.nan, 1e300, 2.5])
@pytest.mark.parametrize(
    "encoder",
    [
        OneHotEncoder(handle_unknown="ignore"),
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    ],
)
def test_numbers_that_an_encoder_refuses_are_refused(encoder: Any, strange: float) -> None:
    """Infinity is an error and not an unknown category, with and without a shortcut."""
    step = encoder.fit(np.array([[1.0], [2.0], [4.0]]))
    taken = shortcut(step)
    assert taken != step.transform
    rows = np.array([[1.0], [strange]])
    assert _gives(taken, rows) == _gives(step.transform, rows)
