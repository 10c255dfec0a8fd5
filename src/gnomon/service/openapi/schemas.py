"""The JSON Schema of a contract: the fields of requests and of answers."""

from __future__ import annotations

from typing import Any

from gnomon.contract.contract import Contract
from gnomon.contract.feature import Feature, Output
from gnomon.service.answer_shape import Shape, answer_shape
from gnomon.service.openapi.examples import example_row

__all__ = ["contract_schemas"]

Schema = dict[str, Any]

_TYPES: dict[str, Schema] = {
    "integer": {"type": "integer", "format": "int64"},
    "float": {"type": "number", "format": "double"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "category": {"type": "string"},
    "timestamp": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "decimal": {"type": ["string", "number"]},
    "list": {"type": "array"},
}


def contract_schemas(contract: Contract) -> dict[str, Schema]:
    """Return the schemas of ``/predict``: a record, rows, a prediction, predictions."""
    outputs = _output_properties(answer_shape(contract), contract)
    head: Schema = {
        "request_id": {"type": "string", "description": "The request's name in the log"},
        "artifact": {"type": "string", "description": "The artifact that answered"},
    }
    return {
        "Record": {
            "type": "object",
            "description": "One row. Fields that are not in the contract are logged and counted.",
            "required": [f.name for f in contract.features if f.missing == "error"],
            "properties": {f.name: _feature(f) for f in contract.features},
            "example": example_row(contract),
        },
        "Rows": {
            "type": "object",
            "required": ["rows"],
            "properties": {"rows": {"type": "array", "minItems": 1, "items": _ref("Record")}},
        },
        "Prediction": {
            "type": "object",
            "required": [*head, *outputs],
            "properties": {**head, **outputs},
        },
        "Row": {
            "description": "A prediction, or the error of this row",
            "oneOf": [
                {"type": "object", "required": list(outputs), "properties": outputs},
                _ref("Error"),
            ],
        },
        "Predictions": {
            "type": "object",
            "required": [*head, "rows"],
            "properties": {**head, "rows": {"type": "array", "items": _ref("Row")}},
        },
    }


def feature_facts(feature: Feature) -> list[str]:
    """Return short facts about a feature, in addition to its type, for people."""
    facts = [fact for fact in (feature.description, feature.source) if fact]
    if feature.unit:
        facts.append(f"in {feature.unit}")
    if feature.type == "timestamp":
        home = feature.timezone or "UTC"
        any_offset = f"with an offset; the model gets the local time of {home}"
        facts.append(f"with the offset of {home}" if feature.own_offset_only else any_offset)
    if training_values := seen_in_training(feature):
        rule = "only" if feature.outside == "error" else "seen in training:"
        facts.append(f"{rule} {training_values}")
    if feature.carried:
        facts.append("logged with the row, and not given to the model")
    if feature.type == "decimal":
        facts.append(f"with {feature.scale} digits after the point")
    if feature.missing == "impute":
        facts.append("may be left out: the model fills it in")
    if feature.missing == "default":
        facts.append(f"may be left out: the default is {feature.default!r}")
    if feature.coerce:
        facts.append("other types are converted")
    return facts


def seen_in_training(feature: Feature, limit: int = 12) -> str:
    """Return the domain or the range, shortened for people; empty if the contract has none."""
    if feature.domain:
        more = f" and {len(feature.domain) - limit} more" if len(feature.domain) > limit else ""
        return ", ".join(map(str, feature.domain[:limit])) + more
    low, high = feature.minimum, feature.maximum
    if low is None and high is None:
        return ""
    if low is None:
        return f"up to {high:,g}"
    return f"from {low:,g}" if high is None else f"{low:,g} to {high:,g}"


def _feature(feature: Feature) -> Schema:
    schema = dict(_TYPES[feature.type])
    if feature.type == "list":
        schema |= _array(feature)
    if feature.outside == "error":
        schema |= _limits(feature)
    if feature.nullable:
        kinds = schema["type"]
        schema["type"] = [*([kinds] if isinstance(kinds, str) else kinds), "null"]
    if feature.coerce:
        del schema["type"]
    if feature.default is not None:
        schema["default"] = feature.default
    if facts := feature_facts(feature):
        schema["description"] = "; ".join(facts)
    return schema


def _array(feature: Feature) -> Schema:
    schema: Schema = {"items": dict(_TYPES[feature.items or "float"])}
    if feature.length is not None:
        schema |= {"minItems": feature.length, "maxItems": feature.length}
    return schema


def _limits(feature: Feature) -> Schema:
    limits: Schema = {}
    if feature.domain is not None:
        limits["enum"] = [*feature.domain, None] if feature.nullable else list(feature.domain)
    if feature.minimum is not None:
        limits["minimum"] = feature.minimum
    if feature.maximum is not None:
        limits["maximum"] = feature.maximum
    return limits


def _output_properties(shape: Shape, contract: Contract) -> dict[str, Schema]:
    """Return the properties of an answer."""
    return {
        key: _output(part, contract) if isinstance(part, Output) else _object(part, contract)
        for key, part in shape.items()
    }


def _object(shape: Shape, contract: Contract) -> Schema:
    return {
        "type": "object",
        "required": list(shape),
        "properties": _output_properties(shape, contract),
    }


def _output(output: Output, contract: Contract) -> Schema:
    if output.role == "probability":
        return {"type": "number"}
    schema = dict(_TYPES[output.type])
    if classes := contract.classes_of(output):
        schema["enum"] = list(classes)
    facts = [fact for fact in (output.description, output.unit and f"in {output.unit}") if fact]
    if facts:
        schema["description"] = "; ".join(facts)
    return schema


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}
