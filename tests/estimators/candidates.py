"""The estimators to bring, each with data that it can be fitted on."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import AdaBoostClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.utils import get_tags
from sklearn.utils.discovery import all_estimators

__all__ = ["Candidate", "of_others", "of_sklearn"]

ROWS = 90
FEW: dict[str, Any] = {"random_state": 0, "n_estimators": 5, "cv": 3, "n_init": 1}
"""Parameters that keep a fit short and repeatable, where an estimator has them."""


@dataclass(frozen=True)
class Candidate:
    """An estimator that is not fitted yet, or why there is none.

    Attributes:
        library: whose it is.
        name: of its class.
        made: the estimator; None where it could not be made.
        why: it could not.
    """

    library: str
    name: str
    made: Any = None
    why: str = ""

    def data(self) -> tuple[Any, Any]:
        """X and y that the estimator can be fitted on."""
        return _data(self.name, self.made)


def of_sklearn() -> Iterator[Candidate]:
    """Every estimator of scikit-learn, made as its own tests make it."""
    from sklearn.exceptions import SkipTestWarning
    from sklearn.utils._test_common.instance_generator import _construct_instances

    for name, kind in all_estimators():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SkipTestWarning)
                made = next(iter(_construct_instances(kind)))
        except Exception as error:  # unittest.SkipTest: abstract, or not to be made alone
            yield Candidate("scikit-learn", name, why=str(error))
            continue
        yield Candidate("scikit-learn", name, _quick(made))


def of_others() -> Iterator[Candidate]:
    """LightGBM, XGBoost, CatBoost and imbalanced-learn, where they are installed."""
    for library, name, make in _OTHERS:
        try:
            yield Candidate(library, name, make(importlib.import_module(library)))
        except ImportError:
            yield Candidate(library, name, why=f"{library} is not installed")


def _resampled(imblearn: Any) -> Any:
    from imblearn.over_sampling import SMOTE  # type: ignore[import-not-found]
    from imblearn.pipeline import make_pipeline  # type: ignore[import-not-found]

    return make_pipeline(SMOTE(random_state=0), LogisticRegression(max_iter=2000))


def _balanced(imblearn: Any) -> Any:
    from imblearn.ensemble import BalancedRandomForestClassifier  # type: ignore[import-not-found]

    return BalancedRandomForestClassifier(5, random_state=0)


def _easy(imblearn: Any) -> Any:
    from imblearn.ensemble import EasyEnsembleClassifier

    return EasyEnsembleClassifier(3, AdaBoostClassifier(n_estimators=3), random_state=0)


def _rus(imblearn: Any) -> Any:
    from imblearn.ensemble import RUSBoostClassifier

    return RUSBoostClassifier(n_estimators=5, random_state=0)


def _bagging(imblearn: Any) -> Any:
    from imblearn.ensemble import BalancedBaggingClassifier

    return BalancedBaggingClassifier(RandomForestClassifier(3), 3, random_state=0)


_LGBM: dict[str, Any] = {"n_estimators": 5, "verbose": -1, "n_jobs": 1}
_CAT: dict[str, Any] = {
    "iterations": 5, "verbose": False, "allow_writing_files": False, "thread_count": 1
}  # fmt: skip
_OTHERS: tuple[tuple[str, str, Callable[[Any], Any]], ...] = (
    ("lightgbm", "LGBMClassifier", lambda m: m.LGBMClassifier(**_LGBM)),
    ("lightgbm", "LGBMRegressor", lambda m: m.LGBMRegressor(**_LGBM)),
    ("xgboost", "XGBClassifier", lambda m: m.XGBClassifier(n_estimators=5, n_jobs=1)),
    ("xgboost", "XGBRegressor", lambda m: m.XGBRegressor(n_estimators=5, n_jobs=1)),
    ("xgboost", "XGBRFClassifier", lambda m: m.XGBRFClassifier(n_estimators=5, n_jobs=1)),
    ("xgboost", "XGBRFRegressor", lambda m: m.XGBRFRegressor(n_estimators=5, n_jobs=1)),
    ("catboost", "CatBoostClassifier", lambda m: m.CatBoostClassifier(**_CAT)),
    ("catboost", "CatBoostRegressor", lambda m: m.CatBoostRegressor(**_CAT)),
    ("imblearn", "Pipeline with SMOTE", _resampled),
    ("imblearn", "BalancedRandomForestClassifier", _balanced),
    ("imblearn", "BalancedBaggingClassifier", _bagging),
    ("imblearn", "EasyEnsembleClassifier", _easy),
    ("imblearn", "RUSBoostClassifier", _rus),
)


def _quick(estimator: Any) -> Any:
    known = estimator.get_params(deep=False)
    few = {name: value for name, value in FEW.items() if name in known}
    if known.get("n_init", 1) == "warn":
        few.pop("n_init", None)
    try:
        return estimator.set_params(**few)
    except (TypeError, ValueError):
        return estimator


_TEXTS = frozenset({"CountVectorizer", "HashingVectorizer", "TfidfVectorizer"})
_DICTIONARIES = frozenset({"DictVectorizer", "FeatureHasher"})


def _data(name: str, estimator: Any) -> tuple[Any, Any]:
    random = np.random.default_rng(7)
    values = random.gamma(2.0, 2.0, size=(ROWS, 4))
    labels = np.arange(ROWS) % 3
    values += labels[:, None] * np.array([1.0, 2.0, 0.5, 3.0])
    X = pd.DataFrame(values, columns=["depth", "width", "height", "weight"])  # noqa: N806
    target = 2 * values[:, 0] - values[:, 1] + 5
    if name in _TEXTS:
        words = random.choice(["red", "green", "blue", "wet", "dry"], size=(ROWS, 3))
        return pd.Series([" ".join(row) for row in words], name="text"), labels
    if name in _DICTIONARIES:
        return [
            {"depth": float(row[0]), "kind": "ab"[at % 2]} for at, row in enumerate(values)
        ], None
    tags = get_tags(estimator)
    if tags.input_tags.categorical and not tags.input_tags.string and "NB" in name:
        X = X.clip(upper=3).astype(int)  # noqa: N806
    if name == "IsotonicRegression":
        X = X[["depth"]]  # noqa: N806
    if name.startswith(("MissingIndicator", "SimpleImputer", "KNNImputer", "IterativeImputer")):
        X = X.mask(random.random(X.shape) < 0.1)  # noqa: N806
    if tags.estimator_type == "classifier":
        if tags.target_tags.single_output is False or name in ("ClassifierChain",):
            return X, pd.DataFrame({"hot": labels > 0, "wet": labels == 2}).astype(int)
        if not getattr(tags.classifier_tags, "multi_class", True):
            return X, (labels > 0).astype(int)
        return X, labels
    if tags.estimator_type == "regressor":
        if not tags.target_tags.single_output or name == "RegressorChain":
            return X, pd.DataFrame({"u": target, "v": values[:, 2]})
        return X, np.abs(target) + 1
    return X, labels
