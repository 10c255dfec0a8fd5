"""What a feature may say about itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given

from gnomon.contract import Feature
from gnomon.errors import ContractError
from tests.contract.strategies import features

GOOD: dict[str, Any] = {"name": "x", "type": "float", "dtype": "float64"}
TEXT: dict[str, Any] = {"name": "x", "type": "string", "dtype": "str"}
MOMENT: dict[str, Any] = {"name": "x", "type": "timestamp", "dtype": "datetime64[us, UTC]"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (GOOD | {"dtype": "int64"}, "a float cannot be held in a column of dtype `int64`"),
        (GOOD | {"dtype": "complex128"}, "cannot be held"),
        (GOOD | {"dtype": ">f8"}, "cannot be held"),
        (GOOD | {"type": "integer", "dtype": "string[pyarrow]"}, "cannot be held"),
        (MOMENT | {"dtype": "datetime64[us]"}, "without a zone need a `timezone`"),
        (GOOD | {"column": 7}, "`column` 7 is served as `7`"),
        (GOOD | {"type": "integer", "dtype": "category", "domain": (1.5,)}, "cannot be held"),
        (
            GOOD | {"type": "integer", "dtype": "category[int64]", "domain": ("a",)},
            "not of type integer",
        ),
        (GOOD | {"items": "float"}, "only a list has it"),
        (GOOD | {"type": "list", "dtype": "list"}, "`items` is required for a list"),
        (GOOD | {"length": 3}, "has a `length`"),
        (GOOD | {"type": "decimal", "dtype": "object"}, "`scale` is required for a decimal"),
        (GOOD | {"scale": 2}, "only a decimal has it"),
        (MOMENT | {"dtype": "datetime64[us, Mars]"}, "no time zone `Mars`"),
        (GOOD | {"type": "integer", "dtype": "int64", "nullable": True}, "cannot hold null"),
        (GOOD | {"type": "boolean", "dtype": "bool", "nullable": True}, "cannot hold null"),
        (GOOD | {"missing": "impute"}, "not nullable"),
        (GOOD | {"missing": "default"}, "there is no `default`"),
        (GOOD | {"default": 1.0}, '`missing` is "error"'),
        (TEXT | {"type": "category"}, "needs a `domain`"),
        (TEXT | {"dtype": "category"}, "needs a `domain`"),
        (TEXT | {"domain": ("a", "b", "a")}, "has a value twice"),
        (GOOD | {"domain": ("a",)}, "takes a range"),
        (TEXT | {"minimum": 1.0}, "has no `minimum` and `maximum`"),
        (GOOD | {"minimum": 2.0, "maximum": 1.0}, "`minimum` 2.0 is above `maximum` 1.0"),
        (GOOD | {"timezone": "UTC"}, "has no `timezone`"),
        (MOMENT | {"timezone": "Mars"}, "no time zone `Mars`"),
        (GOOD | {"max_age": dt.timedelta(hours=1)}, "a float has no `max_age`"),
        (MOMENT | {"max_age": dt.timedelta(0)}, "expected a positive `max_age`"),
    ],
)
def test_a_contradiction_is_refused(options: dict[str, Any], message: str) -> None:
    """A feature that cannot be kept to is refused with what is wrong with it."""
    with pytest.raises(ContractError) as caught:
        Feature(**options).check()
    assert message in caught.value.message


@given(features())
def test_every_type_and_dtype_that_goes_together_is_accepted(feature: Feature) -> None:
    """What the other tests draw from is what the contract allows."""
    feature.check()


def test_timestamps_travel_in_microseconds_of_their_zone() -> None:
    """The Arrow field of a timestamp has the feature's zone, UTC if it says none."""
    assert Feature(**MOMENT).arrow.type == pa.timestamp("us", tz="UTC")
    there = Feature(**MOMENT, timezone="America/New_York")
    assert there.arrow.type == pa.timestamp("us", tz="America/New_York")
