"""Decoded rows with a feature replaced: the input of an intervention."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["hours", "numbers", "with_feature", "with_hours", "without_lists"]

Floats = npt.NDArray[np.float64]

_UTC = pa.timestamp("us", tz="UTC")
_MICROS_PER_HOUR = 3_600_000_000


def numbers(column: pa.Array | pa.ChunkedArray) -> Floats:
    """Convert a column of numbers or timestamps to 64-bit floats; null becomes NaN."""
    if pa.types.is_timestamp(column.type):
        return hours(column)
    return np.asarray(pc.cast(column, pa.float64(), safe=False), dtype=np.float64)


def hours(column: pa.Array | pa.ChunkedArray) -> Floats:
    """Convert timestamps to hours since 1970; null becomes NaN."""
    micros = pc.cast(pc.cast(column, _UTC), pa.int64())
    return np.asarray(pc.cast(micros, pa.float64(), safe=False)) / _MICROS_PER_HOUR


def without_lists(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Convert lists to their JSON text, so that values can be counted and compared."""
    if not pa.types.is_nested(values.type):
        return values
    texts = [None if items is None else json.dumps(items) for items in values.to_pylist()]
    array = pa.array(texts, pa.string())
    return pa.chunked_array([array]) if isinstance(values, pa.ChunkedArray) else array


def with_hours(rows: pa.RecordBatch, feature: str, times: Floats) -> pa.RecordBatch:
    """Return rows with a timestamp feature set to ``times``, in hours since 1970."""
    known = np.isfinite(times)
    micros = np.round(np.where(known, times, 0.0) * _MICROS_PER_HOUR).astype(np.int64)
    return with_feature(rows, feature, pa.array(micros, mask=~known).cast(_UTC))


def with_feature(rows: pa.RecordBatch, feature: str, values: pa.Array) -> pa.RecordBatch:
    """Return rows with a feature set to other values.

    Raises:
        pa.ArrowInvalid: the feature cannot have these values.
    """
    position = rows.schema.get_field_index(feature)
    field = rows.schema.field(position)
    return rows.set_column(position, field, pc.cast(values, field.type))
