"""A flight as a request, and what a decoder makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import astuple

from gnomon.contract import Contract, Decoder, Feature
from gnomon.errors import InvalidRequest
from tests.contract.strategies import contract

FLIGHT = contract(
    Feature(name="distance", type="integer", dtype="int64", minimum=80.0, maximum=4983.0),
    Feature(name="dep_delay", type="float", dtype="float64", nullable=True, missing="impute"),
    Feature(name="weekend", type="boolean", dtype="bool", missing="default", default=False),
    Feature(name="carrier", type="category", dtype="str", domain=("AA", "B6", "UA")),
    Feature(name="tail number", type="string", dtype="str"),
    Feature(
        name="scheduled",
        type="timestamp",
        dtype="datetime64[us, America/New_York]",
        timezone="America/New_York",
    ),
)
OWN_OFFSET = Feature(
    name="t",
    type="timestamp",
    dtype="datetime64[us, America/New_York]",
    timezone="America/New_York",
    outside="error",
)
"""A timestamp whose contract forbids other offsets than its zone's."""
RECORD: dict[str, Any] = {
    "distance": 2475,
    "dep_delay": 3.5,
    "weekend": True,
    "carrier": "UA",
    "tail number": "N14228",
    "scheduled": "2013-04-01T05:15:00-04:00",
}


def body(**changes: Any) -> bytes:
    """The flight as a request body, with some fields changed."""
    return json.dumps(RECORD | changes).encode()


def without(name: str) -> bytes:
    """The flight as a request body, without one field."""
    return json.dumps({key: value for key, value in RECORD.items() if key != name}).encode()


def refusal(given: bytes, by: Contract = FLIGHT) -> InvalidRequest:
    """The error that a body is refused with."""
    with pytest.raises(InvalidRequest) as caught:
        Decoder(by).decode(given)
    return caught.value


def decoded_value(feature: Feature, value: Any) -> Any:
    """What a feature makes of one JSON value."""
    rows = Decoder(contract(feature)).decode(json.dumps({feature.name: value}).encode()).rows
    return astuple(rows[0])[0]


def value_refusal(feature: Feature, value: Any) -> InvalidRequest:
    """How a feature refuses one JSON value."""
    return refusal(json.dumps({feature.name: value}).encode(), contract(feature))
