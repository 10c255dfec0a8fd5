"""ASGI helpers for the front door, without a framework, because they run for every request."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from http import HTTPStatus
from typing import Any, TypeAlias

import msgspec

from gnomon.contract.body_size import SOON_BYTES
from gnomon.errors import (
    BodyTooLarge,
    Busy,
    GnomonError,
    MalformedBody,
    RequestTimeout,
    Unauthorized,
    UnknownContentCoding,
)
from gnomon.service.http.content_coding import content_coding, decoded

__all__ = [
    "ASGI",
    "NOSNIFF",
    "ClientGone",
    "Header",
    "Message",
    "Receive",
    "Scope",
    "Send",
    "announced",
    "error_response",
    "header",
    "is_encoded",
    "read_body",
    "respond",
    "response",
    "too_idle",
    "too_slow",
    "unexpected",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGI: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Header: TypeAlias = tuple[bytes, bytes]

RETRY_AFTER: Header = (b"retry-after", b"1")
"""The header's unit is whole seconds; a queue of the default length empties in less than one."""
BUSY: Header = (b"retry-after", b"5")
"""What is computed from the log takes seconds."""

NOSNIFF: Header = (b"x-content-type-options", b"nosniff")
"""Tells a browser to use only the content type of an answer, without guessing."""
LENGTH_DIGITS = 18
"""The most digits of a length that are converted; Python refuses more than 4,300."""
CLOSE: Header = (b"connection", b"close")
JSON_HEAD = (
    b"content-type: application/json\r\ncontent-length: %d\r\nx-content-type-options: nosniff"
    b"\r\n\r\n"
)
STATUS_LINES = {s.value: f"HTTP/1.1 {s.value} {s.phrase}\r\n".encode() for s in HTTPStatus}


class ClientGone(Exception):
    """The client disconnected before its request was read; no answer is sent."""


def header(scope: Scope, name: bytes) -> bytes | None:
    """Return the first header with a name (given in lower case), or ``None``."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return None


def announced(value: bytes) -> int | None:
    """Return the number of bytes in a ``Content-Length``; None if it is not a number.

    For a number with more than 18 digits, which exceeds every limit, 10**18 is returned.
    """
    if not value.isdigit():
        return None
    digits = value.lstrip(b"0") or b"0"
    return int(digits) if len(digits) <= LENGTH_DIGITS else int(10**LENGTH_DIGITS)


def is_encoded(headers: Iterable[Header]) -> bool:
    """Return whether a request's body has a content coding, such as gzip."""
    for name, value in headers:
        if name == b"content-encoding" and value.lower() not in (b"", b"identity"):
            return True
    return False


async def read_body(
    receive: Receive,
    limit: int,
    headers: Iterable[Header] = (),
    *,
    seconds: float,
    grow: Callable[[int], None] = lambda size: None,
    hint: str = "send fewer rows per request, or raise GNOMON_BODY_BYTES",
) -> bytes | bytearray:
    """Read the complete request body and decompress it. A long one is not copied to ``bytes``.

    Args:
        receive: the ASGI ``receive`` of the request.
        limit: the most bytes of the body, both as received and decompressed.
        headers: the request's headers. A body with a ``Content-Length`` over the limit is refused
            before any of it is read.
        seconds: how long receiving the body may take.
        grow: called with the number of bytes held; an exception from it ends the reading.
        hint: what to do about a body that is too long.

    Raises:
        UnknownContentCoding: the body is compressed in a way that is not supported.
        BodyTooLarge: the body exceeds the limit; raised at once, and the received part is dropped.
        MalformedBody: the ``Content-Length`` is not a number, or the body cannot be decompressed.
        RequestTimeout: the body was not complete in time.
        ClientGone: the client disconnected.
    """
    headers = tuple(headers)
    coding = content_coding(headers)
    for name, value in headers:
        if name == b"content-length":
            length = announced(value)
            if length is None:
                raise MalformedBody("expected a number of bytes", where="Content-Length")
            if length > limit:
                raise _too_large(limit, f"{length:,} bytes", hint)
    try:
        async with asyncio.timeout(seconds):
            body = await _read(receive, limit, grow, hint)
    except TimeoutError:
        raise too_slow(seconds) from None
    return body if coding is None else await decoded(body, coding, limit, grow, hint)


async def _read(
    receive: Receive, limit: int, grow: Callable[[int], None], hint: str
) -> bytes | bytearray:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        body += chunk
        grow(len(body))
        if len(body) > limit:
            raise _too_large(limit, "more", hint)
        if not message.get("more_body", False):
            return body if len(body) > SOON_BYTES else bytes(body)


def too_slow(seconds: float) -> RequestTimeout:
    """Return the error for a client that does not send a complete request in time."""
    return RequestTimeout(
        f"expected the complete request within {seconds:g} s",
        hint="send it at once, or raise GNOMON_CLIENT_SECONDS",
    )


def too_idle(seconds: float) -> RequestTimeout:
    """The error of a client of a stream that does nothing."""
    return RequestTimeout(
        f"expected more of the stream, or its end, within {seconds:g} s",
        hint="send the rest in another request, or raise GNOMON_CLIENT_SECONDS",
    )


def _too_large(limit: int, actual: str, hint: str) -> BodyTooLarge:
    return BodyTooLarge(f"expected a body of at most {limit:,} bytes, got {actual}", hint=hint)


async def respond(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes = b"application/json",
    headers: Iterable[Header] = (),
) -> None:
    """Send an answer as exactly two ASGI messages."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", b"%d" % len(body)),
                NOSNIFF,
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def response(status: int, body: bytes, headers: Iterable[Header] = ()) -> bytes:
    """Return the bytes of a JSON response, head and body."""
    parts = [STATUS_LINES[status]]
    for name, value in headers:
        parts += (name, b": ", value, b"\r\n")
    parts.append(JSON_HEAD % len(body))
    parts.append(body)
    return b"".join(parts)


def error_response(
    error: GnomonError, request_id: str | None = None
) -> tuple[int, tuple[Header, ...], bytes]:
    """Return status, extra headers and JSON body for an error, as in every error response."""
    headers: tuple[Header, ...] = ()
    if error.status == 503:
        headers = (RETRY_AFTER,)
    elif isinstance(error, Busy):
        headers = (BUSY,)
    elif isinstance(error, UnknownContentCoding):
        headers = ((b"accept-encoding", ", ".join(error.accepted).encode()),)
    elif isinstance(error, RequestTimeout):
        headers = (CLOSE,)  # The rest of the request must not be read as the next request.
    elif isinstance(error, Unauthorized):
        headers = ((b"www-authenticate", b"Bearer"),)
    return error.status, headers, msgspec.json.encode(error.body(request_id))


def unexpected(error: Exception) -> GnomonError:
    """Return the error for the client when code raised an exception that is not Gnomon's."""
    return GnomonError(f"{type(error).__name__}: {error}", hint="see the server's log")
