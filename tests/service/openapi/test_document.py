"""The OpenAPI document and its schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from gnomon.contract import Feature
from gnomon.errors import InvalidRequest
from gnomon.service.control import ROUTES
from gnomon.service.http.asgi import error_response
from gnomon.service.openapi.document import openapi
from gnomon.service.openapi.schemas import seen_in_training
from tests.service.standin import CONTRACT


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document of the stand-in's contract, through JSON."""
    document = openapi(CONTRACT, "flights:one")
    return msgspec.json.decode(msgspec.json.encode(document))  # type: ignore[no-any-return]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
        for child in value.values():
            yield from nodes(child)
    elif isinstance(value, list):
        for child in value:
            yield from nodes(child)


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    """What OpenAPI 3.1 requires of a document, a path, an operation and a response is there."""
    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "flights"
    assert document["info"]["version"] == "one"
    for path, item in document["paths"].items():
        assert path.startswith("/")
        for method, operation in item.items():
            assert method in {"get", "post"}
            assert operation["summary"]
            assert operation["responses"]
            for status, response in operation["responses"].items():
                assert status.isdigit()
                assert response["description"]


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    """No ``$ref`` points nowhere, and every security scheme that is asked for exists."""
    references = [node["$ref"] for node in nodes(document) if "$ref" in node]
    assert references
    for reference in references:
        target: Any = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part]
    schemes = document["components"]["securitySchemes"]
    required = {name for node in nodes(document) for name in _scheme_names(node)}
    assert required == set(schemes)


def _scheme_names(node: dict[str, Any]) -> list[str]:
    security = node.get("security", [])
    return [name for requirement in security for name in requirement]


def test_the_record_is_the_contract(document: dict[str, Any]) -> None:
    """Types, nulls, limits, defaults, zones and units are those of the live artifact."""
    record = document["components"]["schemas"]["Record"]
    assert record["required"] == ["carrier", "hour", "distance", "time_hour"]
    fields = record["properties"]
    assert fields["carrier"]["enum"] == ["AA", "UA"]
    assert fields["hour"]["type"] == "integer"
    assert "minimum" not in fields["hour"]
    assert "seen in training: 5 to 23" in fields["hour"]["description"]
    assert fields["distance"]["type"] == ["number", "null"]
    assert "in miles" in fields["distance"]["description"]
    assert fields["time_hour"]["format"] == "date-time"
    assert "America/New_York" in fields["time_hour"]["description"]
    assert fields["wet"]["default"] is False
    assert "type" not in fields["wet"]
    assert set(record["example"]) == set(fields)


def test_the_answer_is_the_contracts(document: dict[str, Any]) -> None:
    """Labels and a probability for each."""
    prediction = document["components"]["schemas"]["Prediction"]["properties"]
    assert prediction["prediction"]["enum"] == ["late", "on_time"]
    assert prediction["probabilities"]["required"] == ["late", "on_time"]


def test_limits_that_are_enforced_are_in_the_schema() -> None:
    """A range is a rule only where the contract says so."""
    hour = msgspec.structs.replace(CONTRACT.feature("hour"), outside="error", nullable=True)
    contract = msgspec.structs.replace(CONTRACT, features=(hour,))
    schema = openapi(contract, "m:1")["components"]["schemas"]["Record"]["properties"]["hour"]
    assert (schema["minimum"], schema["maximum"]) == (5, 23)
    assert schema["type"] == ["integer", "null"]


def test_every_route_is_described(document: dict[str, Any]) -> None:
    """Prediction, control, health and pages."""
    for path, route in ROUTES.items():
        assert route.method.lower() in document["paths"][path]
    others = {
        "/predict",
        "/labels",
        "/",
        "/docs.json",
        "/status.json",
        "/livez",
        "/readyz",
        "/metrics",
    }
    assert set(document["paths"]) == {*ROUTES, *others}


def test_the_error_shape_is_the_one_that_is_sent(document: dict[str, Any]) -> None:
    """The described fields are exactly the fields of an error response."""
    shape = document["components"]["schemas"]["Error"]["properties"]["error"]["properties"]
    sent = msgspec.json.decode(error_response(InvalidRequest("x"))[2])["error"]
    assert set(shape) == set(sent)


@pytest.mark.parametrize(
    ("feature", "expected"),
    [
        (Feature(name="x", type="float", dtype="float64", minimum=0, maximum=1e6), "0 to 1e+06"),
        (Feature(name="x", type="integer", dtype="int64", minimum=1500), "from 1,500"),
        (Feature(name="x", type="integer", dtype="int64", maximum=3), "up to 3"),
        (Feature(name="x", type="boolean", dtype="bool"), ""),
        (
            Feature(name="x", type="category", dtype="category", domain=tuple(map(str, range(15)))),
            "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 3 more",
        ),
    ],
)
def test_a_training_range_or_domain_is_described_shortly(feature: Feature, expected: str) -> None:
    """A range, or the first values of a domain."""
    assert seen_in_training(feature) == expected
