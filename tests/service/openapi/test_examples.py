"""The examples in the OpenAPI document satisfy the contract."""

from __future__ import annotations

import msgspec
import pytest

from gnomon.contract import Contract, Decoder, Feature
from gnomon.service.openapi.examples import example_row
from tests.service.standin import CONTRACT


def contract(feature: Feature) -> Contract:
    """A contract of one feature."""
    return msgspec.structs.replace(CONTRACT, features=(feature,), entity_key=(), event_time=None)


def test_the_example_is_accepted_by_its_contract() -> None:
    """A first request that copies it succeeds."""
    body = msgspec.json.encode(example_row(CONTRACT))
    decoded = Decoder(CONTRACT).decode(body)
    assert len(decoded.rows) == 1
    assert decoded.unknown == ()


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (Feature(name="x", type="integer", dtype="int64", minimum=4, maximum=5), 4),
        (
            Feature(name="x", type="float", dtype="float64", minimum=1.23456, maximum=1.23457),
            1.23456,
        ),
        (Feature(name="x", type="float", dtype="float64", minimum=-1e9), -1e9),
        (Feature(name="x", type="float", dtype="float64", maximum=0.1), 0.1),
        (Feature(name="x", type="float", dtype="float64"), 0.0),
        (Feature(name="x", type="string", dtype="object"), "text"),
        (Feature(name="x", type="string", dtype="object", nullable=True), None),
        (
            Feature(name="x", type="timestamp", dtype="datetime64[us, +05:30]", timezone="+05:30"),
            "2024-06-03T12:00:00+05:30",
        ),
        (
            Feature(
                name="x", type="integer", dtype="int64", missing="default", default=7, minimum=1
            ),
            7,
        ),
    ],
)
def test_each_example_keeps_to_its_feature(feature: Feature, expected: object) -> None:
    """A value within the range, of the domain, in the zone; short where it can be."""
    strict = msgspec.structs.replace(feature, outside="error")
    assert example_row(contract(strict)) == {"x": expected}
    Decoder(contract(strict)).decode(msgspec.json.encode({"x": expected}))
