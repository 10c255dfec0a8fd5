"""One model of each kind, as a team would pack it under one name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.mixture import GaussianMixture
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

__all__ = ["KINDS", "ROWS", "Kind"]

X = load_diabetes(as_frame=True).data.copy(deep=False)
X.insert(0, "id", np.arange(len(X), dtype=float))
ROWS = X.iloc[::9]
"""Rows to ask a server for."""

NAMED = pd.DataFrame(
    {"heavy": np.where(X["bmi"] > 0, "yes", "no"), "tense": np.where(X["bp"] > 0, "yes", "no")}
)
FLAGS = (NAMED == "yes").astype(int)
THREE = np.where(X["bmi"] > 0.03, "high", np.where(X["bmi"] < -0.03, "low", "middle"))

Kind = tuple[Any, Any]
"""A model and its target."""

KINDS: dict[str, Kind] = {
    "linear": (LinearRegression(), load_diabetes(as_frame=True).target),
    "numbers": (LinearRegression(), X[["s1", "s2"]].rename(columns={"s1": "u", "s2": "v"}) * 50),
    "labels": (
        make_pipeline(StandardScaler(), MultiOutputClassifier(LogisticRegression())),
        NAMED,
    ),
    "chain": (
        make_pipeline(StandardScaler(), ClassifierChain(LogisticRegression(), random_state=0)),
        FLAGS,
    ),
    "scores": (make_pipeline(StandardScaler(), LinearSVC(random_state=0)), THREE),
    "outliers": (IsolationForest(n_estimators=10, random_state=0), None),
    "mixture": (make_pipeline(StandardScaler(), GaussianMixture(2, random_state=0)), None),
    "density": (make_pipeline(StandardScaler(), KernelDensity()), None),
    "embedding": (make_pipeline(StandardScaler(), PCA(3)), None),
    "scaled": (StandardScaler(), None),  # its outputs are called as its inputs
}
