"""A control route, and the reading of what is sent to it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl

import msgspec

from gnomon.errors import InvalidRequest, MalformedBody
from gnomon.field_errors import EXPECTED_TIME, struct_error
from gnomon.service.access.identity import Identity
from gnomon.time_range import check_time
from gnomon.tokens.roles import Role

__all__ = ["Download", "Route", "decode_body", "decode_query", "refuse_query"]

T = TypeVar("T")

_IN_A_URL = "in a URL, + is written %2B"
_MOST_PARAMETERS = 20


class Route(msgspec.Struct, frozen=True):
    """A control route.

    Attributes:
        method: the HTTP method it accepts.
        summary: what it does, for the documentation.
        role: the role that it needs; with ``force`` a request needs ``forcer``.
        answer: the function that handles a request. It gets the body or, of a GET, the query.
        body: the type of its request body.
        reply: the type of its answer; :class:`Download`: a file.
        query: the type of its query.
        is_slow: whether it reads the log, so that a server answers few at a time.
    """

    method: str
    summary: str
    role: Role
    answer: Callable[[Any, bytes, Identity], Awaitable[Any]]
    body: type[msgspec.Struct] | None
    reply: type[Any]
    query: type[msgspec.Struct] | None = None
    is_slow: bool = False


class Download(NamedTuple):
    """An answer that is a tar archive, to be saved.

    Attributes:
        name: a name for the file: letters, digits and ``- _ .``.
        content: what is in it.
    """

    name: str
    content: bytes


def decode_body(body: bytes, kind: type[T]) -> T:
    """Return a JSON body as a structure.

    Raises:
        InvalidRequest: a field is wrong, unknown or given twice.
        MalformedBody: it is not JSON.
    """
    try:
        content = msgspec.json.decode(body)
        decoded = msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        message, place, hint = struct_error(error, kind, content)
        raise InvalidRequest(message, where=place, hint=hint or _fields(kind)) from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"expected a JSON object: {error}", where="$") from None
    json.loads(body, object_pairs_hook=_refuse_repeated)
    return decoded


def decode_query(query: bytes, kind: type[T]) -> T:
    """Return the query of a URL, such as ``artifact=flights:two&rows=50``, as a structure.

    Raises:
        InvalidRequest: a parameter is wrong, unknown, given twice, or a time at the end of the
            calendar.
    """
    content = _parameters(query)
    for name in _times(kind):
        _refuse_number(name, content.get(name, ""))
    try:
        query_fields = msgspec.convert(content, kind, strict=False)
    except msgspec.ValidationError as error:
        message, place, hint = struct_error(error, kind, content)
        if EXPECTED_TIME in message:
            hint = _IN_A_URL
        raise InvalidRequest(
            message,
            where=(place or "$").replace("$.", "?").replace("$", "?"),
            hint=hint or _fields(kind),
        ) from None
    for name in _times(kind):
        if (time := getattr(query_fields, name)) is not None:
            check_time(time, f"?{name}")
    return query_fields


def refuse_query(query: bytes, path: str, *, has_body: bool) -> None:
    """Refuse any query of a URL: what is given would have no effect.

    Args:
        query: the query.
        path: of the route.
        has_body: whether the fields of the route are in a JSON body.

    Raises:
        InvalidRequest: there is one.
    """
    for name in _parameters(query):
        raise InvalidRequest(
            f"{path} takes no parameters in its URL, got `{name}`",
            where=f"?{name}",
            hint="its fields are in the JSON body" if has_body else "leave it out",
        )


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    """The parser of JSON takes the last of two values without a word."""
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InvalidRequest(
                f"expected each name once, got `{name}` twice in one object", where="$"
            )


def _times(kind: type[Any]) -> list[str]:
    fields = msgspec.inspect.type_info(kind).fields  # type: ignore[attr-defined]
    return [field.name for field in fields if _is_time(field.type)]


def _is_time(kind: msgspec.inspect.Type) -> bool:
    if isinstance(kind, msgspec.inspect.UnionType):
        return any(map(_is_time, kind.types))
    return isinstance(kind, msgspec.inspect.DateTimeType)


def _refuse_number(name: str, time: str) -> None:
    """Text is read as whatever type is asked for, and a number then as seconds since 1970."""
    with contextlib.suppress(ValueError):
        float(time)
        raise InvalidRequest(
            f'expected {EXPECTED_TIME}, got "{time}"', where=f"?{name}", hint=_IN_A_URL
        )


def _parameters(query: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query.decode("latin-1"), keep_blank_values=True, max_num_fields=_MOST_PARAMETERS
        )
    except ValueError as error:
        raise InvalidRequest(f"expected the query of a URL: {error}", where="?") from None
    found = dict(pairs)
    if len(found) < len(pairs):
        raise InvalidRequest("expected each parameter once", where="?")
    return found


def _fields(kind: type[Any]) -> str:
    return "the fields are " + ", ".join(kind.__struct_fields__)
