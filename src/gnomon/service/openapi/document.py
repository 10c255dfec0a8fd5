"""The OpenAPI document of a running deployment, made from the live artifact's contract."""

from __future__ import annotations

from typing import Any

import msgspec

from gnomon.contract.contract import Contract
from gnomon.labels.label import AcceptedLabels, Label
from gnomon.service.control import ROUTES
from gnomon.service.control_route import Download, Route
from gnomon.service.http.media_types import ARROW, LINES
from gnomon.service.openapi.schemas import contract_schemas
from gnomon.service.status.slice_status import Status
from gnomon.version import __version__

__all__ = ["openapi"]

Schema = dict[str, Any]
REF = "#/components/schemas/{name}"


def openapi(contract: Contract, artifact_tag: str) -> Schema:
    """Return the OpenAPI 3.1 document.

    Args:
        contract: the live artifact's contract; its features are the fields of ``/predict``.
        artifact_tag: the live artifact's tag.
    """
    model, _, version = artifact_tag.partition(":")
    return {
        "openapi": "3.1.0",
        "info": {
            "title": model,
            "version": version,
            "description": f"The live artifact is `{artifact_tag}`. "
            f"Served by Gnomon {__version__}.",
        },
        "paths": {
            "/predict": {"post": _predict(contract)},
            "/labels": {"post": _labels()},
            **{path: {route.method.lower(): _control(route)} for path, route in ROUTES.items()},
            **_health(),
            **_pages(),
        },
        CONTRACT: msgspec.to_builtins(contract),
        "components": {
            "schemas": {**contract_schemas(contract), "Error": ERROR, **_own_schemas()},
            "securitySchemes": {
                "control": {"type": "http", "scheme": "bearer", "description": CONTROL},
                "predict": {"type": "http", "scheme": "bearer", "description": PREDICT},
            },
        },
    }


CONTROL = (
    "A token of `gnomon token create`, or the control token, from `<storage root>/control.token` "
    "or GNOMON_CONTROL_TOKEN. A trusted proxy may name the user instead"
)
PREDICT = "Only if the deployment sets GNOMON_PREDICT_TOKEN"

CONTRACT = "x-gnomon-contract"
"""The key of the complete contract, for clients that read files by it."""

STREAMS: Schema = {
    LINES: {
        "schema": {
            "type": "string",
            "description": "One JSON object per line: records, and answers in the same order",
        }
    },
    ARROW: {
        "schema": {
            "type": "string",
            "format": "binary",
            "description": "An Arrow IPC stream: records, and answers in the same order",
        }
    },
}
"""Streams of any length; answers arrive while the body is sent."""

ANY: Schema = {"description": "Anything"}

ERROR: Schema = {
    "type": "object",
    "description": "The form of every error",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string", "description": "Names the kind of error"},
                "message": {
                    "type": "string",
                    "description": "What was expected, and what was received",
                },
                "where": {"type": ["string", "null"], "description": "For example $.rows[3].hour"},
                "hint": {"type": ["string", "null"], "description": "What to do"},
                "request_id": {"type": ["string", "null"]},
            },
        }
    },
}

PAGE_ERRORS = {
    "403": "The request came from a page of another site that the settings do not list",
    "421": "The request is for a host name that the server does not have",
}

PROTOCOL_ERRORS = {
    "400": "Not an HTTP/1.1 request, or a body that is not JSON",
    "408": "The request was not complete in time",
    "414": "The request line is too long",
    "417": "The `Expect` header is not `100-continue`",
    "431": "Too many headers, or too long ones",
    "501": "The transfer coding is not `chunked`",
    "503": "Too busy, or not ready; `Retry-After` says when to try again",
    "505": "Not HTTP/1",
    **PAGE_ERRORS,
}
"""Errors with which any request may be refused, whatever its route."""

BODY_ERRORS = {
    "413": "The body, or the number of rows, is over the limit",
    "415": "The body is compressed, but not with gzip or zstd, or more than once",
}

PREDICT_ERRORS = {
    **BODY_ERRORS,
    "401": "Invalid prediction token, if the deployment sets one",
    "422": "A row violates the contract; `where` names the row and the field",
    "500": "The model failed on this row",
    "504": "No answer within the deadline",
}

LABEL_ERRORS = {
    **BODY_ERRORS,
    "401": "No valid credential",
    "403": "The caller's role does not suffice, or a page of another site sent the request",
    "422": "A label is wrong; `where` names it and the field. None of the request is stored",
    "500": "Something else went wrong",
}

CONTROL_ERRORS = {
    **BODY_ERRORS,
    "401": "No valid credential",
    "403": "The caller's role does not suffice, a page of another site sent the request, or the "
    "artifact may not be loaded: "
    "it is not signed by a trusted key, or names types that its manifest does not trust",
    "404": "No such artifact",
    "409": "Refused: the decision is not possible in the current state, or a gate does not pass",
    "422": "A field of the body is wrong",
    "500": "The artifact is damaged, or something else went wrong",
}


SLOW_ERRORS = {
    "429": "The same is being computed for another request, or too much waits for its turn; "
    "`Retry-After` says when to ask again"
}

FILE: Schema = {
    "description": "A tar archive",
    "content": {"application/x-tar": {"schema": {"type": "string", "format": "binary"}}},
}


def _predict(contract: Contract) -> Schema:
    return {
        "operationId": "predict",
        "summary": "Predict for one record, or for many rows",
        "security": [{}, {"predict": []}],
        "parameters": [
            {
                "name": "X-Request-Id",
                "in": "header",
                "description": "Your ID for the request, logged in addition to Gnomon's",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _either("Record", "Rows")}, **STREAMS},
        },
        "responses": {
            "200": {
                "description": "A prediction, or one for each row",
                "content": {
                    "application/json": {"schema": _either("Prediction", "Predictions")},
                    **STREAMS,
                },
            },
            **_errors(PROTOCOL_ERRORS | PREDICT_ERRORS),
        },
    }


def _labels() -> Schema:
    label = {"$ref": REF.format(name=Label.__name__)}
    several = {"type": "array", "items": label, "minItems": 1}
    lines = {"type": "string", "description": "One label a line"}
    return {
        "operationId": "label",
        "summary": "Store what predictions turned out to be",
        "description": "Needs the role labeller",
        "security": [{"control": []}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": {"oneOf": [label, several]}},
                LINES: {"schema": lines},
            },
        },
        "responses": {
            "200": _reply("Stored", {"$ref": REF.format(name=AcceptedLabels.__name__)}),
            **_errors(PROTOCOL_ERRORS | LABEL_ERRORS),
        },
    }


def _control(route: Route) -> Schema:
    operation: Schema = {
        "summary": route.summary,
        "description": f"Needs the role {route.role}"
        + ("; with `force` the role forcer" if _has_force(route) else ""),
        "security": [{"control": []}],
        "responses": {
            "200": FILE
            if route.reply is Download
            else _reply("Done", {"$ref": REF.format(name=route.reply.__name__)}),
            **_errors(PROTOCOL_ERRORS | CONTROL_ERRORS | (SLOW_ERRORS if route.is_slow else {})),
        },
    }
    if route.query is not None:
        operation["parameters"] = _parameters(route.query)
    if route.body is not None:
        body = {"$ref": REF.format(name=route.body.__name__)}
        operation["requestBody"] = _content(body, required=True)
    return operation


def _parameters(query: type[msgspec.Struct]) -> list[Schema]:
    """Describe the query of a route; a parameter is left out rather than empty."""
    _, schemas = msgspec.json.schema_components([query], ref_template=REF)
    schema = schemas[query.__name__]
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "schema": _not_null(schema["properties"][name]),
        }
        for name in query.__struct_fields__
    ]


def _not_null(schema: Schema) -> Schema:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    return choices[0] if choices else {k: v for k, v in schema.items() if k != "default"}


def _has_force(route: Route) -> bool:
    return route.body is not None and "force" in route.body.__struct_fields__


def _health() -> Schema:
    return {
        "/livez": _plain("Whether the process runs"),
        "/readyz": _plain("Whether the live artifact is loaded and verified", failing="503"),
        "/metrics": _plain("Metrics for Prometheus"),
    }


def _pages() -> Schema:
    status = {"$ref": REF.format(name="Status")}
    return {
        "/": _plain("The index page", kind="text/html"),
        "/docs.json": {"get": _get("This document", _reply("OpenAPI 3.1", {"type": "object"}))},
        "/status.json": {"get": _get("What runs here; needs no token", _reply("Status", status))},
    }


def _get(summary: str, reply: Schema) -> Schema:
    responses = {"200": reply, **_errors(PROTOCOL_ERRORS)}
    return {"summary": summary, "security": [], "responses": responses}


def _plain(summary: str, *, kind: str = "text/plain", failing: str | None = None) -> Schema:
    reply = {"description": "Yes", "content": {kind: {"schema": {"type": "string"}}}}
    operation = _get(summary, reply)
    if failing is not None:
        operation["responses"][failing] = {"description": "Not yet"}
    return {"get": operation}


def _own_schemas() -> dict[str, Schema]:
    bodies = [route.body for route in ROUTES.values() if route.body is not None]
    replies = {route.reply for route in ROUTES.values()} - {Download}
    _, schemas = msgspec.json.schema_components(
        [*bodies, *replies, Status, Label, AcceptedLabels],
        schema_hook=lambda kind: ANY,
        ref_template=REF,
    )
    return {name: _first_line(schema) for name, schema in schemas.items()}


def _first_line(schema: Schema) -> Schema:
    """Return a schema with only the first line of its docstring; the rest is for programmers."""
    summary = schema.get("description", "").partition("\n")[0]
    return {**schema, "description": summary}


def _content(schema: Schema, **more: Any) -> Schema:
    return {**more, "content": {"application/json": {"schema": schema}}}


def _reply(description: str, schema: Schema) -> Schema:
    return _content(schema, description=description)


def _errors(descriptions: dict[str, str]) -> Schema:
    error = {"$ref": REF.format(name="Error")}
    return {status: _reply(description, error) for status, description in descriptions.items()}


def _either(*names: str) -> Schema:
    return {"oneOf": [{"$ref": REF.format(name=name)} for name in names]}
