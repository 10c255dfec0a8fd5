"""What each type of feature accepts, and how it refuses."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from msgspec.structs import astuple

from gnomon.contract import Decoder, Feature
from tests.contract.flight import (
    FLIGHT,
    OWN_OFFSET,
    RECORD,
    body,
    decoded_value,
    refusal,
    value_refusal,
)


@pytest.mark.parametrize(
    ("changes", "where", "message"),
    [
        ({"dep_delay": "12"}, "$.dep_delay", 'expected float, got "12"'),
        ({"dep_delay": True}, "$.dep_delay", "expected float, got true"),
        ({"dep_delay": [1]}, "$.dep_delay", "expected float, got an array"),
        ({"distance": 3.5}, "$.distance", "expected integer, got 3.5"),
        ({"distance": "3"}, "$.distance", 'expected integer, got "3"'),
        ({"distance": False}, "$.distance", "expected integer, got false"),
        ({"distance": None}, "$.distance", "expected integer, got null"),
        ({"weekend": 1}, "$.weekend", "expected boolean, got 1"),
        ({"weekend": "true"}, "$.weekend", 'expected boolean, got "true"'),
        ({"carrier": 1}, "$.carrier", "expected category, got 1"),
        ({"tail number": {}}, '$["tail number"]', "expected string, got an object"),
        ({"scheduled": 1364807700}, "$.scheduled", "expected timestamp, got 1364807700"),
        ({"scheduled": "April"}, "$.scheduled", 'expected timestamp, got "April"'),
        ({"scheduled": "2013-04-01"}, "$.scheduled", 'expected timestamp, got "2013-04-01"'),
    ],
)
def test_a_wrong_type_is_refused_with_its_place(
    changes: dict[str, Any], where: str, message: str
) -> None:
    """A value of another type is refused: what was expected, what came, and where."""
    error = refusal(body(**changes))
    assert (error.where, error.message, error.status) == (where, message, 422)
    in_rows = refusal(json.dumps({"rows": [RECORD] * 3 + [RECORD | changes]}).encode())
    assert in_rows.where == where.replace("$", "$.rows[3]", 1)


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 2**64, 10**30, 10**4000])
def test_an_integer_beyond_64_bits_is_refused(value: int) -> None:
    """An integer that 64 signed bits do not hold is refused, at its place."""
    error = refusal(b'{"rows":[' + body() + b"," + body(distance=value) + b"]}")
    assert error.where == "$.rows[1].distance"
    assert "expected integer from -9223372036854775808" in error.message
    assert len(error.message) < 150


@pytest.mark.parametrize("value", [3.0, -0.0, 3e2, 9007199254740992.0])
def test_a_whole_float_is_an_integer(value: float) -> None:
    """`3.0` is the integer 3: many clients write every number as a float."""
    feature = Feature(name="n", type="integer", dtype="int64")
    decoded = decoded_value(feature, value)
    assert decoded == value
    assert type(decoded) is int


@pytest.mark.parametrize("value", [3.5, -0.1, 1e-300])
@pytest.mark.parametrize("coerce", [False, True])
def test_a_fraction_is_never_cut_to_an_integer(value: float, coerce: bool) -> None:
    """No setting makes an integer of 3.5."""
    feature = Feature(name="n", type="integer", dtype="int64", coerce=coerce)
    assert value_refusal(feature, value).where == "$.n"
    assert value_refusal(feature, str(value)).where == "$.n"


def test_a_float_too_large_to_be_exact_is_no_integer() -> None:
    """Past 2**53 a float stands for several integers, so it is refused rather than guessed."""
    feature = Feature(name="n", type="integer", dtype="int64")
    assert "not exact" in str(value_refusal(feature, 9007199254740994.0))
    assert decoded_value(feature, 9007199254740993) == 9007199254740993


@pytest.mark.parametrize(
    ("dtype", "value", "accepted"),
    [
        ("int8", 127, True),
        ("int8", 128, False),
        ("Int8", -129, False),
        ("uint16", 65535, True),
        ("uint16", -1, False),
        ("uint64", 2**63 - 1, True),
        ("uint64", 2**63, False),
    ],
)
def test_an_integer_must_fit_the_training_column(dtype: str, value: int, accepted: bool) -> None:
    """A value the training dtype cannot hold is refused rather than wrapped around."""
    feature = Feature(name="n", type="integer", dtype=dtype)
    if accepted:
        assert decoded_value(feature, value) == value
    else:
        assert "expected integer from" in value_refusal(feature, value).message


def test_a_float_must_fit_the_training_column() -> None:
    """A float32 column is never sent infinity."""
    feature = Feature(name="x", type="float", dtype="float32")
    assert decoded_value(feature, 3e38) == 3e38
    assert "float32" in value_refusal(feature, 4e38).message


@pytest.mark.parametrize(
    ("kind", "dtype", "value", "expected"),
    [
        ("integer", "int64", "3", 3),
        ("integer", "int64", "3.0", 3),
        ("float", "float64", "3", 3.0),
        ("float", "float64", "-1.5e3", -1500.0),
        ("boolean", "bool", 1, True),
        ("boolean", "bool", 0, False),
        ("boolean", "bool", "true", True),
    ],
)
def test_coerce_reads_what_it_promises(kind: Any, dtype: str, value: Any, expected: Any) -> None:
    """With `coerce`, numbers in strings and 1 for true are read."""
    decoded = decoded_value(Feature(name="x", type=kind, dtype=dtype, coerce=True), value)
    assert decoded == expected
    assert type(decoded) is type(expected)


@pytest.mark.parametrize(
    ("kind", "dtype", "value"),
    [
        ("integer", "int64", ""),
        ("integer", "int64", "1_000"),
        ("integer", "int64", "٣"),
        ("float", "float64", "nan"),
        ("float", "float64", "Infinity"),
        ("float", "float64", "1e400"),
        ("float", "float64", " 1"),
        ("float", "float64", True),
        ("boolean", "bool", 2),
        ("boolean", "bool", "yes"),
        ("boolean", "bool", 1.0),
        ("boolean", "bool", []),
    ],
)
def test_coerce_reads_nothing_else(kind: Any, dtype: str, value: Any) -> None:
    """With `coerce`, what is not a number or a truth is still refused; NaN above all."""
    assert (
        value_refusal(Feature(name="x", type=kind, dtype=dtype, coerce=True), value).where == "$.x"
    )


def test_a_timestamp_without_offset_is_refused() -> None:
    """The error shows the time in the feature's zone."""
    error = refusal(body(scheduled="2013-04-01T05:15:00"))
    assert error.message == 'expected timestamp with an offset, got "2013-04-01T05:15:00"'
    assert error.hint == "in America/New_York it is 2013-04-01T05:15:00-04:00"


@pytest.mark.parametrize(
    "value",
    ["2013-04-01T09:15:00Z", "2013-04-01T05:15:00-05:00", "2013-04-01T09:15:00+00:00"],
)
def test_a_timestamp_of_another_zone_is_refused(value: str) -> None:
    """If the contract forbids it; otherwise only the instant counts."""
    error = value_refusal(OWN_OFFSET, value)
    assert error.message == f'expected timestamp in America/New_York, got "{value}"'
    assert error.hint is not None
    assert "-04:00" in error.hint
    assert '"outside": "allow"' in error.hint
    (row,) = Decoder(FLIGHT).decode(body(scheduled=value)).rows
    assert astuple(row)[-1] == dt.datetime.fromisoformat(value)


def test_coerce_takes_a_timestamp_of_any_zone() -> None:
    """With `coerce`, the instant is kept, whatever zone it is given in."""
    feature = Feature(
        name="t",
        type="timestamp",
        dtype="datetime64[us, America/New_York]",
        timezone="America/New_York",
        outside="error",
        coerce=True,
    )
    assert decoded_value(feature, "2013-04-01T09:15:00Z") == dt.datetime(
        2013, 4, 1, 9, 15, tzinfo=dt.UTC
    )
    assert "offset" in value_refusal(feature, "2013-04-01T09:15:00").message


@pytest.mark.parametrize("value", ["2013-11-03T01:30:00-04:00", "2013-11-03T01:30:00-05:00"])
def test_both_hours_of_a_clock_change_are_accepted(value: str) -> None:
    """When clocks go back an hour comes twice; the offset says which is meant."""
    feature = Feature(
        name="t", type="timestamp", dtype="datetime64[us, UTC]", timezone="America/New_York"
    )
    assert decoded_value(feature, value) == dt.datetime.fromisoformat(value)


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ("1930-01-01T00:00:00+00:19", True),
        ("1930-01-01T00:00:00+00:20", True),
        ("1930-01-01T00:00:00+00:18", False),
    ],
)
def test_an_offset_of_odd_seconds_is_given_in_minutes(value: str, accepted: bool) -> None:
    """Amsterdam was 19 minutes and 32 seconds ahead, which ISO 8601 cannot say."""
    feature = Feature(
        name="t",
        type="timestamp",
        dtype="datetime64[us, UTC]",
        timezone="Europe/Amsterdam",
        outside="error",
    )
    if accepted:
        assert decoded_value(feature, value) == dt.datetime.fromisoformat(value)
    else:
        assert "in Europe/Amsterdam" in value_refusal(feature, value).message


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("datetime64[ns, UTC]", "1500-01-01T00:00:00Z"),
        ("datetime64[ns, UTC]", "2300-01-01T00:00:00Z"),
        ("datetime64[us, UTC]", "0001-01-01T00:00:00+05:00"),
        ("datetime64[us, UTC]", "9999-12-31T23:00:00-05:00"),
    ],
)
def test_a_timestamp_must_fit_the_training_column(dtype: str, value: str) -> None:
    """An instant the training dtype cannot hold is refused rather than wrapped around."""
    feature = Feature(name="t", type="timestamp", dtype=dtype, coerce=True)
    assert "in the years" in value_refusal(feature, value).message


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        (
            Feature(name="n", type="integer", dtype="int64", minimum=0.5, outside="error"),
            0,
            "expected integer of 0.5 or more, got 0",
        ),
        (
            Feature(name="x", type="float", dtype="float64", maximum=9.5, outside="error"),
            10.0,
            "expected float of 9.5 or less, got 10.0",
        ),
        (
            Feature(
                name="x", type="float", dtype="float64", minimum=0.0, maximum=9.5, outside="error"
            ),
            -1,
            "expected float from 0 to 9.5, got -1",
        ),
        (
            Feature(name="c", type="category", dtype="str", domain=("a", "b"), outside="error"),
            "z",
            'expected one of "a", "b", got "z"',
        ),
        (
            Feature(
                name="c",
                type="category",
                dtype="str",
                domain=tuple("abcdefghijklm"),
                outside="error",
            ),
            "z",
            'expected one of "a", "b", "c", "d", "e", "f", "g", "h", "i", "j" and 3 more, got "z"',
        ),
    ],
)
def test_values_outside_are_refused_if_the_contract_says(
    feature: Feature, value: Any, message: str
) -> None:
    """With `outside` set to error, the message names the good values."""
    assert value_refusal(feature, value).message == message


def test_a_long_value_is_cut_in_messages() -> None:
    """A message shows the beginning of what came, however long it was."""
    message = refusal(body(distance="9" * 1_000_000)).message
    assert len(message) < 80
    assert message.endswith("…")
