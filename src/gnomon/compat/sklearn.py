"""Private parts of scikit-learn that Gnomon uses.

:data:`SEEN` names the releases whose source was read and compared. Each shortcut for faster
predictions checks :func:`is_seen_release` first; on other releases scikit-learn is called as usual,
which is slower and gives the same answers.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import sklearn
from sklearn.utils import check_array

__all__ = [
    "SEEN",
    "boosting_with",
    "encoder_of_boosting",
    "groups_rare_categories",
    "has_category_for_missing",
    "is_check_of_numbers",
    "is_seen_release",
    "names_of_columns",
    "output_container",
    "pca_solver",
    "places_of_columns",
    "take_columns",
]

SEEN = ("1.7", "1.8", "1.9")
"""Releases of scikit-learn whose steps were read and compared."""

Preprocess: TypeAlias = Callable[..., Any]


def is_seen_release() -> bool:
    """Return whether the installed release is one of :data:`SEEN`."""
    return ".".join(sklearn.__version__.split(".")[:2]) in SEEN


def output_container(step: Any) -> str:
    """Return the kind of output of a step's ``transform``: ``default``, ``pandas`` or ``polars``.

    Uses ``_sklearn_output_config``, where ``set_output`` keeps its choice: there is a public way to
    set it but not to read it. Seen in 1.7 to 1.9. A step without it has no choice set, and follows
    scikit-learn's configuration.
    """
    configured = getattr(step, "_sklearn_output_config", {}).get("transform")
    return str(configured or sklearn.get_config()["transform_output"])


def places_of_columns(step: Any, name: str) -> Sequence[int]:
    """Return the positions of a transformer's columns in a fitted ``ColumnTransformer``.

    Uses ``_transformer_to_input_indices``: ``transformers_`` has the columns as they were declared,
    possibly by a selector or a mask. Seen in 1.7 to 1.9.

    Raises:
        AttributeError: it is gone; no shortcut is taken then.
    """
    places: Sequence[int] = step._transformer_to_input_indices[name]
    return places


def names_of_columns(step: Any, name: str) -> list[str]:
    """Return the names of a transformer's columns in a ``ColumnTransformer`` fitted on a frame.

    It takes them from a frame by these names, however they were declared, so the frame may have
    others too, and in another order.
    """
    return [str(step.feature_names_in_[place]) for place in places_of_columns(step, name)]


def has_category_for_missing(step: Any) -> bool:
    """Return whether a fitted ``OrdinalEncoder`` saw missing values, which have separate rules.

    Uses ``_missing_indices``. The public ``categories_`` contain a NaN, but do not say how it is
    encoded. Seen in 1.7 to 1.9.

    Raises:
        AttributeError: it is gone; no shortcut is taken then.
    """
    return bool(step._missing_indices)


def groups_rare_categories(step: Any) -> bool:
    """Return whether a fitted encoder groups infrequent categories into one.

    Uses ``_infrequent_enabled``. The public ``infrequent_categories_`` raises if grouping is off.
    Seen in 1.7 to 1.9.

    Raises:
        AttributeError: it is gone; no shortcut is taken then.
    """
    return bool(step._infrequent_enabled)


def is_check_of_numbers(function: Any) -> bool:
    """Return whether this is the function with which histogram gradient boosting checks numbers.

    The private transformer of :func:`encoder_of_boosting` contains it in a ``FunctionTransformer``;
    its arguments are known only from the source. Seen in 1.7 to 1.9. With other arguments no
    shortcut is taken.
    """
    if not isinstance(function, functools.partial):
        return False
    arguments = {"dtype": [np.float64], "ensure_all_finite": False}
    return function.func is check_array and not function.args and function.keywords == arguments


def encoder_of_boosting(model: Any) -> Any:
    """Return the transformer with which histogram gradient boosting encodes categories, or None.

    Uses ``_preprocessor``, for which there is no public name. Seen in 1.7 to 1.9.

    Raises:
        AttributeError: it is gone; no shortcut is taken then.
    """
    return model._preprocessor


def boosting_with(model: Any, encode: Callable[[Any], Any], applies: Callable[[Any], bool]) -> Any:
    """Return a copy of a fitted histogram gradient boosting model with less work before each call.

    The copy encodes its input with ``encode`` instead of the model's checks, and prepares the bit
    sets of known categories once for all predictions. Uses ``_preprocess_X``,
    ``_predict_iterations``, ``_bin_mapper`` and the ``predict`` of the model's trees: the
    arithmetic remains scikit-learn's. No public option leaves the other work out. Seen in 1.7 to
    1.9.

    Args:
        model: fitted; it is not changed.
        encode: returns the same as the model's encoder.
        applies: returns whether ``encode`` accepts an ``X``; any other goes to the model's checks.

    Raises:
        AttributeError: a private part is missing; no shortcut is taken then.
    """
    check = model._preprocess_X

    def preprocess(X: Any, *, reset: bool) -> Any:  # noqa: N803
        return check(X, reset=reset) if reset or not applies(X) else encode(X)

    categories, places = model._bin_mapper.make_known_categories_bitsets()

    def add_up(X: Any, iterations: Any, scores: Any, is_binned: bool, threads: int) -> None:  # noqa: N803
        of_class = [scores[:, k] for k in range(scores.shape[1])]
        for trees in iterations:
            for total, tree in zip(of_class, trees, strict=True):
                total += tree.predict(X, categories, places, threads)

    quick = copy.copy(model)
    assert callable(quick._predict_iterations)
    quick._preprocess_X, quick._predict_iterations = preprocess, add_up
    return quick


def take_columns(step: Any, name: str, inputs: Any, columns: Any) -> Any:
    """Return the columns a ``ColumnTransformer`` takes from a frame, array or sparse matrix.

    Uses ``sklearn.utils._safe_indexing``: columns may be given by names, positions, a slice or a
    mask, and only scikit-learn defines the rules. Seen in 1.7 to 1.9. One fitted on a frame takes
    them from a frame by name even if they were declared by position; a single name takes a Series.

    Args:
        step: the fitted ``ColumnTransformer``.
        name: the transformer's name.
        inputs: what the step gets.
        columns: the transformer's columns as ``transformers_`` has them.

    Raises:
        ImportError: the function is missing: steps cannot be traced, but predictions still work.
    """
    from sklearn.utils import _safe_indexing

    by_name = isinstance(inputs, pd.DataFrame) and hasattr(step, "feature_names_in_")
    if by_name and not np.isscalar(columns):
        columns = names_of_columns(step, name)
    elif by_name and not isinstance(columns, str):
        (columns,) = names_of_columns(step, name)
    return _safe_indexing(inputs, columns, axis=1)


def pca_solver(step: Any) -> str | None:
    """Return the solver that a fitted ``PCA`` chose, which determines whether it is random.

    Uses ``_fit_svd_solver``: the public ``svd_solver`` may be ``auto``. Seen in 1.7 to 1.9. None if
    it is missing; the step then counts as random.
    """
    return getattr(step, "_fit_svd_solver", None)
