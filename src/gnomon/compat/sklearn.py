"""Private parts of scikit-learn that Gnomon uses.

:data:`SEEN` names the releases whose source was read and compared. All that makes predictions
faster asks :func:`is_seen_release` first; on another release everything is called as scikit-learn
has it, which is slower and gives the same answers.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
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
    "output_container",
    "pca_solver",
    "places_of_columns",
    "take_columns",
]

SEEN = ("1.7", "1.8", "1.9")
"""Releases of scikit-learn whose steps were read and compared."""

Preprocess: TypeAlias = Callable[..., Any]


def is_seen_release() -> bool:
    """Whether the installed release is one of :data:`SEEN`."""
    return ".".join(sklearn.__version__.split(".")[:2]) in SEEN


def output_container(step: Any) -> str:
    """What a step's ``transform`` gives: ``default``, or ``pandas`` or ``polars``.

    Reaches ``_sklearn_output_config``, where ``set_output`` keeps its choice: there is a public way
    to set it and none to ask. Seen in 1.7 to 1.9. A step without it has not been asked for
    anything else, and follows scikit-learn's configuration.
    """
    own = getattr(step, "_sklearn_output_config", {}).get("transform")
    return str(own or sklearn.get_config()["transform_output"])


def places_of_columns(step: Any, name: str) -> Sequence[int]:
    """The places of the columns that a fitted ``ColumnTransformer`` gives to a transformer.

    Reaches ``_transformer_to_input_indices``: ``transformers_`` has the columns as they were
    declared, perhaps by a selector or a mask. Seen in 1.7 to 1.9.

    Raises:
        AttributeError: it is gone; no shortcut is taken then.
    """
    places: Sequence[int] = step._transformer_to_input_indices[name]
    return places


def has_category_for_missing(step: Any) -> bool:
    """Whether a fitted ``OrdinalEncoder`` saw missing values, which it encodes by rules of its own.

    Reaches ``_missing_indices``. The public ``categories_`` show a NaN, but not what becomes of it.
    Seen in 1.7 to 1.9.

    Raises:
        AttributeError: it is gone; no shortcut is taken then.
    """
    return bool(step._missing_indices)


def groups_rare_categories(step: Any) -> bool:
    """Whether a fitted encoder puts infrequent categories into one.

    Reaches ``_infrequent_enabled``. The public ``infrequent_categories_`` raises where it is off.
    Seen in 1.7 to 1.9.

    Raises:
        AttributeError: it is gone; no shortcut is taken then.
    """
    return bool(step._infrequent_enabled)


def is_check_of_numbers(function: Any) -> bool:
    """Whether this is the function by which histogram gradient boosting checks its numbers.

    Such a ``FunctionTransformer`` stands in the private transformer of
    :func:`encoder_of_boosting`; its arguments are known from the source alone. Seen in 1.7 to 1.9.
    With other arguments no shortcut is taken.
    """
    if not isinstance(function, functools.partial):
        return False
    arguments = {"dtype": [np.float64], "ensure_all_finite": False}
    return function.func is check_array and not function.args and function.keywords == arguments


def encoder_of_boosting(model: Any) -> Any:
    """The transformer by which histogram gradient boosting encodes its categories; None without.

    Reaches ``_preprocessor``, for which there is no public name. Seen in 1.7 to 1.9.

    Raises:
        AttributeError: it is gone; no shortcut is taken then.
    """
    return model._preprocessor


def boosting_with(model: Any, encode: Callable[[Any], Any], applies: Callable[[Any], bool]) -> Any:
    """A copy of a fitted histogram gradient boosting that checks and encodes its input by a
    function of ours, and makes ready once for all trees what scikit-learn makes for each.

    Reaches ``_preprocess_X``, ``_predict_iterations``, ``_bin_mapper`` and the ``predict`` of its
    trees: the arithmetic is theirs, only what is done before each call is left out. No public
    option leaves it out. Seen in 1.7 to 1.9.

    Args:
        model: fitted; it stays as it is.
        encode: gives what the model's own encoder would.
        applies: whether a given ``X`` may go to ``encode``; any other goes to the model's checks.

    Raises:
        AttributeError: a part is gone; no shortcut is taken then.
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


def take_columns(given: Any, columns: Any) -> Any:
    """The columns of a frame, array or sparse matrix that a ``ColumnTransformer`` would take.

    Reaches ``sklearn.utils._safe_indexing``: columns are named, counted, sliced or masked, of any
    of these, and only scikit-learn knows its own rules. Seen in 1.7 to 1.9.

    Raises:
        ImportError: it is gone; then steps cannot be traced. Predictions go on.
    """
    from sklearn.utils import _safe_indexing

    return _safe_indexing(given, columns, axis=1)


def pca_solver(step: Any) -> str | None:
    """The solver that a fitted ``PCA`` chose, which tells whether it drew at random.

    Reaches ``_fit_svd_solver``: the public ``svd_solver`` may be ``auto``. Seen in 1.7 to 1.9. None
    without it; then the step counts as one that drew.
    """
    return getattr(step, "_fit_svd_solver", None)
