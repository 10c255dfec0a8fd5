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

__all__ = ["StructError", "struct_error"]

_STEP = re.compile(r"\.(?P<key>[^.\[\]]+)|\[(?P<index>\d+)\]|(?P<some>\[\.\.\.\])")
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_WRONG = re.compile(r"Expected `(.*)`, got `(.*)`")
_DURATION = "write an ISO 8601 duration, such as PT6H for six hours or P1D for a day"
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
    place, at, value = _find(path.strip("`") or "$", types.type_info(kind), content)
    if (unknown := _UNKNOWN.fullmatch(message)) is not None:
        keys = [field.encode_name for field in _fields(at)]
        known = f"the keys here are {listed(keys)}"
        near = did_you_mean(unknown[1], keys, "`{}`")
        return StructError(
            f"unknown field `{unknown[1]}`", place, f"{near} {known}" if near else known
        )
    if (missing := _MISSING.fullmatch(message)) is not None:
        return StructError(f"expected the key `{missing[1]}`, which is missing", place, None)
    choices = [*_choices(at)]
    if choices and (message.startswith("Invalid enum value") or _WRONG.fullmatch(message)):
        named = ", ".join(_json(choice) for choice in choices)
        near = did_you_mean(value, choices, '"{}"') if isinstance(value, str) else None
        return StructError(f"expected one of {named}, got {_json(value)}", place, near)
    if (wrong := _WRONG.fullmatch(message)) is not None:
        got = _json(value) if type(value) in _PLAIN else f"`{wrong[2]}`"
        return StructError(f"expected `{wrong[1]}`, got {got}", place, None)
    hint = _DURATION if message == "Invalid ISO8601 duration" else None
    return StructError(message, place, hint)


def _find(path: str, kind: types.Type, content: Any) -> tuple[str, types.Type, Any]:
    """Return the path with the key of every ``[...]``, and the type and the value there."""
    place, value = "$", content
    for step in _STEP.finditer(path.removeprefix("$")):
        if step["some"]:
            kind = next(
                (one.value_type for one in _plain(kind) if isinstance(one, types.DictType)),
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
    for key, one in value.items() if isinstance(value, dict) else ():
        for struct in _plain(kind):
            try:
                msgspec.convert(one, struct.cls) if isinstance(struct, types.StructType) else None
            except msgspec.ValidationError:
                return str(key)
    return None


def _plain(kind: types.Type) -> Iterator[Any]:
    """Yield a type, or the types of a union."""
    for one in kind.types if isinstance(kind, types.UnionType) else (kind,):
        yield one.type if isinstance(one, types.Metadata) else one


def _item(kind: types.Type) -> types.Type:
    found = (getattr(one, "item_type", None) for one in _plain(kind))
    return next((one for one in found if one is not None), types.AnyType())


def _fields(kind: types.Type) -> tuple[types.Field, ...]:
    return next((k.fields for k in _plain(kind) if isinstance(k, types.StructType)), ())


def _choices(kind: types.Type) -> Iterator[Any]:
    for one in _plain(kind):
        if isinstance(one, types.LiteralType):
            yield from one.values


def _json(value: Any) -> str:
    text = msgspec.json.encode(value).decode() if type(value) in _PLAIN else f"`{value}`"
    return text if len(text) <= 60 else f"{text[:59]}…"
