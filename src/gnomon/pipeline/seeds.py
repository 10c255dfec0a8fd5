"""The random seeds of a pipeline, and the steps that drew at random without one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gnomon.compat.sklearn import pca_solver

__all__ = ["SeedWarning", "seeds", "warn_of_unseeded"]

_PARAMETER = "random_state"
_SEEDED = frozenset({"lightgbm", "xgboost"})
"""Packages that use a fixed seed if none is given."""

_SEED_MEMBERS = frozenset(
    {"BaseEnsemble", "ClassifierChain", "IterativeImputer", "RANSACRegressor", "RegressorChain"}
)
"""scikit-learn's classes that give their members seeds from their own ``random_state``."""


class SeedWarning(UserWarning):
    """A step drew random numbers while it was fitted, which cannot be reproduced."""


def seeds(pipeline: Any, rows: int) -> dict[str, int | None]:
    """Return, by the parameter's full name, the seed of every step that has one or drew without.

    None means that a step drew while it was fitted and its seed is not a number: it has no seed,
    or a generator, whose state has changed since.

    Args:
        pipeline: a fitted pipeline.
        rows: how many rows it was fitted on; some steps draw only from many rows.
    """
    if not hasattr(pipeline, "get_params"):
        return {}  # not made for scikit-learn, whose parameters have names
    parameters = pipeline.get_params(deep=True)
    found: dict[str, int | None] = {}
    for name, value in sorted(parameters.items()):
        if name.rpartition("__")[2] != _PARAMETER or isinstance(value, str):
            continue
        path = name.removesuffix(_PARAMETER).removesuffix("__")
        if isinstance(value, int | np.integer):
            found[name] = int(value)
        elif _draws(parameters.get(path, pipeline), rows) and not _is_seeded_by_owner(
            path, parameters, pipeline
        ):
            found[name] = None
    return found


def warn_of_unseeded(found: Mapping[str, int | None], stacklevel: int) -> None:
    """Warn of the steps without a seed."""
    names = [name for name, seed in found.items() if seed is None]
    if names:
        warnings.warn(
            f"{', '.join(f'`{name}`' for name in names)}: no seed, so this model cannot "
            "be reproduced; set one before fitting, or pass seeds=... if you seeded in another way",
            SeedWarning,
            stacklevel=stacklevel + 1,
        )


def _draws(step: Any, rows: int) -> bool:
    """Return whether fitting the step depended on its random state.

    :data:`_RULES` lists scikit-learn's steps that draw only with some parameters. Any other step
    with a ``random_state`` is assumed to draw.
    """
    kinds = [(kind.__module__.partition(".")[0], kind.__name__) for kind in type(step).__mro__]
    if any(package in _SEEDED for package, _ in kinds):
        return False
    rules = (_RULES.get(name) for package, name in kinds if package == "sklearn")
    rule = next((rule for rule in rules if rule), None)
    return rule is None or rule(step, rows)


def _is_seeded_by_owner(path: str, parameters: Mapping[str, Any], pipeline: Any) -> bool:
    """Return whether the step is the template of an ensemble that seeds its members itself."""
    above, _, name = path.rpartition("__")
    if name not in ("estimator", "base_estimator"):
        return False
    owner = parameters.get(above, pipeline)
    return any(kind.__name__ in _SEED_MEMBERS for kind in type(owner).__mro__)


Rule = Callable[[Any, int], bool]


def _has(parameter: str, *values: Any) -> Rule:
    return lambda step, rows: getattr(step, parameter) in values


def _lacks(parameter: str, value: Any) -> Rule:
    return lambda step, rows: getattr(step, parameter) != value


def _histograms(step: Any, rows: int) -> bool:
    """Return whether it draws: for early stopping, ``max_features``, or bins of > 200,000 rows."""
    stops = getattr(step, "do_early_stopping_", True)
    return bool(stops or step.max_features < 1.0 or rows > 200_000)


def _quantiles(step: Any, rows: int) -> bool:
    return step.subsample is not None and rows > step.subsample


def _linear_machine(step: Any, rows: int) -> bool:
    """Return whether liblinear shuffles, as it does in dual solvers and with the l1 penalty."""
    only_dual = step.loss in ("hinge", "epsilon_insensitive")
    return bool(
        step.dual is True
        or (step.dual == "auto" and only_dual)
        or getattr(step, "penalty", "l2") == "l1"
    )


def _shuffles(step: Any, rows: int) -> bool:
    return bool(step.shuffle or getattr(step, "early_stopping", False))


def _imputes(step: Any, rows: int) -> bool:
    asked = step.sample_posterior or step.imputation_order == "random"
    return bool(asked or step.n_nearest_features is not None)


def _kernel_pca(step: Any, rows: int) -> bool:
    if step.eigen_solver == "auto":
        return step.n_components is not None
    return bool(step.eigen_solver != "dense")


def _chain(step: Any, rows: int) -> bool:
    parameters = step.get_params(deep=False)
    member = parameters.get("estimator", parameters.get("base_estimator"))
    drawing = hasattr(member, "random_state") and _draws(member, rows)
    return step.order == "random" or drawing


def _draws_components(step: Any, rows: int) -> bool:
    return pca_solver(step) in ("arpack", "randomized", None)


def _threshold(step: Any, rows: int) -> bool:
    return isinstance(step.cv, float)


_selection = _has("selection", "random")
_averaged = _has("solver", "sag", "saga")
_probability = _has("probability", True)
_restarts = _lacks("n_restarts_optimizer", 0)
_jitter = _lacks("jitter", None)

_RULES: Mapping[str, Rule] = {
    "BaseSGD": _shuffles,
    "ClassifierChain": _chain,
    "DummyClassifier": _has("strategy", "stratified", "uniform"),
    "ElasticNet": _selection,
    "ElasticNetCV": _selection,
    "GaussianProcessClassifier": _restarts,
    "GaussianProcessRegressor": _restarts,
    "HistGradientBoostingClassifier": _histograms,
    "HistGradientBoostingRegressor": _histograms,
    "IterativeImputer": _imputes,
    "KBinsDiscretizer": _quantiles,
    "KernelPCA": _kernel_pca,
    "Lars": _jitter,
    "LassoCV": _selection,
    "LinearSVC": _linear_machine,
    "LinearSVR": _linear_machine,
    "LogisticRegression": _has("solver", "liblinear", "sag", "saga"),
    "LogisticRegressionCV": _has("solver", "liblinear", "sag", "saga"),
    "MultiTaskElasticNetCV": _selection,
    "MultiTaskLassoCV": _selection,
    "NuSVC": _probability,
    "PCA": _draws_components,
    "QuantileTransformer": _quantiles,
    "RegressorChain": _chain,
    "Ridge": _averaged,
    "RidgeClassifier": _averaged,
    "SVC": _probability,
    "TunedThresholdClassifierCV": _threshold,
}
"""By class, whether it draws with its parameters, according to scikit-learn's documentation of each
``random_state``. Subclasses follow their parents."""
