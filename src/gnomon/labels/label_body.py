"""Labels as they are sent: one JSON object, an array of them, or one a line."""

from __future__ import annotations

from typing import Any

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
    placed = _of_lines(bytes(body)) if lines else _of_json(parse(bytes(body)))
    if not placed:
        raise InvalidRequest("expected at least one label, got none", where="$")
    if len(placed) > most:
        raise BodyTooLarge(f"expected at most {most:,} labels, got {len(placed):,}", hint=_SPLIT)
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


def _of_json(content: Any) -> list[tuple[str, Any]]:
    if isinstance(content, list):
        return [(f"$[{number}]", item) for number, item in enumerate(content)]
    return [("$", content)]


def _of_lines(body: bytes) -> list[tuple[str, Any]]:
    placed = []
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            place = f"line {number}: $"
            try:
                placed.append((place, parse(line)))
            except InvalidRequest as error:
                error.where = place + (error.where or "").removeprefix("$")
                raise
    return placed
