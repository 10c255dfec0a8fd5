"""Seeds of the steps, and the steps that drew without one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.decomposition import PCA, KernelPCA, TruncatedSVD
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import IterativeImputer
from sklearn.linear_model import ElasticNet, Lars, LogisticRegression, Ridge, SGDClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.multioutput import ClassifierChain
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, QuantileTransformer, StandardScaler
from sklearn.svm import SVC, LinearSVC, LinearSVR
from sklearn.tree import DecisionTreeClassifier

from gnomon.pipeline.seeds import SeedWarning, seeds, warn_of_unseeded

RANDOM = np.random.default_rng(3)
X = RANDOM.normal(size=(300, 12))
Y = (X[:, 0] + RANDOM.normal(size=300) > 0).astype(int)


HOLES = np.where(RANDOM.random(X.shape) < 0.1, np.nan, X)
BOTH = np.column_stack([Y, X[:, 1] > 0]).astype(int)


def fit(step: Any) -> Any:
    """A fitted clone; chains predict two targets, and imputers need holes."""
    rows = HOLES if isinstance(step, IterativeImputer) else X
    return clone(step).fit(rows, BOTH if isinstance(step, ClassifierChain) else Y)


def outcome(step: Any, seed: int) -> Any:
    """What the step gives when the global generator starts at a seed."""
    np.random.seed(seed)
    fitted = fit(step)
    if isinstance(step, IterativeImputer):
        return np.array([one.estimator.coef_ for one in fitted.imputation_sequence_])
    for name in ("predict_proba", "decision_function", "predict", "transform"):
        if hasattr(fitted, name):
            found = getattr(fitted, name)(X)
            return found.toarray() if hasattr(found, "toarray") else found
    raise AssertionError(step)


DRAWING: dict[str, Callable[[], Any]] = {
    "forest": lambda: RandomForestClassifier(5),
    "bagging": lambda: BaggingClassifier(n_estimators=5),
    "boosting that stops early": lambda: HistGradientBoostingClassifier(
        max_iter=20, early_stopping=True
    ),
    "boosting on some features": lambda: HistGradientBoostingClassifier(
        max_iter=5, max_features=0.5
    ),
    "logistic by sag": lambda: LogisticRegression(solver="sag", max_iter=5),
    "ridge by sag": lambda: Ridge(solver="sag", max_iter=5),
    "elastic net at random": lambda: ElasticNet(alpha=1e-3, selection="random", max_iter=1),
    "stochastic gradient": lambda: SGDClassifier(max_iter=5),
    "dual machine": lambda: LinearSVC(dual=True, max_iter=5),
    "hinge machine": lambda: LinearSVC(loss="hinge", max_iter=5),
    "dual regression machine": lambda: LinearSVR(max_iter=5),
    "network": lambda: MLPClassifier(max_iter=5),
    "randomized components": lambda: PCA(3, svd_solver="randomized", iterated_power=0),
    "truncated components": lambda: TruncatedSVD(3, n_iter=0),
    "quantiles of a sample": lambda: QuantileTransformer(n_quantiles=10, subsample=100),
    "bins of a sample": lambda: KBinsDiscretizer(
        4, subsample=200, strategy="quantile", quantile_method="averaged_inverted_cdf"
    ),
    "guesses": lambda: DummyClassifier(strategy="stratified"),
    "jittered angles": lambda: Lars(jitter=0.5),
    "chain at random": lambda: ClassifierChain(LogisticRegression(), order="random"),
    "imputation at random": lambda: IterativeImputer(sample_posterior=True, max_iter=2),
}
"""Steps without a seed whose outcome is another each time."""

STEADY: dict[str, Callable[[], Any]] = {
    "scaler": StandardScaler,
    "logistic": LogisticRegression,
    "ridge": Ridge,
    "elastic net": lambda: ElasticNet(alpha=0.1),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=5),
    "machine": SVC,
    "primal machine": LinearSVC,
    "components": lambda: PCA(3),
    "kernel components": lambda: KernelPCA(eigen_solver="dense", n_components=3),
    "quantiles of all": lambda: QuantileTransformer(n_quantiles=10),
    "bins of all": lambda: KBinsDiscretizer(4, quantile_method="averaged_inverted_cdf"),
    "the most frequent": DummyClassifier,
    "angles": Lars,
    "gaussian process": GaussianProcessClassifier,
    "chain in order": lambda: ClassifierChain(LogisticRegression()),
    "imputation": lambda: IterativeImputer(max_iter=2),
}
"""Steps without a seed whose outcome is always the same."""


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", DRAWING)
def test_a_step_that_draws_without_a_seed_is_recorded_as_null(name: str) -> None:
    """Seen to differ from fit to fit; with a seed, the seed is recorded."""
    step = DRAWING[name]()
    assert not np.array_equal(outcome(step, 1), outcome(step, 2))
    assert seeds(fit(step), len(X)) == {"random_state": None}
    assert seeds(fit(step.set_params(random_state=7)), len(X)) == {"random_state": 7}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("name", STEADY)
def test_a_step_that_does_not_draw_needs_no_seed(name: str) -> None:
    """Though it has a ``random_state``; seen to be the same from fit to fit."""
    step = STEADY[name]()
    np.testing.assert_array_equal(outcome(step, 1), outcome(step, 2))
    assert seeds(fit(step), len(X)) == {}


def test_many_rows_make_steps_draw_that_take_a_sample() -> None:
    """Bins of more than 200,000 rows are those of some of them."""
    model = fit(HistGradientBoostingClassifier(max_iter=2, early_stopping=False))
    assert seeds(model, 200_000) == {}
    assert seeds(model, 200_001) == {"random_state": None}


def test_steps_are_named_by_their_parameter() -> None:
    """Scikit-learn names them so, in pipelines and in ensembles."""
    pipeline = make_pipeline(
        QuantileTransformer(n_quantiles=10, subsample=50),
        PCA(3, svd_solver="randomized", random_state=np.int64(4)),
        RandomForestClassifier(3),
    ).fit(X, Y)
    assert seeds(pipeline, len(X)) == {
        "pca__random_state": 4,
        "quantiletransformer__random_state": None,
        "randomforestclassifier__random_state": None,
    }


@pytest.mark.parametrize("kind", [AdaBoostClassifier, BaggingClassifier])
def test_an_ensemble_seeds_its_members(kind: Any) -> None:
    """The pattern of its members has no seed and needs none."""
    ensemble = kind(DecisionTreeClassifier(max_depth=1), n_estimators=3, random_state=5)
    assert seeds(ensemble.fit(X, Y), len(X)) == {"random_state": 5}


def test_a_search_does_not_seed_what_it_tries() -> None:
    """The best estimator drew random numbers itself."""
    forest = RandomForestClassifier(2)
    grid = GridSearchCV(forest, {"max_depth": [1, 2]}, cv=2).fit(X, Y)
    assert seeds(grid, len(X)) == {"estimator__random_state": None}
    drawn = RandomizedSearchCV(forest, {"max_depth": [1, 2]}, n_iter=2, cv=2, random_state=1)
    assert seeds(drawn.fit(X, Y), len(X)) == {"estimator__random_state": None, "random_state": 1}


class Own(ClassifierMixin, BaseEstimator):
    """A user's classifier with a random state."""

    def __init__(self, random_state: Any = None) -> None:
        self.random_state = random_state


class Half(HistGradientBoostingClassifier):
    """A user's variant of one of scikit-learn's."""


def test_the_users_own_is_taken_to_draw() -> None:
    """Unless it is derived from a class that is known not to draw."""
    assert seeds(Own(), 10) == {"random_state": None}
    assert seeds(Own(3), 10) == {"random_state": 3}
    variant = Half(max_iter=2, early_stopping=False).fit(X, Y)
    assert seeds(variant, len(X)) == {}


def test_a_generator_is_no_seed() -> None:
    """Its state has changed, and its start is unknown."""
    assert seeds(Own(np.random.RandomState(3)), 10) == {"random_state": None}


def test_the_warning_names_the_steps() -> None:
    """The warning says what to do; without such a step there is none."""
    with pytest.warns(SeedWarning, match=r"`a__random_state`, `b__random_state`: no seed"):
        warn_of_unseeded({"a__random_state": None, "b__random_state": None, "c": 1}, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_unseeded({"c": 1}, 1)
