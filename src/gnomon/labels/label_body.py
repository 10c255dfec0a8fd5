"""Labels as they are sent: one JSON object, an array of them, or one a line."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec

from gnomon.contract.malformed_json import parse
from gnomon.errors import BodyTooLarge, InvalidRequest
from gnomon.field_errors import struct_error
from gnomon.labels.label import Label

__all__ = ["PlacedLabel", "as_label", "decode_labels"]

PlacedLabel = tuple[str, Label]
"""A label with its place in what was sent, such as ``$[3]`` or ``line 4: $``."""

_SPLIT = "send fewer labels per request, or use `gnomon labels import`"


def decode_labels(body: bytes | bytearray, *, lines: bool, most: int) -> list[PlacedLabel]:
    """Return the labels in a body.

    Args:
        body: the bytes.
        lines: whether each line is a label; empty lines are ignored.
        most: how many labels it may have.

    Raises:
        MalformedBody: it is not JSON.
        InvalidRequest: a label has a wrong field, or there are none.
        BodyTooLarge: there are too many.
    """
    placed = _of_lines(bytes(body)) if lines else _of_json(bytes(body))
    if not placed:
        raise InvalidRequest("expected at least one label, got none", where="$")
    if len(placed) > most:
        raise BodyTooLarge(f"expected at most {most:,} labels, got {len(placed):,}", hint=_SPLIT)
    for place, item in placed:
        if isinstance(item, _Repeated):
            raise InvalidRequest(
                f"expected each name once, got `{item.name}` twice in one object", where=place
            )
    return [(place, as_label(item, place)) for place, item in placed]


def as_label(item: Any, place: str) -> Label:
    """Return a decoded JSON value as a label.

    Raises:
        InvalidRequest: a field is unknown, missing or of the wrong type.
    """
    try:
        return msgspec.convert(item, Label)
    except msgspec.ValidationError as error:
        message, path, hint = struct_error(error, Label, item)
        raise InvalidRequest(message, where=place + path.removeprefix("$"), hint=hint) from None


def _of_json(body: bytes) -> list[tuple[str, Any]]:
    content = _parsed(body)
    if isinstance(content, list):
        return [(f"$[{number}]", item) for number, item in enumerate(content)]
    return [("$", content)]


def _of_lines(body: bytes) -> list[tuple[str, Any]]:
    placed = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            place = f"line {number}: $"
            try:
                placed.append((place, _parsed(line)))
            except InvalidRequest as error:
                error.where = place + (error.where or "").removeprefix("$")
                raise
    return placed


class _Repeated(NamedTuple):
    """Stands for an object that has a name twice, or has such an object in it."""

    name: str


def _parsed(body: bytes) -> Any:
    parse(body)  # It says what is wrong with what is no JSON.
    return json.loads(body, object_pairs_hook=_object)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Repeated:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if isinstance(value, _Repeated):
            return value
        if name in found:
            return _Repeated(name)
        found[name] = value
    return found
