"""The kinds of rows that a client takes (records, frames, arrays, tables), converted to records."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from gnomon.errors import InvalidRequest

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Record", "Rows", "is_nameless", "one_record", "records", "scalar", "slice_of"]

Record: TypeAlias = Mapping[str, Any]
Rows: TypeAlias = "Sequence[Record] | Sequence[Sequence[Any]] | pd.DataFrame | Any"
"""Also a polars frame, an Arrow table or batch, and a NumPy array; their libraries are not imported
here."""

_TAKEN = (
    "a dict, a list of dicts, a pandas or polars DataFrame, a row of one (a Series), "
    "an Arrow table, a NumPy array, or a list of lists"
)


def one_record(rows: Any) -> Record | None:
    """Return the record if ``rows`` is a single one: a dict, or a Series indexed by names."""
    if isinstance(rows, Mapping):
        return rows
    if _is_pandas(rows, "Series") and all(isinstance(name, str) for name in rows.index):
        return {name: scalar(value) for name, value in rows.items()}
    return None


def is_nameless(rows: Any) -> bool:
    """Return whether the rows have no column names: an array, or a list of lists."""
    if _is_array(rows):
        return True
    return _is_list(rows) and bool(rows) and _is_list(rows[0])


def records(rows: Any, names: Sequence[str] = ()) -> Sequence[Record]:
    """Return all rows as records.

    Args:
        rows: many rows, not a single record (:func:`one_record`).
        names: the column names, for rows without names (:func:`is_nameless`).

    Raises:
        InvalidRequest: ``rows`` is of a kind that is not accepted; the message lists the others.
    """
    if is_nameless(rows):
        return _records_of(rows, names)
    if _is_list(rows):
        return list(rows)
    if _is_pandas(rows, "DataFrame"):
        columns = {str(name): _values(rows[name]) for name in rows.columns}
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for method in ("to_dicts", "to_pylist"):  # Methods of polars' frames and of Arrow's tables.
        if callable(getattr(rows, method, None)) and hasattr(rows, "columns"):
            converted: Sequence[Record] = getattr(rows, method)()
            return converted
    is_column = _is_pandas(rows, "Series")
    raise InvalidRequest(
        f"expected rows, got {type(rows).__module__}.{type(rows).__qualname__}",
        where="$",
        hint=f"give {_TAKEN}" + ("; a column as series.to_frame()" if is_column else ""),
    )


def slice_of(rows: Any, start: int, count: int) -> Any:
    """Return some of the rows, in a form that :func:`records` takes."""
    if _is_pandas(rows, "DataFrame"):
        return rows.iloc[start : start + count]
    if callable(getattr(rows, "slice", None)):  # Polars' frames and Arrow's tables have it.
        return rows.slice(start, count)
    return rows[start : start + count] if hasattr(rows, "__len__") else rows


def scalar(value: Any) -> Any:
    """Return a value, with a null of pandas or NumPy as None."""
    if value is None or isinstance(value, str | bool | int | dt.datetime):
        return None if value != value else value  # NaT is a datetime that does not equal itself.
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return None if type(value).__name__ == "NAType" else value


def _records_of(rows: Any, names: Sequence[str]) -> Sequence[Record]:
    values = rows.tolist() if _is_array(rows) else rows
    if _is_array(rows) and rows.ndim != 2:
        raise InvalidRequest(
            f"expected an array of two dimensions, rows and columns, got {rows.ndim}",
            where="$",
            hint="for one row: array.reshape(1, -1)",
        )
    for number, row in enumerate(values):
        if len(row) != len(names):
            raise InvalidRequest(
                f"expected a value for each of the {len(names)} features, got {len(row)}",
                where=f"$.rows[{number}]",
                hint="the order is that of the features: " + ", ".join(names[:10]),
            )
    return [dict(zip(names, map(scalar, row), strict=True)) for row in values]


def _values(column: pd.Series[Any]) -> list[Any]:
    """Return the values of a column, with every kind of null as None."""
    return list(column.astype(object).where(column.notna(), None))


def _is_list(rows: Any) -> bool:
    return isinstance(rows, Sequence) and not isinstance(rows, str | bytes | bytearray | Mapping)


def _is_array(rows: Any) -> bool:
    return type(rows).__module__ == "numpy" and hasattr(rows, "ndim") and hasattr(rows, "tolist")


def _is_pandas(rows: Any, name: str) -> bool:
    return any(
        kind.__name__ == name and kind.__module__.partition(".")[0] == "pandas"
        for kind in type(rows).__mro__
    )
