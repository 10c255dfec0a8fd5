"""The index page: the live artifact, its shadows, the fields of a request and a form to try it."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Mapping
from functools import cache

import msgspec
from jinja2 import Environment
from markupsafe import Markup

from gnomon.contract.contract import Contract
from gnomon.contract.feature import Feature
from gnomon.contract.json_values import kind_text
from gnomon.page_templates import page_environment, template_source
from gnomon.service.openapi.examples import example_row
from gnomon.service.openapi.schemas import seen_in_training
from gnomon.service.status.slice_status import Status, public

__all__ = ["content_policy", "index"]

ORIGIN = "http://127.0.0.1:3000"
"""The address in the curl command, until the page's script replaces it by the one in use."""


def index(
    status: Status, contract: Contract | None, allowed: Mapping[str, str] | None = None
) -> bytes:
    """Return the page as UTF-8 HTML, with all assets included.

    Args:
        status: the slice's status; fields that need the role viewer are left out.
        contract: the live artifact's; ``None`` while there is none.
        allowed: by name, the problems that were explicitly allowed when it was packed.
    """
    return (
        _environment()
        .get_template("index.html")
        .render(
            model=status.model,
            status=msgspec.to_builtins(public(status)),
            contract=contract,
            allowed=allowed or {},
            example=_example(contract),
            curl=_curl(contract),
            script=Markup(_source("index.js")),
            style=Markup(_source("index.css")),
            policy=Markup(_policy()),
        )
        .encode()
    )


def content_policy() -> bytes:
    """Return the page's ``Content-Security-Policy``: only its script and style, and no frames."""
    return f"{_policy()}; frame-ancestors 'none'".encode()


@cache
def _policy() -> str:
    """Return the policy for a tag in the page; ``frame-ancestors`` works in a header only."""
    return (
        f"default-src 'none'; script-src {_hash('index.js')}; style-src {_hash('index.css')}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(name: str) -> str:
    digest = hashlib.sha256(_source(name).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


@cache
def _source(name: str) -> str:
    """Return a file as it is inserted between two tags; the browser hashes exactly these bytes."""
    return template_source(_environment(), name)


@cache
def _environment() -> Environment:
    environment = page_environment("gnomon.service")
    environment.filters["seen"] = seen_in_training
    environment.filters["missing"] = _missing
    environment.filters["kind"] = _kind
    return environment


def _example(contract: Contract | None) -> str:
    if contract is None:
        return ""
    return msgspec.json.format(msgspec.json.encode(example_row(contract)), indent=2).decode()


def _curl(contract: Contract | None) -> str:
    if contract is None:
        return ""
    body = msgspec.json.encode(example_row(contract)).decode()
    return f"curl {ORIGIN}/predict -d {shlex.quote(body)}"


def _kind(feature: Feature) -> str:
    if feature.type == "timestamp":
        return f"timestamp, {feature.timezone or 'UTC'}"
    kind = kind_text(feature)
    return f"{kind}, {feature.unit}" if feature.unit else kind


def _missing(feature: Feature) -> str:
    match feature.missing:
        case "error":
            return "refused"
        case "impute":
            return "filled in by the model"
        case _:
            return f"taken as {feature.default}"
