"""Convert columns of an external table to the types of the log, or refuse them with a hint."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import TableError

__all__ = ["as_key", "as_known", "as_label", "as_value", "micros"]

_UTC = pa.timestamp("us", tz="UTC")


def as_key(column: pa.ChunkedArray, field: pa.Field, where: str) -> pa.Array:
    """Convert a key column to the log's type, so that equal keys are equal values."""
    column = _decoded(column)
    place = f"{where}: {field.name}"
    if _family(column.type) != _family(field.type):
        raise TableError(
            f"the key is {_name(field.type)} in the log and {_name(column.type)} in the table"
            f"{_example(column)}",
            where=place,
            hint="write it in the log's type; a key of another type would match no row",
        )
    _refuse_naive(column, place)
    try:
        cast: pa.Array = pc.cast(column, field.type)
    except pa.ArrowInvalid as error:
        raise TableError(
            f"the key cannot be read as {_name(field.type)}: {error}", where=place
        ) from None
    return cast


def as_value(column: pa.ChunkedArray, type_: pa.DataType | None, place: str) -> pa.Array:
    """Convert a column to compare; numbers keep the precision they have in the table."""
    column = _decoded(column)
    if pa.types.is_null(column.type):
        return column.cast(type_ or pa.float64())
    if type_ is None:
        return column
    if _family(column.type) != _family(type_):
        raise TableError(
            f"expected {_name(type_)}, as in the log, got {_name(column.type)}{_example(column)}",
            where=place,
            hint="write the column in the log's type, or leave it out",
        )
    _refuse_naive(column, place)
    times_or_lists = pa.types.is_timestamp(type_) or pa.types.is_list(type_)
    return column.cast(type_, safe=False) if times_or_lists else column


def as_label(column: pa.ChunkedArray, where: str) -> pa.Array:
    """Convert a column of labels, which is used as evidence and not compared.

    Raises:
        TableError: timestamps without a zone.
    """
    column = _decoded(column)
    _refuse_naive(column, where)
    return column


def as_known(column: pa.ChunkedArray, where: str) -> pa.Array:
    """Convert a column of the times at which rows were known.

    Raises:
        TableError: days, timestamps without a zone, or no times at all.
    """
    column = _decoded(column)
    type_ = column.type
    if pa.types.is_null(type_) or (pa.types.is_timestamp(type_) and type_.tz is not None):
        return column.cast(_UTC, safe=False)
    actual = "timestamps without one" if pa.types.is_timestamp(type_) else _name(type_)
    if pa.types.is_date(type_):
        actual = "days"
    raise TableError(
        f"expected timestamps with a time zone, got {actual}{_example(column)}",
        where=where,
        hint="write the time from which each row could be read, with an offset, such as "
        "2013-04-01T09:00:00Z; without one, it is unknown which requests came before it",
    )


def micros(times: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Convert timestamps to microseconds since 1970; null is before all others."""
    known_micros = times.cast(_UTC, safe=False).cast(pa.int64())
    values: npt.NDArray[np.int64] = known_micros.fill_null(np.iinfo(np.int64).min).to_numpy()
    return values


def _decoded(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.string()) if _family(array.type) == "text" else array


def _refuse_naive(column: pa.Array, place: str) -> None:
    if pa.types.is_timestamp(column.type) and column.type.tz is None:
        raise TableError(
            f"the timestamps have no time zone{_example(column)}",
            where=place,
            hint="write them with an offset, such as 2013-04-01T09:00:00Z",
        )


def _family(type_: pa.DataType) -> str:
    types = pa.types
    if types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_):
        return "number"
    if types.is_string(type_) or types.is_large_string(type_) or types.is_string_view(type_):
        return "text"
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        return "list"
    if types.is_date(type_):
        return "date"
    return "timestamp" if types.is_timestamp(type_) else str(type_)


def _name(type_: pa.DataType) -> str:
    """Name a type in the words of the contract."""
    names = {
        "text": "text",
        "timestamp": "a timestamp",
        "bool": "a boolean",
        "null": "all null",
        "list": "a list",
        "date": "a date",
    }
    family = _family(type_)
    if family == "number":
        return "an integer" if pa.types.is_integer(type_) else "a number with decimals"
    return names.get(family, f"`{type_}`")


def _example(column: pa.Array) -> str:
    known = column.drop_null()
    return f" (such as {known[0].as_py()!s})" if len(known) else ""
