"""The pandas dtype of a training column, converted to its name in the contract and back."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.contract.feature import Feature
from gnomon.contract.interval_categories import interval
from gnomon.errors import ContractError

__all__ = ["Dtype", "cells", "dtype_name", "is_numpy", "training_dtype"]

Dtype = np.dtype[Any] | pd.api.extensions.ExtensionDtype

_ARROW = "[pyarrow]"
_STRING_OBJECTS = "string[python]"
"""pandas calls this dtype and the one backed by Arrow ``string``."""

_CATEGORY = re.compile(r"category(\[(ordered)?(, )?(.+)?\])?")
_TIMESTAMP = re.compile(r"timestamp\[(\w+)(, tz=(.+))?\]")
_DECIMAL = re.compile(r"decimal128\((\d+), (\d+)\)")
_FIXED = re.compile(r"fixed_size_list<(\w+): (\w+)( not null)?>\[(\d+)\]")
_LIST = re.compile(r"(large_)?list<(\w+): (\w+)( not null)?>")
_DICTIONARY = re.compile(r"dictionary<values=(\w+), indices=(\w+), ordered=([01])>")
_OBJECTS = re.compile(r"object|object\[nan\]|object\[NA\]|list|tuple|ndarray\[.+\]")


def training_dtype(feature: Feature) -> Dtype:
    """Return the dtype that the feature's column had in training.

    Raises:
        ContractError: there is no such dtype.
    """
    name = feature.dtype
    if name.startswith("category"):
        return _categories(feature)
    if _OBJECTS.fullmatch(name):
        return np.dtype(object)
    try:
        if name.endswith(_ARROW):
            return pd.ArrowDtype(_arrow(name.removesuffix(_ARROW)))
        return pd.api.types.pandas_dtype(name)
    except (TypeError, ValueError) as error:
        raise ContractError(f"no dtype `{name}`: {error}") from None


def is_numpy(dtype: Dtype) -> bool:
    """Return whether a frame keeps columns of this dtype in one numpy block, row by row."""
    return isinstance(dtype, np.dtype) and dtype.kind != "M"


def cells(dtype: str) -> str | None:
    """Return the cell type of a column of lists: ``list``, ``tuple``, a numpy dtype; else None."""
    return dtype.removeprefix("ndarray[").removesuffix("]") if _is_cell(dtype) else None


def dtype_name(column: pd.Series[Any]) -> str:
    """Return the name of a training column's dtype in :class:`Feature`.

    Raises:
        ContractError: it is an object column whose nulls, or whose arrays, are of several kinds.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        kind = str(dtype.categories.dtype)
        parts = [*(["ordered"] if dtype.ordered else []), *([] if kind == "str" else [kind])]
        return f"category[{', '.join(parts)}]" if parts else "category"
    if dtype == np.dtype(object):
        return _object_name(column)
    return _STRING_OBJECTS if dtype == _STRING_OBJECTS else str(dtype)


def _is_cell(dtype: str) -> bool:
    return dtype in ("list", "tuple") or dtype.startswith("ndarray[")


def _categories(feature: Feature) -> pd.CategoricalDtype:
    match = _CATEGORY.fullmatch(feature.dtype)
    if match is None:
        raise ContractError(f"no dtype `{feature.dtype}`")
    domain, kind = list(feature.domain or ()), match[4] or "str"
    if kind.startswith("interval"):
        values: Any = pd.IntervalIndex([interval(str(text)) for text in domain]).astype(kind)
    else:
        values = pd.Index(domain, dtype=kind)
    return pd.CategoricalDtype(values, ordered=match[2] is not None)


def _arrow(name: str) -> pa.DataType:
    """Return an Arrow type by the name that Arrow itself prints for it."""
    if match := _TIMESTAMP.fullmatch(name):
        return pa.timestamp(match[1], match[3])
    if match := _DECIMAL.fullmatch(name):
        return pa.decimal128(int(match[1]), int(match[2]))
    if match := _FIXED.fullmatch(name):
        item = pa.field(match[1], _arrow(match[2]), nullable=match[3] is None)
        return pa.list_(item, int(match[4]))
    if match := _LIST.fullmatch(name):
        make = pa.large_list if match[1] else pa.list_
        return make(pa.field(match[2], _arrow(match[3]), nullable=match[4] is None))
    if match := _DICTIONARY.fullmatch(name):
        return pa.dictionary(_arrow(match[2]), _arrow(match[1]), match[3] == "1")
    return pa.type_for_alias(name)


def _object_name(column: pd.Series[Any]) -> str:
    arrays = {_cell(value) for value in column if isinstance(value, list | tuple | np.ndarray)}
    if len(arrays) > 1:
        raise ContractError(
            "the cells are arrays of several kinds: " + ", ".join(sorted(arrays)),
            hint=f"X[{column.name!r}] = [np.asarray(cell) for cell in X[{column.name!r}]]",
        )
    if arrays:
        return arrays.pop()
    kinds = {type(value) for value in column[column.isna()]}
    if kinds <= {type(None)}:
        return "object"
    if kinds == {float}:
        return "object[nan]"
    if kinds == {type(pd.NA)}:
        return "object[NA]"
    raise ContractError(
        "the nulls of an object column are of several kinds: "
        + ", ".join(sorted(kind.__name__ for kind in kinds)),
        hint=f"X[{column.name!r}] = X[{column.name!r}].where(X[{column.name!r}].notna(), None)",
    )


def _cell(value: Any) -> str:
    return f"ndarray[{value.dtype}]" if isinstance(value, np.ndarray) else type(value).__name__
