"""A shortcut's answer is its step's own, to the bit, whatever comes in."""

from __future__ import annotations

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

from gnomon.models import shortcuts
from gnomon.models.shortcuts import shortcut

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
    """On a scikit-learn that nobody compared, every step is called."""
    step = PIPELINES["dense"]().fit(rows())
    assert shortcut(step) != step.transform
    monkeypatch.setattr(sklearn, "__version__", "9.9.0")
    assert shortcut(step) == step.transform


def test_this_release_was_read() -> None:
    """The shortcuts are in use with the scikit-learn these tests run on."""
    assert sklearn.__version__.startswith(shortcuts.VERSIONS)
