"""Inference of one feature of a contract from a column of the training frame."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.contract.contract import FEATURE_NAME, Feature, FeatureType
from gnomon.contract.dtypes import dtype_name, training_dtype
from gnomon.contract.feature import ItemType, holds
from gnomon.contract.interval_categories import interval_text
from gnomon.contract.json_values import years
from gnomon.contract.time_zones import zone_name
from gnomon.errors import ContractError
from gnomon.name_lists import listed

__all__ = ["infer_feature"]

LARGEST_DOMAIN = 200
LISTED_KINDS = 5
_REAL = (bool, int, float, np.bool_, np.integer, np.floating)

_NUMBERS: dict[str, FeatureType] = {
    "b": "boolean",
    "i": "integer",
    "u": "integer",
    "f": "float",
}
_ITEMS: dict[str, ItemType] = {
    "b": "boolean",
    "i": "integer",
    "u": "integer",
    "f": "float",
    "U": "string",
}
_OBJECTS: dict[str, FeatureType] = {
    "boolean": "boolean",
    "integer": "integer",
    "floating": "float",
    "mixed-integer-float": "float",
    "date": "date",
    "decimal": "decimal",
}
_CONVERSIONS = {
    "timedelta64": "X[{0}] = X[{0}].dt.total_seconds()",
    "duration": 'X[{0}] = X[{0}].astype("timedelta64[us]").dt.total_seconds()',
    "complex": "X[{1}], X[{2}] = X[{0}].to_numpy().real, X.pop({0}).to_numpy().imag",
    "period": "X[{0}] = X[{0}].dt.to_timestamp()",
    "interval": "X[{0}] = X[{0}].array.mid",
    "Sparse": "X[{0}] = X[{0}].sparse.to_dense()",
    "category": "X[{0}] = X[{0}].astype(X[{0}].dtype.categories.dtype)",
    "datetime": "X[{0}] = pd.to_datetime(X[{0}], utc=True)",
    "bytes": "X[{0}] = X[{0}].str.decode('utf-8')",
    "binary": "X[{0}] = X[{0}].astype(object).str.decode('utf-8')",
    ">": "X[{0}] = X[{0}].astype(X[{0}].dtype.newbyteorder('='))",
    "time": "X[{0}] = [t.hour * 3600 + t.minute * 60 + t.second for t in X[{0}]]",
}
_TEXT = 'X[{0}] = X[{0}].astype("str")'


def infer_feature(
    column: pd.Series[Any],
    *,
    timezone: str | None = None,
    carried: bool = False,
    may_lack: bool = False,
) -> Feature:
    """Infer the feature of a column of the training frame.

    Args:
        column: the column, with its name.
        timezone: its time zone, if it contains timestamps without one.
        carried: whether the column is not given to the pipeline.
        may_lack: whether null stands for a key that a record does not have.

    Raises:
        ContractError: JSON cannot represent it, or it could not be rebuilt exactly; the hint has
            a line that converts it.
    """
    try:
        nullable = bool(column.isna().any())
        kind, facts = _infer(column, timezone)
        feature = Feature(
            name=str(column.name),
            type=kind,
            dtype=dtype_name(column),
            nullable=nullable or may_lack,
            missing="impute" if nullable or may_lack else "error",
            carried=carried,
            column=_integer_label(column.name),
            **facts,
        )
        feature.check()
        if training_dtype(feature) != column.dtype:
            raise ContractError(f"a column of dtype `{column.dtype}` could not be rebuilt exactly")
        if kind == "timestamp":
            _check_years(column, feature)
    except ContractError as error:
        error.where = f"column `{column.name}`"
        error.hint = _in_records(column) if may_lack else error.hint or _conversion(column)
        raise
    return feature


def _check_years(column: pd.Series[Any], feature: Feature) -> None:
    """Refuse times that requests may not have, such as 9999-12-31 for "for ever".

    Raises:
        ContractError: a year is outside those that a request may have.
    """
    first, last = years(feature.dtype)
    outside = column[(column.dt.year < first) | (column.dt.year > last)]
    if outside.empty:
        return
    naive = getattr(outside.iloc[0], "tzinfo", None) is None
    zone = "" if naive else f", tz={feature.timezone!r}"
    ends = f"pd.Timestamp('{first:04}-01-01'{zone}), pd.Timestamp('{last}-12-31'{zone})"
    label = f"X[{column.name!r}]"
    raise ContractError(
        f"the column contains {outside.iloc[0]}, "
        f"and a request may have the years {first} to {last}",
        hint=f"before the pipeline is fitted: {label} = {label}.clip({ends})",
    )


def _integer_label(name: Any) -> int | None:
    if isinstance(name, str):
        if not FEATURE_NAME.fullmatch(name):
            raise ContractError(
                f"a column cannot be called {name!r}: a name is not empty and has no quote, "
                "backslash or control character",
                hint="before the pipeline is fitted: "
                f"X = X.rename(columns={{{name!r}: {_valid_name(name)!r}}})",
            )
        return None
    if isinstance(name, int | np.integer) and not isinstance(name, bool):
        return int(name)
    raise ContractError(
        f"expected column names that are text or integers, got {name!r}",
        hint="X.columns = X.columns.map(str)",
    )


def _valid_name(name: str) -> str:
    return "".join(c if FEATURE_NAME.fullmatch(c) else "_" for c in name) or "column"


def _infer(column: pd.Series[Any], timezone: str | None) -> tuple[FeatureType, dict[str, Any]]:
    """Return the type of a column, and the domain, range, zone or shape seen in it."""
    dtype: Any = column.dtype
    if isinstance(dtype, pd.ArrowDtype):
        return _infer_arrow(column, timezone)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return "timestamp", {"timezone": zone_name(dtype.tz)}
    if isinstance(dtype, pd.CategoricalDtype):
        return _infer_categories(dtype)
    if isinstance(dtype, pd.StringDtype):
        return _infer_text(column)
    if dtype == np.dtype(object):
        return _infer_objects(column)
    if dtype.kind == "M":
        return "timestamp", {"timezone": _declared_zone(column, timezone)}
    kind = _NUMBERS.get(dtype.kind)
    if kind is None or not holds(str(dtype), kind):
        raise ContractError(f"a column of dtype `{dtype}` cannot be sent as JSON")
    return kind, {} if kind == "boolean" else _range(column)


def _declared_zone(column: pd.Series[Any], timezone: str | None) -> str:
    if timezone is None:
        raise ContractError(
            "the timestamps have no time zone, so it is unknown which instants they are",
            hint='state their time zone: timezone="America/New_York", '
            f'or X[{column.name!r}] = X[{column.name!r}].dt.tz_localize("America/New_York")',
        )
    return timezone


def _infer_arrow(
    column: pd.Series[Any], timezone: str | None
) -> tuple[FeatureType, dict[str, Any]]:
    dtype: Any = column.dtype
    kind = dtype.pyarrow_dtype
    if pa.types.is_timestamp(kind):
        zone = _declared_zone(column, timezone) if kind.tz is None else zone_name(kind.tz)
        return "timestamp", {"timezone": zone}
    if pa.types.is_date(kind):
        return "date", {}
    if pa.types.is_decimal(kind):
        return "decimal", {"scale": kind.scale, **_range(column)}
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return _infer_lists(column, kind.value_type.to_pandas_dtype())
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _infer_text(column)
    number_type = _NUMBERS.get(dtype.kind)
    if number_type is None or not holds(str(dtype), number_type):
        raise ContractError(f"a column of dtype `{dtype}` cannot be sent as JSON")
    return number_type, {} if number_type == "boolean" else _range(column)


def _infer_categories(dtype: pd.CategoricalDtype) -> tuple[FeatureType, dict[str, Any]]:
    categories: Any = dtype.categories
    if isinstance(categories, pd.IntervalIndex) and categories.dtype.subtype.kind in "iuf":  # type: ignore[union-attr]
        return "category", {"domain": tuple(map(interval_text, categories))}
    if all(isinstance(value, str) for value in categories):
        return "category", {"domain": tuple(categories)}
    kind = _NUMBERS.get(categories.dtype.kind)
    if kind is None or not holds(f"category[{categories.dtype}]", kind):
        raise ContractError(f"categories of dtype `{categories.dtype}` cannot be sent as JSON")
    return kind, {"domain": tuple(value.item() for value in categories.to_numpy())}


def _infer_objects(column: pd.Series[Any]) -> tuple[FeatureType, dict[str, Any]]:
    known = column.dropna()
    if len(known) and all(isinstance(value, list | tuple | np.ndarray) for value in known):
        return _infer_lists(known, None)
    kind = pd.api.types.infer_dtype(column, skipna=True)
    if kind in ("string", "empty"):
        return _infer_text(column)
    type_ = _OBJECTS.get(kind)
    if type_ is None:
        raise _unsendable_error(known, kind)
    if type_ == "decimal":
        return type_, {"scale": _scale(known), **_range(known)}
    return type_, {} if type_ in ("boolean", "date") else _range(known)


def _unsendable_error(known: pd.Series[Any], kind: str) -> ContractError:
    """The refusal of objects: what they are, and, where numbers are meant, how to have these."""
    kinds = sorted({type(value).__qualname__ for value in known})
    if kinds == ["dict"]:
        name = repr(known.name)
        return ContractError(
            "the cells are dictionaries, and a feature is one value",
            hint=f"make a column of each key, and let the pipeline read those: X = X.drop(columns="
            f"{name}).join(pd.json_normalize(X[{name}].tolist()).set_index(X.index))",
        )
    if len(kinds) > 1:
        numbers = all(isinstance(value, (*_REAL, Decimal)) for value in known)
        return ContractError(
            f"the cells are of several kinds: {listed(kinds, LISTED_KINDS)}",
            hint=f"X[{known.name!r}] = X[{known.name!r}].astype(float)" if numbers else None,
        )
    what = f"kind {kind}" if kinds == [] or kind != "mixed" else f"type `{kinds[0]}`"
    return ContractError(f"an object column of {what} cannot be sent as JSON")


def _scale(known: pd.Series[Any]) -> int:
    """Return the largest number of digits after the point."""
    exponents = [value.as_tuple().exponent for value in known]
    if not all(isinstance(exponent, int) for exponent in exponents):
        raise ContractError(
            "a decimal is not finite",
            hint=f"X[{known.name!r}] = X[{known.name!r}].astype(float)",
        )
    return max(0, -min(exponents, default=0))


def _infer_lists(column: pd.Series[Any], items: Any) -> tuple[FeatureType, dict[str, Any]]:
    known = [np.asarray(value) for value in column.dropna()]
    name = repr(column.name)
    if any(array.ndim != 1 for array in known):
        raise ContractError(
            "the cells are arrays of several dimensions, and a list has one",
            hint=f"X[{name}] = [np.ravel(cell) for cell in X[{name}]]",
        )
    dtypes = {array.dtype for array in known if array.size} or {np.dtype(items or float)}
    together = np.result_type(*dtypes) if len({d.kind for d in dtypes} - {*"iufb"}) == 0 else None
    kind = _ITEMS.get(
        together.kind if together is not None else dtypes.pop().kind if len(dtypes) == 1 else "U"
    )
    strings = kind == "string" and all(
        isinstance(item, str) for array in known for item in array.tolist()
    )
    if kind is None or (kind == "string" and not strings):
        raise ContractError(
            "the arrays contain values that are not all numbers, all booleans or all text",
            hint=f"X[{name}] = [[str(item) for item in cell] for cell in X[{name}]]",
        )
    if kind == "float" and not all(np.isfinite(array).all() for array in known):
        raise ContractError(
            "an array contains NaN or infinity, which JSON cannot represent",
            hint=f"X[{name}] = [np.nan_to_num(cell) for cell in X[{name}]]",
        )
    lengths = {len(array) for array in known}
    fixed = lengths.pop() if len(lengths) == 1 else None
    return "list", {"items": kind, "length": fixed or None}


def _infer_text(column: pd.Series[Any]) -> tuple[FeatureType, dict[str, Any]]:
    values = column.dropna().unique()
    if 0 < len(values) <= LARGEST_DOMAIN and 2 * len(values) <= column.count():
        return "category", {"domain": tuple(sorted(map(str, values)))}
    return "string", {}


def _range(column: pd.Series[Any]) -> dict[str, Any]:
    """Return the range as floats: one not above the minimum, one not below the maximum."""
    numbers = column.dropna().to_numpy()
    known = numbers[np.isfinite(numbers.astype(np.float64))]
    if not len(known):
        return {}
    low, high = (_plain(value) for value in (known.min(), known.max()))
    if isinstance(high, int) and high >= 2**63:
        raise ContractError(
            f"the column contains {high}, beyond 64 signed bits",
            hint="convert a quantity to float, and an identifier to text: "
            + _TEXT.format(repr(column.name)),
        )
    return {"minimum": _at_most(low), "maximum": -_at_most(-high)}


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _at_most(number: float | Decimal) -> float:
    """Return the largest float not above ``number``, which may not be a float itself."""
    nearest = float(number)
    return math.nextafter(nearest, -math.inf) if nearest > number else nearest


def _conversion(column: pd.Series[Any]) -> str:
    """Return the line of code that converts the column into one that can be sent."""
    dtype = str(column.dtype)
    if dtype == "object":
        dtype = pd.api.types.infer_dtype(column, skipna=True)
    line = next((line for start, line in _CONVERSIONS.items() if dtype.startswith(start)), _TEXT)
    return line.format(*(repr(name) for name in _names(column.name)))


def _in_records(column: pd.Series[Any]) -> str:
    """Return the line of code that converts the values of one key to text."""
    key = repr(column.name)
    return f"X = [row | {{{key}: str(row[{key}])}} if {key} in row else row for row in X]"


def _names(name: Any) -> tuple[Any, Any, Any]:
    return name, f"{name}_real", f"{name}_imag"
