"""The columns of its input that a fitted pipeline is known to read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multioutput import MultiOutputClassifier, MultiOutputRegressor
from sklearn.pipeline import FeatureUnion, Pipeline

from gnomon.compat.sklearn import names_of_columns

__all__ = ["first_steps", "read_columns"]


def read_columns(pipeline: Any) -> set[str] | None:
    """Return the names of the columns that a fitted pipeline reads of a frame.

    Known of scikit-learn's own classes that select columns by name, also nested. It is the
    structure that says it, and no rows are tried.

    Returns:
        A superset of the columns that are read; None if it may be any.
    """
    read = set[str]()
    for step in first_steps(pipeline):
        names = _selected(step)
        if names is None:
            return None
        read |= names
    return read


def first_steps(pipeline: Any) -> list[Any]:
    """Return the fitted steps that get the pipeline's input as it is.

    Those are entered that give all of it to others: pipelines, unions, searches, ensembles of
    pipelines. A step may be a name, such as ``passthrough``.
    """
    parts = next((parts for kind, parts in _PARTS.items() if _is(pipeline, kind)), None)
    if parts is None and _own(pipeline) and hasattr(pipeline, "best_estimator_"):
        parts = _best
    if parts is None:
        return [pipeline]
    return [step for part in parts(pipeline) for step in first_steps(part)]


def _selected(step: Any) -> set[str] | None:
    names = getattr(step, "feature_names_in_", None)
    if not _is(step, ColumnTransformer) or names is None:
        return None
    read = set[str]()
    for name, member, _ in step.transformers_:
        if not (isinstance(member, str) and member == "drop"):
            read.update(names_of_columns(step, name))
    return read


def _is(step: Any, kind: type) -> bool:
    """Return whether a step is of a class of scikit-learn; a user's subclass may read more."""
    return isinstance(step, kind) and _own(step)


def _own(step: Any) -> bool:
    return type(step).__module__.partition(".")[0] in ("sklearn", "imblearn")


def _first(pipeline: Pipeline) -> Iterator[Any]:
    # imbalanced-learn's pipeline leaves its samplers out when it predicts; scikit-learn's does not.
    leaves_samplers_out = type(pipeline).__module__.partition(".")[0] == "imblearn"
    for _, step in pipeline.steps:
        sampler = leaves_samplers_out and hasattr(step, "fit_resample")
        if step not in (None, "passthrough") and not sampler:
            yield step
            return
    yield "passthrough"


def _united(union: FeatureUnion) -> list[Any]:
    return [step for _, step in union.transformer_list if step not in (None, "drop")]


def _stacked(stack: Any) -> list[Any]:
    return [*stack.estimators_, *(["passthrough"] if stack.passthrough else [])]


def _calibrated(model: Any) -> list[Any]:
    return [one.estimator for one in model.calibrated_classifiers_]


def _best(search: Any) -> list[Any]:
    return [search.best_estimator_]


_PARTS: dict[type, Callable[[Any], Any]] = {
    Pipeline: _first,
    FeatureUnion: _united,
    TransformedTargetRegressor: lambda model: [model.regressor_],
    FrozenEstimator: lambda model: [model.estimator],
    TunedThresholdClassifierCV: lambda model: [model.estimator_],
    FixedThresholdClassifier: lambda model: [model.estimator_],
    CalibratedClassifierCV: _calibrated,
    StackingClassifier: _stacked,
    StackingRegressor: _stacked,
    VotingClassifier: lambda model: model.estimators_,
    VotingRegressor: lambda model: model.estimators_,
    MultiOutputClassifier: lambda model: model.estimators_,
    MultiOutputRegressor: lambda model: model.estimators_,
}
