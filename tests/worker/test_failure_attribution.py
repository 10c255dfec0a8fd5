"""The value that a pipeline fails on is named."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from gnomon.contract import Contract, Feature, Output
from gnomon.worker.failure_attribution import blamed, row_error

CONTRACT = Contract(
    task="regression",
    features=(
        Feature(name="wind speed", type="float", dtype="float64"),
        Feature(name="seats", type="integer", dtype="int64"),
        Feature(name="at", type="timestamp", dtype="datetime64[us, UTC]", timezone="UTC"),
    ),
    outputs=(Output(name="prediction", type="float"),),
)

ORDINARY: dict[str, Any] = {
    "wind speed": 1.0, "seats": 2, "at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
}  # fmt: skip

FAR = dt.datetime(2500, 1, 1, tzinfo=dt.UTC)


def row(**changed: Any) -> pa.RecordBatch:
    """One decoded row."""
    values = {**ORDINARY, **{name.replace("_", " "): value for name, value in changed.items()}}
    return pa.RecordBatch.from_pylist([values], schema=CONTRACT.input_schema)


def raises_on(*names: str) -> Callable[[pa.RecordBatch], bool]:
    """Whether a pipeline scores a row that raises where one of these is extreme."""
    extreme = {"wind speed": 1e300, "seats": 2**60, "at": FAR}
    return lambda batch: not any(batch.column(name)[0].as_py() == extreme[name] for name in names)


@pytest.mark.parametrize(
    ("changed", "where", "expected"),
    [
        ({"wind_speed": 1e300}, '["wind speed"]', "a number within"),
        ({"seats": 2**60}, ".seats", "an integer within"),
        ({"at": FAR}, ".at", "a timestamp in the years 1678 to 2261"),
    ],
)
def test_a_value_that_no_narrow_type_holds_is_to_blame(
    changed: dict[str, Any], where: str, expected: str
) -> None:
    """The pipeline scores the row with an ordinary value in its place; the error says where."""
    names = [name.replace("_", " ") for name in changed]
    error = blamed(row(**changed), CONTRACT, raises_on(*names))
    assert error is not None
    place, message = row_error(error) or ("", "")
    assert place.replace("\\u0020", " ") == where
    assert message.startswith(f"expected {expected}")
    assert ", got " in message


def test_of_several_suspects_the_guilty_one_is_named() -> None:
    """The one without which the row scores."""
    error = blamed(row(wind_speed=1e300, seats=2**60), CONTRACT, raises_on("seats"))
    assert error is not None
    assert ".seats" in error


def test_a_pipeline_that_raises_anyway_is_to_blame_itself() -> None:
    """If an ordinary value raises too, or every value is ordinary."""
    assert blamed(row(seats=2**60), CONTRACT, lambda _: False) is None
    assert blamed(row(), CONTRACT, raises_on("seats")) is None


def test_another_error_is_not_read_as_blame() -> None:
    """Only a place that the worker itself named counts."""
    assert row_error("ValueError: negative x") is None
