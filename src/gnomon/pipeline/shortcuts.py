"""Shortcuts for scikit-learn's steps: the same bits with less work, without repeated checks.

A call of a fitted ``ColumnTransformer`` takes milliseconds for any batch size: every step inside
checks its input's type, shape, names and values again, and columns are selected by label. Input
that was decoded by a contract has already been checked. A *shortcut* does only a step's arithmetic,
in scikit-learn's order of operations and memory layout, so its answer is that of the step, bit for
bit.

Shortcuts exist only for exact classes as scikit-learn fits them, in the releases that
:mod:`gnomon.compat.sklearn` knows; ``GNOMON_FAST_PIPELINE=0`` turns them off. Anything else - a
subclass, an option not listed, a value that needs a check - goes to the step's own ``transform``,
which also raises its own errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import sklearn
from scipy import sparse
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from gnomon.compat import sklearn as private

__all__ = ["Transform", "quick_model", "shortcut"]

Transform: TypeAlias = Callable[[Any], Any]
Floats: TypeAlias = npt.NDArray[np.float64]


def shortcut(step: Any) -> Transform:
    """Return a faster ``step.transform``, which calls the step's own if it must.

    Args:
        step: a fitted transformer; ``None`` and ``"passthrough"`` change nothing.
    """
    if step is None or step == "passthrough":
        return _same
    plain: Transform = step.transform
    build = _BUILDERS.get(type(step))
    if build is None or not private.is_seen_release():
        return plain
    if private.output_container(step) != "default":
        return plain
    return build(step, plain) or plain


def quick_model(model: Any) -> Any:
    """Return a faster model with the same answers, if there is one; else ``model``.

    In every call, histogram gradient boosting encodes categories and checks its input with an
    internal ``ColumnTransformer``, and prepares for every tree again what all trees need.

    Args:
        model: a fitted model, which is not changed.
    """
    if type(model) not in _BOOSTING or not private.is_seen_release():
        return model
    if hasattr(model, "feature_names_in_"):
        return model  # It was fitted on a frame, and needs one.
    columns = model.n_features_in_
    encoder = private.encoder_of_boosting(model)
    encode = _same if encoder is None else shortcut(encoder)
    return private.boosting_with(
        model, encode, lambda given: _is_matrix(given) and given.shape[1] == columns
    )


_BOOSTING = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def _same(X: Any) -> Any:  # noqa: N803
    return X


def _pipeline(step: Pipeline, plain: Transform) -> Transform:
    steps = [shortcut(inner) for _, inner in step.steps]

    def transform(X: Any) -> Any:  # noqa: N803
        for inner in steps:
            X = inner(X)  # noqa: N806
        return X

    return transform


def _column_transformer(step: ColumnTransformer, plain: Transform) -> Transform | None:
    names = getattr(step, "feature_names_in_", None)
    if step.transformer_weights is not None:
        return None
    parts: list[tuple[Transform, Any]] = []
    for name, inner, columns in step.transformers_:
        places = private.places_of_columns(step, name)
        if (isinstance(inner, str) and inner == "drop") or not len(places):
            continue
        parts.append((shortcut(inner), columns if isinstance(columns, str) else np.array(places)))
    if not parts:
        return None
    expected = None if names is None else pd.Index(names)
    stack = _sparse_stack if step.sparse_output_ else _stack

    def transform(X: Any) -> Any:  # noqa: N803
        if expected is None:
            if not _is_matrix(X) or X.shape[1] != step.n_features_in_:
                return plain(X)
        elif not isinstance(X, pd.DataFrame) or not X.columns.equals(expected):
            return plain(X)
        made = [
            inner(X[places] if isinstance(places, str) else X.take(places, axis=1))
            for inner, places in parts
        ]
        joined = stack(made)
        return plain(X) if joined is None else joined

    return transform


def _feature_union(step: FeatureUnion, plain: Transform) -> Transform | None:
    if step.transformer_weights is not None:
        return None
    parts = [shortcut(inner) for _, inner in step.transformer_list if inner != "drop"]

    def transform(X: Any) -> Any:  # noqa: N803
        made = [inner(X) for inner in parts]
        if any(sparse.issparse(part) or not isinstance(part, np.ndarray) for part in made):
            return plain(X)
        return np.hstack(made)

    return transform if parts else None


def _stack(parts: Sequence[Any]) -> Any:
    """Join matrices side by side; None if one is not a matrix, so that the step can raise."""
    if any(getattr(part, "ndim", 0) != 2 for part in parts):
        return None
    return np.hstack([part.toarray() if sparse.issparse(part) else part for part in parts])


def _sparse_stack(parts: Sequence[Any]) -> Any:
    """Join sparse matrices and floats side by side; None if a part would need a conversion."""
    for part in parts:
        if not sparse.issparse(part) and not (type(part) is np.ndarray and part.dtype == float):
            return None
    return sparse.hstack(parts).tocsr()


def _function(step: FunctionTransformer, plain: Transform) -> Transform | None:
    if step.validate:
        return None
    if step.func is None:
        return _same
    if not private.is_check_of_numbers(step.func):
        return None

    def transform(X: Any) -> Any:  # noqa: N803
        return X if _is_matrix(X) else plain(X)

    return transform


def _standard_scaler(step: StandardScaler, plain: Transform) -> Transform:
    mean = step.mean_ if step.with_mean else None
    scale = step.scale_ if step.with_std else None

    def transform(X: Any) -> Any:  # noqa: N803
        if not _is_plain(X, step.n_features_in_):
            return plain(X)
        scaled = X.copy(order="K")
        if mean is not None:
            scaled -= mean
        if scale is not None:
            scaled /= scale
        return scaled

    return transform


def _simple_imputer(step: SimpleImputer, plain: Transform) -> Transform | None:
    fill = np.asarray(step.statistics_)
    if step.missing_values == step.missing_values or fill.dtype != np.float64:
        return None  # Missing values are not marked by NaN.
    if np.isnan(fill).any():
        return None
    shown = step.indicator_.features_ if step.indicator_ is not None else None
    if shown is not None and (step.indicator_.sparse is True or step.indicator_.error_on_new):
        return None

    def transform(X: Any) -> Any:  # noqa: N803
        if not _is_plain(X, len(fill)):
            return plain(X)
        missing = np.isnan(X)
        filled = X.copy(order="K")
        np.copyto(filled, fill, where=missing)
        return filled if shown is None else np.hstack((filled, missing[:, shown]))

    return transform


def _one_hot(step: OneHotEncoder, plain: Transform) -> Transform | None:
    if step.handle_unknown not in ("ignore", "error") or step.drop is not None:
        return None
    coders = _coders(step)
    if coders is None:
        return None
    starts = np.cumsum([0, *(len(categories) for categories in step.categories_)])
    ignores = step.handle_unknown == "ignore"
    arrays = sklearn.get_config().get("sparse_interface") == "sparray"
    kind = sparse.csr_array if arrays else sparse.csr_matrix

    def transform(X: Any) -> Any:  # noqa: N803
        codes = _codes(coders, X)
        if codes is None or not (ignores or (codes >= 0).all()):
            return plain(X)
        known = codes >= 0
        places = codes + starts[:-1]
        if step.sparse_output:
            ends = np.zeros(len(codes) + 1, dtype=np.int32)
            np.cumsum(known.sum(axis=1), out=ends[1:])
            cells = (np.ones(ends[-1]), places[known].astype(np.int32), ends)
            return kind(cells, shape=(len(codes), starts[-1]), dtype=step.dtype)
        encoded = np.zeros((len(codes), starts[-1]), dtype=step.dtype)
        encoded[np.nonzero(known)[0], places[known]] = 1
        return encoded

    return transform


def _ordinal(step: OrdinalEncoder, plain: Transform) -> Transform | None:
    unknown = step.unknown_value if step.handle_unknown == "use_encoded_value" else None
    coders = _coders(step)
    if coders is None or private.has_category_for_missing(step):
        return None

    def transform(X: Any) -> Any:  # noqa: N803
        codes = _codes(coders, X)
        if codes is None or (unknown is None and (codes < 0).any()):
            return plain(X)
        encoded = codes.astype(step.dtype)
        if unknown is not None:
            encoded[codes < 0] = unknown
        return encoded

    return transform


Coder: TypeAlias = Callable[[Any], "npt.NDArray[np.int_] | None"]
"""Returns the index of every value among a column's categories, -1 for one that is not among them;
None if a value needs the encoder's own rules."""


def _coders(step: Any) -> list[Coder] | None:
    if private.groups_rare_categories(step):
        return None
    coders = [_coder(categories) for categories in step.categories_]
    return [coder for coder in coders if coder is not None] if all(coders) else None


def _coder(categories: npt.NDArray[Any]) -> Coder | None:
    if categories.dtype == np.float64 and not np.isnan(categories).any():
        return lambda column: _number_codes(categories, column)
    if all(type(category) is str for category in categories):
        table = {category: place for place, category in enumerate(categories)}
        return lambda column: _text_codes(table, column)
    return None


def _number_codes(categories: npt.NDArray[np.float64], column: Any) -> npt.NDArray[np.int_] | None:
    if not isinstance(column, np.ndarray) or column.dtype != np.float64:
        return None
    if np.isinf(column).any():
        return None
    places = np.searchsorted(categories, column)
    places[places == len(categories)] = 0
    return np.where(categories[places] == column, places, -1)


def _text_codes(table: dict[str, int], column: Any) -> npt.NDArray[np.int_] | None:
    if not isinstance(column, pd.Series):
        return None
    codes = []
    for value in column.array.tolist():
        if type(value) is not str:
            return None
        codes.append(table.get(value, -1))
    return np.array(codes)


def _codes(coders: Sequence[Coder], X: Any) -> npt.NDArray[np.int_] | None:  # noqa: N803
    if len(X) == 0 or getattr(X, "ndim", 0) != 2 or X.shape[1] != len(coders):
        return None
    columns = [column for _, column in X.items()] if isinstance(X, pd.DataFrame) else list(X.T)
    codes = [coder(column) for coder, column in zip(coders, columns, strict=True)]
    if any(code is None for code in codes):
        return None
    return np.column_stack(codes)  # type: ignore[arg-type]


def _is_plain(X: Any, columns: int) -> bool:  # noqa: N803
    """Return whether the input would pass a step's checks: floats, none of them infinite."""
    return _is_matrix(X) and X.shape[1] == columns and not np.isinf(X).any()


def _is_matrix(X: Any) -> bool:  # noqa: N803
    return type(X) is np.ndarray and X.dtype == np.float64 and X.ndim == 2 and X.size > 0


_BUILDERS: dict[type, Callable[[Any, Transform], Transform | None]] = {
    ColumnTransformer: _column_transformer,
    FeatureUnion: _feature_union,
    FunctionTransformer: _function,
    OneHotEncoder: _one_hot,
    OrdinalEncoder: _ordinal,
    Pipeline: _pipeline,
    SimpleImputer: _simple_imputer,
    StandardScaler: _standard_scaler,
}
