"""Pipelines whose answer for a row does not depend on its batch can be packed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    QuantileTransformer,
    StandardScaler,
)
from sklearn.svm import SVC

from gnomon.artifact.packing import check_batch_invariance
from gnomon.contract import infer_contract

RANDOM = np.random.default_rng(9)
ROWS = 400
FRAME = pd.DataFrame(
    {
        "carrier": RANDOM.choice(["AA", "B6", "UA"], ROWS),
        "origin": pd.Series(RANDOM.choice(["EWR", "JFK"], ROWS), dtype="category"),
        "note": [f"seat {n} by the window" for n in RANDOM.integers(0, 999, ROWS)],
        "distance": RANDOM.integers(80, 4983, ROWS),
        "wind": np.where(RANDOM.random(ROWS) < 0.1, np.nan, RANDOM.normal(10, 5, ROWS).round(1)),
        "seats": pd.array(RANDOM.choice([50, 149, None], ROWS), dtype="Int64"),
        "at": pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(ROWS), unit="h"),
    }
)
FRAME["at"] = FRAME["at"].astype("datetime64[us, UTC]")
LATE = (FRAME["wind"].fillna(10) + RANDOM.normal(0, 5, ROWS) > 10).map({True: "yes", False: "no"})

NUMBERS = ["distance", "wind", "seats"]
TEXTS = ["carrier", "origin"]


def by_hand(rows: pd.DataFrame) -> pd.DataFrame:
    """Typical user code: maps with gaps, lengths, comparisons, casts, the clock."""
    return pd.DataFrame(
        {
            "carrier": rows["carrier"].map({"AA": 1, "B6": 2}),
            "long": rows["note"].str.len(),
            "far": rows["distance"] > 1000,
            "seats": rows["seats"].fillna(0).astype(int),
            "hour": rows["at"].dt.hour,
            "wind": rows["wind"].fillna(0).clip(0, 30),
        }
    )


PREPARED: dict[str, Any] = {
    "scaled": make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()),
    "neighbours": KNNImputer(),
    "components": make_pipeline(SimpleImputer(), StandardScaler(), PCA(2)),
    "quantiles": make_pipeline(SimpleImputer(), QuantileTransformer(n_quantiles=20)),
    "bins": make_pipeline(SimpleImputer(), KBinsDiscretizer(4, strategy="uniform")),
    "products": make_pipeline(SimpleImputer(), StandardScaler(), PolynomialFeatures(2)),
    "union": make_pipeline(
        SimpleImputer(), FeatureUnion([("some", PCA(1)), ("all", StandardScaler())])
    ),
    "frames": make_pipeline(SimpleImputer(), StandardScaler()).set_output(transform="pandas"),
}

FIRST: dict[str, Any] = {
    **{name: make_column_transformer((step, NUMBERS)) for name, step in PREPARED.items()},
    "one column a value": make_column_transformer((OneHotEncoder(handle_unknown="ignore"), TEXTS)),
    "known values only": make_column_transformer((OneHotEncoder(), TEXTS)),
    "rare values as one": make_column_transformer(
        (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=150), TEXTS)
    ),
    "codes": make_column_transformer(
        (OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), TEXTS)
    ),
    "words": make_column_transformer(
        (TfidfVectorizer(), "note"), (HashingVectorizer(n_features=16), "carrier")
    ),
    "by hand": make_pipeline(FunctionTransformer(by_hand), SimpleImputer()),
}

LAST: dict[str, Any] = {
    "forest": RandomForestClassifier(10, random_state=0),
    "boosting": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "neighbours": KNeighborsClassifier(),
    "machine": SVC(),
}


def check(pipeline: Any) -> None:
    """Fit a pipeline and check its answers in every batch composition."""
    pipeline.fit(FRAME, LATE)
    contract = infer_contract(
        FRAME,
        task="classification",
        classes=pipeline.classes_.tolist(),
        probabilities=hasattr(pipeline, "predict_proba"),
    )
    check_batch_invariance(pipeline, FRAME, contract)


@pytest.mark.slow
@pytest.mark.parametrize("name", FIRST)
def test_ordinary_steps_are_accepted(name: str) -> None:
    """They are accepted with unseen values too, which some steps refuse in any batch."""
    check(make_pipeline(FIRST[name], LogisticRegression(max_iter=500)))


@pytest.mark.slow
@pytest.mark.parametrize("name", LAST)
def test_ordinary_models_are_accepted(name: str) -> None:
    """Ties and rounding included."""
    check(make_pipeline(FIRST["scaled"], LAST[name]))
