"""Columns of any source in the forms a check knows."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from gnomon.contract.check.plain_columns import distinct, json_values, plain


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, None, 2], pa.int64()),
        ([1, 2.5], pa.float64()),
        ([True, None], pa.bool_()),
        (["a"], pa.string()),
        ([None], pa.null()),
    ],
)
def test_values_of_one_kind_are_an_array(values: list[Any], kind: pa.DataType) -> None:
    """An array lets them be checked together."""
    column = json_values(values)
    assert isinstance(column, pa.Array)
    assert column.type == kind
    assert column.to_pylist() == values


@pytest.mark.parametrize("values", [[1, True], ["1", 1], [[1], None], [2**70, 1]])
def test_other_values_stay_what_they_are(values: list[Any]) -> None:
    """To JSON, 1 and true are two things, and no array holds what is beyond 64 bits."""
    assert json_values(values) == values
    assert distinct(values).values == values


@pytest.mark.parametrize(
    ("column", "kind", "values"),
    [
        (pa.array(["a", "b", "a"]).dictionary_encode(), pa.string(), ["a", "b", "a"]),
        (pa.array(["a"], pa.large_string()), pa.string(), ["a"]),
        (pa.array([1.0, float("nan")], pa.float32()), pa.float64(), [1.0, None]),
        (pa.array([Decimal("1.5")]), pa.float64(), [1.5]),
        (pa.chunked_array([[1], [2]]), pa.int64(), [1, 2]),
    ],
)
def test_a_column_in_few_types(column: Any, kind: pa.DataType, values: list[Any]) -> None:
    """NaN becomes null."""
    converted = plain(column)
    assert (converted.type, converted.to_pylist()) == (kind, values)


def test_distinct_values_are_as_json_has_them() -> None:
    """The place of each value among them is returned too, also for nested ones."""
    day = dt.date(2024, 5, 1)
    result = distinct(pa.array([day, None, day]))
    assert (result.values, result.codes.tolist()) == (["2024-05-01", None], [0, 1, 0])
    nested = distinct(pa.array([[1], [1], [2]]))
    assert (nested.values, nested.codes.tolist()) == ([[1], [2]], [0, 0, 1])
