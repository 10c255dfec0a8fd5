"""How outputs are arranged in an answer, and the schema that promises it."""

from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from gnomon.contract import Contract, Feature, Output
from gnomon.service.client.answers import Predictions
from gnomon.service.lane.answer_encoding import many
from gnomon.service.openapi.schemas import contract_schemas
from gnomon.worker.messages import scored_schema

X = Feature(name="x", type="float", dtype="float64")


def contract(task: Any, *outputs: Output, classes: Any = ()) -> Contract:
    result = Contract(task=task, features=(X,), outputs=outputs, classes=classes)
    result.check()
    return result


def number(name: str, **options: Any) -> Output:
    return Output(name=name, type="float", **options)


SEVERAL = contract(
    "classification",
    Output(name="prediction_hot", type="integer", target="hot", classes=(0, 1)),
    Output(name="prediction_late", type="string", target="late", classes=("no", "yes")),
    number("probability_hot_1", target="hot", label=1),
    number("probability_late_no", target="late", label="no"),
    number("probability_late_yes", target="late", label="yes"),
)
CASES = {
    "a class and its probabilities": (
        contract(
            "classification",
            Output(name="prediction", type="string"),
            number("probability_a"),
            number("probability_b"),
            classes=("a", "b"),
        ),
        ["a", 0.75, 0.25],
        {"prediction": "a", "probabilities": {"a": 0.75, "b": 0.25}},
    ),
    "an outlier and its score": (
        contract(
            "outlier_detection",
            Output(name="prediction", type="integer"),
            number("score", kind="score"),
            classes=(-1, 1),
        ),
        [-1, -0.5],
        {"prediction": -1, "score": -0.5},
    ),
    "a class and the scores of all": (
        contract(
            "classification",
            Output(name="prediction", type="integer"),
            number("score_7", kind="score", label=7),
            number("score_8", kind="score", label=8),
            classes=(7, 8),
        ),
        [8, -1.0, 2.0],
        {"prediction": 8, "scores": {"7": -1.0, "8": 2.0}},
    ),
    "several targets": (
        SEVERAL,
        [1, "no", 0.875, 0.75, 0.25],
        {
            "targets": {
                "hot": {"prediction": 1, "probabilities": {"1": 0.875}},
                "late": {"prediction": "no", "probabilities": {"no": 0.75, "yes": 0.25}},
            }
        },
    ),
    "transformed values": (
        contract("transformation", number("pca0", kind="value"), number("pca1", kind="value")),
        [0.5, -2.0],
        {"values": {"pca0": 0.5, "pca1": -2.0}},
    ),
    "a density alone": (
        contract("density_estimation", number("score", kind="score")),
        [-7.5],
        {"score": -7.5},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_row_is_answered_in_the_shape_of_its_contract(
    case: tuple[Contract, list[Any], dict[str, Any]],
) -> None:
    """The body, the client that reads it, and the schema of the OpenAPI document agree."""
    promised, values, expected = case
    schema = scored_schema(promised.output_schema)
    row = dict(zip(schema.names, [*values, None], strict=True))
    body = many(pa.RecordBatch.from_pylist([row], schema), promised, "r", "m:1")
    assert msgspec.json.decode(body)["rows"] == [expected]
    (read,) = msgspec.json.decode(body, type=Predictions)
    for key, value in expected.items():
        assert msgspec.to_builtins(getattr(read, key)) == _with_defaults(key, value)
    schemas = contract_schemas(promised)
    assert set(schemas["Prediction"]["required"]) == {"request_id", "artifact", *expected}
    _holds(schemas["Row"]["oneOf"][0], expected)


def _with_defaults(key: str, value: Any) -> Any:
    """A target as the client reads it: what the server leaves out is empty."""
    if key != "targets":
        return value
    empty = {"prediction": None, "probabilities": {}, "score": None, "scores": {}}
    return {name: empty | answer for name, answer in value.items()}


def _holds(schema: dict[str, Any], value: Any) -> None:
    """Every key that is there is promised, and the other way round."""
    if schema.get("type") == "object":
        assert set(schema["required"]) == set(schema["properties"]) == set(value)
        for key, part in value.items():
            _holds(schema["properties"][key], part)
    elif "enum" in schema:
        assert value in schema["enum"]
