"""The values of one feature, converted from Arrow to the pandas column of training, and back."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract.dtypes import cells, training_dtype
from gnomon.contract.feature import Feature
from gnomon.contract.interval_categories import interval_text
from gnomon.contract.time_zones import with_offset, zone_name
from gnomon.errors import ContractError

__all__ = ["arrow_column", "category_values", "numpy_values", "pandas_values", "with_offsets"]

Values = Callable[[pa.Array], Any]

_NULLS: dict[str, Any] = {"object[nan]": np.nan, "object[NA]": pd.NA}


def numpy_values(feature: Feature) -> Values:
    """Return the function that converts an Arrow column into values for a numpy block."""
    if (kind := cells(feature.dtype)) is not None:
        return lambda array: _objects(array.to_pylist(), _cell_of(kind))
    if (null := _NULLS.get(feature.dtype)) is not None:
        return lambda array: _objects(array.to_pylist(), null=null)
    if feature.dtype == "object" and feature.type in ("integer", "float", "date", "decimal"):
        return lambda array: _objects(array.to_pylist())
    if feature.dtype == "object" or feature.dtype.startswith("float"):
        if feature.type == "boolean" and feature.dtype != "object":
            return lambda array: array.cast(pa.int8()).to_numpy(zero_copy_only=False)
        return lambda array: array.to_numpy(zero_copy_only=False)

    def whole(array: pa.Array) -> Any:
        if array.null_count:
            raise ContractError(
                f"a null in `{feature.name}`, whose training dtype `{feature.dtype}` holds none"
            )
        return array.to_numpy(zero_copy_only=False)

    return whole


def pandas_values(feature: Feature, dtype: Any) -> Values:
    """Return the function that converts an Arrow column into a pandas array of ``dtype``."""
    if isinstance(dtype, pd.CategoricalDtype):
        codes: dict[Any, int] = {value: i for i, value in enumerate(feature.domain or ())}
        return lambda array: pd.Categorical.from_codes(
            np.array([codes.get(value, -1) for value in array.to_pylist()], np.int64),
            dtype=dtype,
            validate=False,
        )
    if isinstance(dtype, np.dtype):  # a clock without a zone
        zone = feature.timezone
        return lambda array: pd.array(_clock(array, zone).to_numpy(False).astype(dtype))
    if isinstance(dtype, pd.ArrowDtype):
        return _arrow_values(feature, dtype)
    if isinstance(dtype, pd.DatetimeTZDtype) and dtype.unit in ("s", "ms"):
        coarse = pa.timestamp(dtype.unit)
        return lambda array: dtype.__from_arrow__(array.cast(coarse, safe=False))
    if feature.type == "boolean" and feature.dtype != "boolean":
        return lambda array: dtype.__from_arrow__(array.cast(pa.int8()))
    return lambda array: dtype.__from_arrow__(array)


def arrow_column(column: pd.Series[Any], feature: Feature) -> pa.Array:
    """Convert a column of a frame to the feature's Arrow column; NaN, None and NaT are null.

    Raises:
        ContractError: it contains a value that the feature cannot represent.
    """
    kind = feature.arrow.type
    try:
        if feature.type == "timestamp":
            return _instants(column, feature, kind)
        if feature.type == "list":
            return pa.array([_items(value) for value in column], kind)
        if feature.type == "category" and isinstance(column.dtype, pd.CategoricalDtype):
            return category_values(column).cast(kind)
        array = pa.Array.from_pandas(column, type=kind if feature.type == "decimal" else None)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        if pa.types.is_floating(array.type):
            array = pc.if_else(pc.is_nan(array), pa.scalar(None, array.type), array)
        return array.cast(kind)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ContractError(
            f"expected {feature.type} in every row: {error}", where=f"column `{column.name}`"
        ) from None


def _objects(
    values: list[Any], change: Callable[[Any], Any] = lambda value: value, null: Any = None
) -> npt.NDArray[np.object_]:
    """Make an object array cell by cell: numpy would make a matrix of lists of equal length."""
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):
        array[place] = null if value is None else change(value)
    return array


def _cell_of(kind: str) -> Callable[[Any], Any]:
    """Return the function that makes a list into the cell of a column of lists."""
    if kind in ("list", "tuple"):
        return list if kind == "list" else tuple
    dtype = np.dtype(kind)
    return lambda items: np.array(items, dtype)


def _arrow_values(feature: Feature, dtype: Any) -> Values:
    kind = dtype.pyarrow_dtype
    if pa.types.is_timestamp(kind) and kind.tz is None:
        zone = feature.timezone
        return lambda array: dtype.__from_arrow__(_clock(array, zone).cast(kind, safe=False))
    if pa.types.is_dictionary(kind):
        return lambda array: dtype.__from_arrow__(array.dictionary_encode().cast(kind))
    if feature.type == "boolean" and not pa.types.is_boolean(kind):
        return lambda array: dtype.__from_arrow__(array.cast(pa.int8()).cast(kind))
    return lambda array: dtype.__from_arrow__(array.cast(kind, safe=False))


def _clock(array: pa.Array, zone: str | None) -> pa.Array:
    """Return the local times of a zone at these instants."""
    return pc.local_timestamp(array.cast(pa.timestamp("us", zone or "UTC")))


def _instants(column: pd.Series[Any], feature: Feature, kind: pa.DataType) -> pa.Array:
    """Convert a column to instants in UTC; Arrow would treat times without a zone as UTC."""
    if isinstance(column.dtype, pd.ArrowDtype):
        column = _without_arrow(column)
    dtype = column.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pa.array(column.dt.tz_convert(None).to_numpy().astype("datetime64[us]"), kind)
    if isinstance(dtype, np.dtype) and dtype.kind == "M" and _is_naive(feature):
        return _localized(column, feature).cast(kind)
    raise TypeError(f"a column of dtype `{dtype}` has no zone")


def _without_arrow(column: pd.Series[Any]) -> pd.Series[Any]:
    """Convert an Arrow-backed column of timestamps to pandas' own type."""
    kind: Any = column.dtype.pyarrow_dtype  # type: ignore[union-attr]
    if not pa.types.is_timestamp(kind):
        raise TypeError(f"a column of dtype `{column.dtype}` does not contain timestamps")
    zone = "" if kind.tz is None else f", {zone_name(kind.tz)}"
    dtype: Any = f"datetime64[{kind.unit}{zone}]"
    return pd.Series(column.astype(dtype))


def with_offsets(
    column: pa.Array | pa.ChunkedArray, feature: Feature
) -> pa.Array | pa.ChunkedArray:
    """Convert a column of a file or frame to the values of requests.

    A time without a zone has the zone that was declared in training; in a request the offset must
    be stated.
    """
    is_clock = pa.types.is_timestamp(column.type) and column.type.tz is None
    if not (is_clock or pa.types.is_string(column.type)) or not _is_naive(feature):
        return column
    name = feature.timezone or "UTC"
    values = (with_offset(value, name) for value in column.to_pylist())
    texts = [v.isoformat() if isinstance(v, dt.datetime) else v for v in values]
    return pa.array(texts, pa.string())


def _is_naive(feature: Feature) -> bool:
    """Return whether the training column has times without a zone; their zone is the feature's."""
    if feature.type != "timestamp":
        return False
    dtype = training_dtype(feature)
    if isinstance(dtype, pd.ArrowDtype):
        return dtype.pyarrow_dtype.tz is None
    return isinstance(dtype, np.dtype)


def _localized(column: pd.Series[Any], feature: Feature) -> pa.Array:
    """Convert times without a zone to instants in the feature's zone.

    An hour that occurs twice, when clocks are put back, means the first.
    """
    naive = pa.array(column.to_numpy().astype("datetime64[us]"))
    zone = feature.timezone or "UTC"
    try:
        return pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="raise")
    except pa.ArrowInvalid:
        instants = pc.assume_timezone(naive, zone, ambiguous="earliest", nonexistent="earliest")
        skipped = naive.filter(pc.not_equal(pc.local_timestamp(instants), naive))
        raise _never_shown(skipped, feature, zone) from None


def _never_shown(skipped: pa.Array, feature: Feature, zone: str) -> ContractError:
    """The refusal of clock times that are skipped when clocks are put forward."""
    label = f"X[{feature.column if feature.column is not None else feature.name!r}]"
    times = f"{len(skipped):,} times" if len(skipped) > 1 else "a time"
    return ContractError(
        f"{times} that no clock in {zone} shows, such as {skipped[0].as_py()}: clocks are put "
        "forward then",
        where=f"column `{feature.name}`",
        hint='if the column is by another clock, say so: timezone="UTC"; else drop those rows, '
        f'or put them forward too: {label} = {label}.dt.tz_localize("{zone}", '
        'nonexistent="shift_forward", ambiguous=True).dt.tz_localize(None)',
    )


def _items(value: Any) -> Any:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    return value.tolist() if isinstance(value, np.ndarray) else list(value)


def category_values(column: pd.Series[Any]) -> pa.Array:
    """Return the values of a column of categories; intervals as text."""
    categories: Any = column.dtype.categories  # type: ignore[union-attr]
    if not isinstance(categories, pd.IntervalIndex):
        return pa.Array.from_pandas(column)
    texts = pa.array([interval_text(category) for category in categories], pa.string())
    codes = column.cat.codes.to_numpy()
    return texts.take(pa.array(codes, mask=codes < 0))
