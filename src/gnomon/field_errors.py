"""Explanations of why a file or a body does not fit its type, and what would fit.

msgspec's message names the refused value or key and its place, but not the values or keys that it
would accept. These are looked up in the type at that place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect as types

from gnomon.name_lists import did_you_mean, listed

__all__ = ["EXPECTED_TIME", "StructError", "struct_error"]

_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]|(?P<some>\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_OUT_OF_RANGE = re.compile(r"Expected (`\w+` [<>]=? \S+)")
_WRONG = re.compile(r"Expected `(.*)`, got `(.*)`")
EXPECTED_TIME = "a time with an offset, such as 2026-11-29T10:00:00Z"
_DURATION = "write an ISO 8601 duration, such as PT6H for six hours or P1D for a day"
_NO_TIMES = (
    "Invalid RFC3339 encoded datetime",
    "Expected `datetime` with a timezone component",
)
_PLAIN = (bool, int, float, str)


class StructError(NamedTuple):
    """The explanation of a refused value.

    Attributes:
        message: what was expected and what was received.
        place: the path of the value, such as ``$.features[0].missing``; ``$`` is the complete
            content.
        hint: what to write instead, if that is known.
    """

    message: str
    place: str
    hint: str | None


def struct_error(error: msgspec.ValidationError, kind: type[Any], content: Any) -> StructError:
    """Explain a validation error of msgspec.

    Args:
        error: what decoding or converting raised.
        kind: the type that was expected.
        content: the value in plain Python types, as read from JSON or TOML.

    >>> from typing import Literal
    >>> Cup = msgspec.defstruct("Cup", [("size", Literal["small", "large"])])
    >>> try:
    ...     msgspec.convert({"size": "lage"}, Cup)
    ... except msgspec.ValidationError as error:
    ...     print(*struct_error(error, Cup, {"size": "lage"}), sep="; ")
    ...
    expected one of "large", "small", got "lage"; $.size; did you mean "large"?
    """
    message, _, path = str(error).partition(" - at ")
    place, type_at_place, value = _find(path.strip("`") or "$", types.type_info(kind), content)
    if (unknown_field := _UNKNOWN.fullmatch(message)) is not None:
        keys = [field.encode_name for field in _fields(type_at_place)]
        known = f"the keys here are {listed(keys)}"
        suggestion = did_you_mean(unknown_field[1], keys, "`{}`")
        return StructError(
            f"unknown field `{unknown_field[1]}`",
            place,
            f"{suggestion} {known}" if suggestion else known,
        )
    if (missing_field := _MISSING.fullmatch(message)) is not None:
        return StructError(f"expected the key `{missing_field[1]}`, which is missing", place, None)
    choices = [*_choices(type_at_place)]
    if choices and (message.startswith("Invalid enum value") or _WRONG.fullmatch(message)):
        values = ", ".join(_json(choice) for choice in choices)
        suggestion = did_you_mean(value, choices, '"{}"') if isinstance(value, str) else None
        return StructError(f"expected one of {values}, got {_json(value)}", place, suggestion)
    if (wrong_type := _WRONG.fullmatch(message)) is not None:
        actual = _json(value) if type(value) in _PLAIN else f"`{wrong_type[2]}`"
        return StructError(f"expected `{wrong_type[1]}`, got {actual}", place, None)
    if (out_of_range := _OUT_OF_RANGE.fullmatch(message)) is not None:
        return StructError(f"expected {out_of_range[1]}, got {_json(value)}", place, None)
    expected = EXPECTED_TIME if message in _NO_TIMES else _expected(type_at_place)
    if expected is not None:
        return StructError(f"expected {expected}, got {_json(value)}", place, None)
    hint = _DURATION if message == "Invalid ISO8601 duration" else None
    return StructError(message, place, hint)


def _find(path: str, kind: types.Type, content: Any) -> tuple[str, types.Type, Any]:
    """Return the path with the key of every ``[...]``, and the type and the value there."""
    place, value = "$", content
    for step in _STEP.finditer(path.removeprefix("$")):
        if step["some"]:
            kind = next(
                (
                    member.value_type
                    for member in _union_members(kind)
                    if isinstance(member, types.DictType)
                ),
                types.AnyType(),
            )
            key = _refused_key(value, kind)
            place += f'["{key}"]'
            value = value.get(key) if isinstance(value, dict) else None
        elif step["index"] is not None:
            kind, place = _item(kind), place + step[0]
            index = int(step["index"])
            value = value[index] if isinstance(value, list | tuple) and index < len(value) else None
        else:
            fields = {field.encode_name: field.type for field in _fields(kind)}
            kind, place = fields.get(step["key"], types.AnyType()), place + step[0]
            value = value.get(step["key"]) if isinstance(value, dict) else None
    return place, kind, value


def _refused_key(value: Any, kind: types.Type) -> str | None:
    """Return the first key of an object whose value is refused; msgspec does not name it."""
    for key, item in value.items() if isinstance(value, dict) else ():
        for struct in _union_members(kind):
            try:
                if isinstance(struct, types.StructType):
                    msgspec.convert(item, struct.cls)
            except msgspec.ValidationError:
                return str(key)
    return None


def _union_members(kind: types.Type) -> Iterator[Any]:
    """Yield a type, or the types of a union."""
    for member in kind.types if isinstance(kind, types.UnionType) else (kind,):
        yield member.type if isinstance(member, types.Metadata) else member


def _item(kind: types.Type) -> types.Type:
    item_types = (getattr(member, "item_type", None) for member in _union_members(kind))
    return next((item_type for item_type in item_types if item_type is not None), types.AnyType())


def _fields(kind: types.Type) -> tuple[types.Field, ...]:
    return next((k.fields for k in _union_members(kind) if isinstance(k, types.StructType)), ())


def _expected(kind: types.Type) -> str | None:
    """Return what a type says in words that it expects, if it does: ``extra["expected"]``."""
    members = kind.types if isinstance(kind, types.UnionType) else (kind,)
    said = (member.extra for member in members if isinstance(member, types.Metadata))
    return next((extra["expected"] for extra in said if extra and "expected" in extra), None)


def _choices(kind: types.Type) -> Iterator[Any]:
    for member in _union_members(kind):
        if isinstance(member, types.LiteralType):
            yield from member.values


def _json(value: Any) -> str:
    text = msgspec.json.encode(value).decode() if type(value) in _PLAIN else f"`{value}`"
    return text if len(text) <= 60 else f"{text[:59]}…"
