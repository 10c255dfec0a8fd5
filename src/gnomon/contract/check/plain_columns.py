"""Columns of frames, files and JSON bodies, converted to the few forms that checks handle."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Column", "Distinct", "distinct", "is_number", "json_values", "plain"]

Column: TypeAlias = pa.Array | list[Any]
"""An Arrow array; or JSON values of types that one array cannot hold together."""


class Distinct(NamedTuple):
    """The distinct values of a column in JSON form, and the index of each row's value."""

    values: list[Any]
    codes: npt.NDArray[np.int64]


def json_values(values: Sequence[Any]) -> Column:
    """Convert the JSON values of one feature to an array, if they all have one type."""
    kind = _KINDS.get(frozenset(map(type, values)) - {type(None)})
    if kind is not None:
        with suppress(pa.ArrowException, OverflowError, ValueError):  # beyond 64 bits, or inexact
            return pa.array(values, kind)
    return list(values)


_KINDS: dict[frozenset[type], pa.DataType] = {
    frozenset(): pa.null(),
    frozenset([int]): pa.int64(),
    frozenset([float]): pa.float64(),
    frozenset([int, float]): pa.float64(),
    frozenset([bool]): pa.bool_(),
    frozenset([str]): pa.string(),
}


def plain(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Convert a column to one of few types; NaN is null, times are in microseconds."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    kind = array.type
    if pa.types.is_dictionary(kind):
        return plain(array.dictionary_decode())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if pa.types.is_decimal(kind):
        return array.cast(pa.float64())
    if pa.types.is_floating(kind):
        wide = array.cast(pa.float64())
        return pc.if_else(pc.is_nan(wide), pa.scalar(None, pa.float64()), wide)
    if pa.types.is_timestamp(kind):
        return array.cast(pa.timestamp("us", kind.tz), safe=False)
    return array


def distinct(column: Column) -> Distinct:
    """Return the distinct values of a column."""
    if isinstance(column, list):
        return _distinct(column)
    try:
        encoded = column.dictionary_encode(null_encoding="encode")
    except pa.ArrowNotImplementedError:  # nested types
        return _distinct([_carried(scalar) for scalar in column])
    values = [_carried(scalar) for scalar in encoded.dictionary]
    return Distinct(values, encoded.indices.to_numpy().astype(np.int64))


def is_number(kind: pa.DataType) -> bool:
    """Return whether an Arrow type is a number."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _distinct(column: list[Any]) -> Distinct:
    """Find the distinct values of a list; ``1``, ``1.0`` and ``true`` are three values in JSON."""
    codes: dict[Any, int] = {}
    values: list[Any] = []
    row_codes = np.empty(len(column), dtype=np.int64)
    for place, value in enumerate(column):
        key = (type(value), repr(value) if isinstance(value, list | dict) else value)
        row_codes[place] = codes.setdefault(key, len(values))
        if len(codes) > len(values):
            values.append(value)
    return Distinct(values, row_codes)


def _carried(scalar: pa.Scalar) -> Any:
    """Return a value as JSON represents it; as text if JSON has no form for it."""
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError):  # a time in a year that Python cannot represent
        return str(scalar.cast(pa.int64()))
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    return value if isinstance(value, bool | int | float | str | list | dict | None) else str(value)
