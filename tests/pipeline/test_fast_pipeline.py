"""Every answer has the same bits with and without the fast paths of a pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from gnomon.contract import infer_contract
from gnomon.pipeline.predicting import DirectPredictor, Predictor

CATEGORIES, NUMBERS = ["carrier", "dest"], ["distance", "temp"]


def rows(count: int = 200) -> pd.DataFrame:
    """What the pipelines are trained on."""
    random = np.random.default_rng(2)
    return pd.DataFrame(
        {
            "carrier": pd.Series(random.choice(["AA", "B6", "", "UA"], count), dtype="str"),
            "dest": pd.Series(random.choice(["ATL", "LAX"], count), dtype="str"),
            "distance": random.normal(800, 300, count),
            "temp": np.where(random.random(count) < 0.3, np.nan, random.normal(15, 9, count)),
        }
    )


def columns(encoder: Any, numbers: Any) -> ColumnTransformer:
    """Both kinds of columns prepared."""
    return ColumnTransformer([("c", encoder, CATEGORIES), ("n", numbers, NUMBERS)])


def one_hot(**options: Any) -> OneHotEncoder:
    """An encoder that takes categories it has not seen."""
    return OneHotEncoder(handle_unknown="ignore", **options)


def ordinal(unknown: float = -1) -> OrdinalEncoder:
    """Another."""
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=unknown)


def scaled(**options: Any) -> Any:
    """Numbers filled in and scaled."""
    return make_pipeline(SimpleImputer(**options), StandardScaler())


def boosting(kind: Any = HistGradientBoostingClassifier, **options: Any) -> Any:
    """Histogram gradient boosting on encoded categories."""
    return kind(max_iter=10, categorical_features=[0, 1], random_state=1, **options)


PIPELINES: dict[str, Callable[[], Any]] = {
    "logistic, sparse": lambda: make_pipeline(
        columns(one_hot(), scaled()), LogisticRegression(max_iter=300)
    ),
    "logistic, dense": lambda: make_pipeline(
        columns(one_hot(sparse_output=False), scaled(add_indicator=True)),
        LogisticRegression(max_iter=300),
    ),
    "logistic, refuses the unknown": lambda: make_pipeline(
        columns(OneHotEncoder(), scaled()), LogisticRegression(max_iter=300)
    ),
    "forest": lambda: make_pipeline(
        columns(ordinal(np.nan), "passthrough"),
        RandomForestClassifier(n_estimators=5, random_state=1),
    ),
    "boosting": lambda: make_pipeline(columns(ordinal(), "passthrough"), boosting()),
    "boosting, nested": lambda: make_pipeline(
        make_pipeline(columns(ordinal(), scaled(strategy="median"))), boosting()
    ),
    "boosting, regression": lambda: make_pipeline(
        columns(ordinal(), "passthrough"), boosting(HistGradientBoostingRegressor)
    ),
    "linear": lambda: make_pipeline(columns(one_hot(), scaled()), LinearRegression()),
}

CARRIERS = ["AA", "", "UA", "never seen", "é", " ", "a" * 5_000, None]
DESTS = ["ATL", "LAX", "", "SEA", None]
DISTANCES = [
    *(0.0, -0.0, 5e-324, -5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, -1e300),
    *(1e16, 0.1 + 0.2, np.nan, np.inf, -np.inf, 123456789.123456789),
]
TEMPS = [np.nan, 0.0, 15.0, -273.15, 1e300, np.inf]


def nasty() -> pd.DataFrame:
    """Every value combined with every other: unseen, empty, missing, extreme."""
    table = [(c, d, x, t) for c in CARRIERS for d in DESTS for x in DISTANCES for t in TEMPS]
    frame = pd.DataFrame(table, columns=[*CATEGORIES, *NUMBERS])
    return frame.astype(dict.fromkeys(CATEGORIES, "str"))


def says(predict: Callable[[pd.DataFrame], pa.RecordBatch], frame: pd.DataFrame) -> Any:
    """Every bit of the answers, or the error."""
    try:
        answer = predict(frame)
    except Exception as error:
        return type(error), str(error)
    return [
        column.to_pylist() if pa.types.is_string(column.type) else column.to_numpy().tobytes()
        for column in answer.columns
    ]


@pytest.fixture(scope="module", params=PIPELINES)
def both(request: pytest.FixtureRequest) -> tuple[Predictor, DirectPredictor]:
    """A pipeline with the shortcuts, which it uses, and without them."""
    frame, pipeline = rows(), PIPELINES[request.param]()
    target: Any = frame["distance"] > 800
    if "regression" in request.param or request.param == "linear":
        target, task = frame["distance"] + target, "regression"
    else:
        target, task = target.map({True: "late", False: "on"}), "classification"
    pipeline.fit(frame, target)
    classes = tuple(pipeline.classes_) if task == "classification" else ()
    contract = infer_contract(frame, task=task, classes=classes)
    fast = Predictor(pipeline, contract)
    assert fast.take_shortcuts(frame)
    return fast, DirectPredictor(pipeline, contract)


def test_clean_rows(both: tuple[Predictor, DirectPredictor]) -> None:
    """Any number of rows is answered, also one row and none."""
    fast, direct = both
    for frame in (rows(), rows(1), rows(37), rows(0)):
        assert says(fast, frame) == says(direct, frame)


@pytest.mark.slow
def test_every_strange_row_alone(both: tuple[Predictor, DirectPredictor]) -> None:
    """The same bits or the same error."""
    fast, direct = both
    frame = nasty()
    for place in range(0, len(frame), 37):  # no divisor of a cycle of the columns
        row = frame.iloc[[place]].reset_index(drop=True)
        assert says(fast, row) == says(direct, row), row.to_dict("records")


def test_all_strange_rows_together(both: tuple[Predictor, DirectPredictor]) -> None:
    """They are one batch, without the infinite ones, which most steps refuse."""
    fast, direct = both
    frame = nasty()
    finite = frame[~np.isinf(frame[NUMBERS]).any(axis=1)].reset_index(drop=True)
    for part in (frame, finite, finite.iloc[::-1].reset_index(drop=True), finite.iloc[:100]):
        assert says(fast, part) == says(direct, part)
