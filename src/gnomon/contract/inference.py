"""A contract from the training frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd

from gnomon.contract.contract import Contract, Feature, FeatureType, Output, Scalar
from gnomon.contract.dtypes import dtype_name, training_dtype
from gnomon.contract.feature import holds
from gnomon.contract.zones import zone_name
from gnomon.errors import ContractError
from gnomon.name_lists import as_names

__all__ = ["infer_contract"]

LARGEST_DOMAIN = 200

_NUMBERS: dict[str, FeatureType] = {
    "b": "boolean",
    "i": "integer",
    "u": "integer",
    "f": "float",
}
_HINTS = {
    "datetime64": 'say its zone, for instance with .dt.tz_localize("America/New_York")',
    "timedelta64": "make it a number with .dt.total_seconds()",
    "complex": "make it two float columns",
    "object": 'make it one type, for instance with .astype("str")',
}


def infer_contract(
    X: pd.DataFrame,  # noqa: N803
    *,
    task: Literal["classification", "regression"],
    classes: Sequence[Any] = (),
    probabilities: bool = True,
    entity_key: str | Sequence[str] = (),
    event_time: str | None = None,
) -> Contract:
    """Infer the contract that the training frame satisfies.

    A feature may be null online if it was null in training, and an absent key is then a null too.
    Range and domain are what training saw; values outside are accepted and counted. Strings of
    at most 200 distinct values, each seen twice on average, are a ``category``.

    Args:
        X: the features as the pipeline was trained on them.
        task: what the pipeline does.
        classes: the classifier's ``classes_``.
        probabilities: whether the classifier has ``predict_proba``.
        entity_key: the columns that together identify the entity predicted for.
        event_time: the timestamp column with the time the prediction was requested.

    Raises:
        ContractError: a column that JSON could not send, or that could not be rebuilt exactly;
            with what to do about it.
    """
    if not isinstance(X, pd.DataFrame):
        raise ContractError(
            f"expected a pandas DataFrame, got {type(X).__name__}",
            hint="a contract needs the names and dtypes of the columns",
        )
    if X.empty:
        raise ContractError("expected a frame with rows and columns, got an empty one")
    for name in X.columns:
        if not isinstance(name, str):
            raise ContractError(f"expected column names that are strings, got {name!r}")
    labels = tuple(_label(label) for label in classes)
    contract = Contract(
        task=task,
        features=tuple(_feature(X.iloc[:, i]) for i in range(X.shape[1])),
        outputs=_outputs(labels, probabilities),
        classes=labels,
        entity_key=as_names(entity_key),
        event_time=event_time,
    )
    contract.check()
    return contract


def _feature(column: pd.Series[Any]) -> Feature:
    try:
        nullable = bool(column.isna().any())
        kind, seen = _seen(column)
        feature = Feature(
            name=str(column.name),
            type=kind,
            dtype=dtype_name(column),
            nullable=nullable,
            missing="impute" if nullable else "error",
            **seen,
        )
        feature.check()
        if training_dtype(feature) != column.dtype:
            raise ContractError(f"a column of dtype {column.dtype!r} could not be rebuilt exactly")
    except ContractError as error:
        error.where = f"column `{column.name}`"
        error.hint = error.hint or _hint(column)
        raise
    return feature


def _seen(column: pd.Series[Any]) -> tuple[FeatureType, dict[str, Any]]:
    """The type of a column, and the domain, range or zone seen in it."""
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "timestamp", {"timezone": zone_name(dtype.tz)}
    if isinstance(dtype, pd.CategoricalDtype):
        if not all(isinstance(value, str) for value in dtype.categories):
            raise ContractError("the categories are not all strings")
        return "category", {"domain": tuple(dtype.categories)}
    if isinstance(dtype, pd.StringDtype):
        return _seen_text(column)
    if dtype == np.dtype(object):
        return _seen_objects(column)
    kind = _NUMBERS.get(dtype.kind)
    if kind is None or not holds(str(dtype), kind):
        raise ContractError(f"a column of dtype `{dtype}` cannot be sent as JSON")
    return kind, {} if kind == "boolean" else _range(column)


def _seen_objects(column: pd.Series[Any]) -> tuple[FeatureType, dict[str, Any]]:
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("string", "empty"):
        return _seen_text(column)
    if kind == "boolean":
        return "boolean", {}
    raise ContractError(f"an object column of kind {kind} cannot be sent as JSON")


def _seen_text(column: pd.Series[Any]) -> tuple[FeatureType, dict[str, Any]]:
    values = column.dropna().unique()
    if 0 < len(values) <= LARGEST_DOMAIN and 2 * len(values) <= column.count():
        return "category", {"domain": tuple(sorted(map(str, values)))}
    return "string", {}


def _range(column: pd.Series[Any]) -> dict[str, Any]:
    finite = column.dropna()
    finite = finite[np.isfinite(finite.to_numpy())]
    if finite.empty:
        return {}
    low, high = finite.min().item(), finite.max().item()
    if isinstance(high, int) and high >= 2**63:
        raise ContractError(
            f"the column holds {high}, beyond 64 signed bits",
            hint="make an identifier a string and a quantity a float",
        )
    return {"minimum": _at_most(low), "maximum": -_at_most(-high)}


def _at_most(number: float) -> float:
    """The largest float not above ``number``, which may be an integer no float equals."""
    nearest = float(number)
    return math.nextafter(nearest, -math.inf) if nearest > number else nearest


def _hint(column: pd.Series[Any]) -> str:
    name = str(column.dtype)
    return next(
        (hint for start, hint in _HINTS.items() if name.startswith(start)),
        "convert it to a number, a string, a category of strings or a timestamp with a zone",
    )


def _label(label: Any) -> Scalar:
    plain = label.item() if isinstance(label, np.generic) else label
    if not isinstance(plain, bool | int | float | str):
        raise ContractError(
            f"expected classes that are strings, numbers or booleans, got {plain!r}"
        )
    return plain


def _outputs(labels: Sequence[Scalar], probabilities: bool) -> tuple[Output, ...]:
    prediction = Output(name="prediction", type=_label_type(labels))
    if not probabilities:
        return (prediction,)
    names = (str(x).lower() if isinstance(x, bool) else str(x) for x in labels)
    return (prediction, *(Output(name=f"probability_{x}", type="float") for x in names))


def _label_type(labels: Sequence[Scalar]) -> Literal["integer", "float", "boolean", "string"]:
    if labels and all(isinstance(label, bool) for label in labels):
        return "boolean"
    if labels and all(isinstance(label, int) for label in labels):
        return "integer"
    return "string" if any(isinstance(label, str) for label in labels) else "float"
