"""A strict parser of request heads, by RFC 9112.

A server and a proxy in front of it must always agree on where a request ends: otherwise one reads
as a body what the other reads as a request (request smuggling). So there is one parser for both
ways to handle a request (see :mod:`gnomon.service.connection`), and it refuses everything that RFC
9112 does not allow, instead of guessing what was meant.
"""

from __future__ import annotations

import re
from functools import lru_cache
from string import ascii_letters, digits
from typing import NamedTuple
from urllib.parse import unquote

from gnomon.errors import (
    ExpectationFailed,
    GnomonError,
    HeadTooLarge,
    MalformedRequest,
    TargetTooLong,
    UnknownMethod,
    UnknownTransferCoding,
    UnknownVersion,
)
from gnomon.service.http.asgi import Header, announced

__all__ = [
    "END",
    "HEADERS",
    "HEAD_BYTES",
    "Head",
    "early_refusal",
    "fields",
    "lasting",
    "read_head",
]

END = b"\r\n\r\n"
"""The end of a request head."""
HEAD_BYTES = 32_768
"""The longest request head accepted, END included, as in nginx."""
_LINE_BYTES = 8_192
"""The longest request line accepted: the size of nginx's buffer, and recommended by RFC 9112."""
HEADERS = 100
"""The most headers accepted, as in Envoy and Apache."""

_NAME = b"!#$%&'*+-.^_`|~" + (ascii_letters + digits).encode()
"""The characters of header names and methods: RFC 9110, section 5.6.2."""
_READ = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"expect",
        b"x-request-id",
    )
)
"""The headers that affect how this server handles a request."""
_VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")
_TARGET = re.compile(rb'[!"$-~]+')
"""Printable ASCII except ``#``: clients do not send fragments."""
_TEXT = bytes({0x09, 0x0A, 0x0D, *range(0x20, 0x7F), *range(0x80, 0x100)})
"""The characters allowed in header lines: all except control characters."""
_ID = b"\r\nx-request-id:"
_NEW_EACH_TIME = (_ID, b"\r\ntraceparent:")
"""The beginnings of header lines that differ in each request of a client, but do not affect how it
is handled."""
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[0-9A-Za-z\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?"
)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(/[^?]*)?(\?.*)?")
_ENCODED = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*+")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
"""A line feed without a carriage return, or a carriage return without a line feed."""


class Head(NamedTuple):
    """The head of a request that follows the protocol.

    Attributes:
        method: any token, such as ``POST``.
        path: decoded, except an encoded slash, which is not a separator.
        raw_path: as it was received.
        query: the part after ``?``, as it was received.
        version: ``1.0`` or ``1.1``.
        headers: in order, with names in lower case. ``host`` is that of the target, if it has one.
        length: bytes of the body; None if it is chunked.
        keep_alive: whether the connection may stay open after the answer.
        expects: whether the client waits for ``100 Continue`` before it sends the body.
        client_id: the client's ``X-Request-ID``.
    """

    method: str
    path: str
    raw_path: bytes
    query: bytes
    version: str
    headers: list[Header]
    length: int | None
    keep_alive: bool
    expects: bool
    client_id: str | None


def read_head(block: bytes) -> Head:
    """Parse the head of a request.

    Args:
        block: the request line and headers, up to and including the empty line after them.

    Raises:
        GnomonError: the head is refused. The end of the request is then unknown, so the connection
            must be closed.
    """
    line, _, rest = block.partition(b"\r\n")
    method, path, query, authority, version = _request_line(line)
    headers = _headers(rest[:-2])
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _READ:
            values.setdefault(name, []).append(value)
    host = _host(values.get(b"host", []), version)
    if authority is not None and authority != host:
        headers = [(b"host", authority), *((n, v) for n, v in headers if n != b"host")]
    ids = values.get(b"x-request-id")
    return Head(
        method,
        _decoded(path),
        path,
        query,
        version,
        headers,
        _length(values, version),
        version == "1.1" and b"close" not in _tokens(values.get(b"connection", [])),
        b"expect" in values and _expects(values[b"expect"], version),
        ids[0].decode("latin-1") if ids else None,
    )


def lasting(block: bytes) -> tuple[bytes, str | None]:
    """Return a head without the headers that are new in each request, and the client's id.

    The returned head is empty if the removed headers could affect how the request is handled.
    """
    client_id = None
    if block.count(b"\n") > HEADERS:
        return b"", None
    for name in _NEW_EACH_TIME:
        lowered = block.lower()
        start = lowered.find(name)
        if start < 0:
            continue
        end = block.find(b"\r", start + len(name))
        value = block[start + len(name) : end]
        if value.translate(None, _TEXT) or b"\n" in value or lowered.find(name, end) >= 0:
            return b"", None
        block = block[:start] + block[end:]
        if name is _ID:
            client_id = value.strip(b" \t").decode("latin-1")
    return block, client_id


def early_refusal(received: bytes, scanned: int = 0) -> GnomonError | None:
    """Return why the beginning of a head is refused before its end has arrived, or None.

    Args:
        received: the beginning.
        scanned: how much of it was checked before, so that a head sent byte by byte costs no more.
    """
    line = received.find(b"\r\n", 0, _LINE_BYTES + 2)
    if line < 0 and len(received) > _LINE_BYTES:
        return _too_long()
    if len(received) > HEAD_BYTES:
        return _too_large(f"over {HEAD_BYTES:,} bytes")
    if _BARE.search(received, max(scanned - 1, 0)):
        return _malformed("expected lines that end in CR LF, got a CR or LF alone")
    return None


def fields(block: bytes) -> list[Header] | None:
    """Parse header lines, each with its line end, into names in lower case and values.

    None if ``block`` contains anything else.
    """
    lines = block.split(b"\r\n")
    if (
        block.translate(None, _TEXT)
        or block.count(b"\r") + block.count(b"\n") != 2 * len(lines) - 2
    ):
        return None
    headers = []
    for line in lines[:-1]:
        name, colon, value = line.partition(b":")
        lower = _lower(name)
        if not lower or not colon:
            return None
        headers.append((lower, value.strip(b" \t")))
    return headers if not lines[-1] else None


@lru_cache(maxsize=128)
def _lower(name: bytes) -> bytes:
    """Return a header name in lower case; empty if it is not a valid name."""
    return name.lower() if _is_name(name) else b""


def _is_name(token: bytes) -> bool:
    return token != b"" and not token.translate(None, _NAME)


@lru_cache(maxsize=64)
def _request_line(line: bytes) -> tuple[str, bytes, bytes, bytes | None, str]:
    """Return method, path, query, authority and version; cached, as clients repeat a few lines."""
    if len(line) > _LINE_BYTES:
        raise _too_long()
    parts = line.split(b" ")
    if (
        len(parts) != 3
        or not parts[0]
        or parts[0].translate(None, _NAME)
        or not _TARGET.fullmatch(parts[1])
    ):
        raise _malformed("expected a request line such as `POST /predict HTTP/1.1`")
    version = _VERSION.fullmatch(parts[2])
    if version is None:
        raise _malformed("expected HTTP/1.1 at the end of the request line")
    if version[1] != b"1":
        raise UnknownVersion(
            f"expected HTTP/1.1 or HTTP/1.0, got {parts[2].decode()}",
            hint="put a proxy that speaks HTTP/2 in front, or use HTTP/1.1",
        )
    # A higher minor version is treated as the highest known: RFC 9110, section 2.5.
    method = parts[0].decode()
    return method, *_target(method, parts[1]), "1.0" if version[2] == b"0" else "1.1"


def _headers(block: bytes) -> list[Header]:
    lines = block.count(b"\n")
    if lines > HEADERS:
        raise _too_large(f"{lines:,} headers")
    headers = fields(block)
    if headers is None:
        raise _malformed(
            "expected header lines such as `Host: example.org`",
            hint="no space before the colon, no folded lines, no control characters",
        )
    return headers


def _host(hosts: list[bytes], version: str) -> bytes | None:
    if not hosts and version == "1.0":
        return None
    if len(hosts) != 1:
        raise _malformed(f"expected one Host header, got {len(hosts)}", where="Host")
    if not _HOST.fullmatch(hosts[0]):
        raise _malformed("expected a host, optionally with a port: example.org:80", where="Host")
    return hosts[0]


def _target(method: str, target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Return path, query and authority of a request target in any form of RFC 9112."""
    if method == "CONNECT":
        raise UnknownMethod("CONNECT asks for a tunnel, and this is not a proxy")
    if target == b"*" and method == "OPTIONS":
        return target, b"", None
    authority = None
    if not target.startswith(b"/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None or not _HOST.fullmatch(absolute[1]):
            raise _malformed("expected a target such as /predict", where="the request line")
        authority = absolute[1]
        target = (absolute[2] or b"/") + (absolute[3] or b"")
    path, _, query = target.partition(b"?")
    if not _ENCODED.fullmatch(path):
        raise _malformed("expected two hexadecimal digits after each %", where="the path")
    return path, query, authority


def _decoded(path: bytes) -> str:
    """Decode a path except for encoded slashes, so that a proxy's rule for ``/gnomon/`` applies."""
    if b"%" not in path:
        return path.decode("ascii")
    return unquote(re.sub("(?i)%2f", "%252F", path.decode("ascii")))


def _length(values: dict[bytes, list[bytes]], version: str) -> int | None:
    """Return the length of a body from its headers, None if chunked; see RFC 9112, section 6.3."""
    lengths, codings = values.get(b"content-length", []), values.get(b"transfer-encoding")
    if codings is not None:
        if lengths:
            raise _malformed("expected Content-Length or Transfer-Encoding, got both")
        if version == "1.0":
            raise _malformed("expected no Transfer-Encoding in HTTP/1.0")
        _check_codings(_tokens(codings, keep_empty=True))
        return None
    if not lengths:
        return 0
    if len(lengths) > 1:
        raise _malformed(f"expected one Content-Length, got {len(lengths)}", where="Content-Length")
    length = announced(lengths[0])
    if length is None:
        raise _malformed("expected a number of bytes", where="Content-Length")
    return length


def _check_codings(codings: list[bytes]) -> None:
    if codings == [b"chunked"]:
        return
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1 or b"" in codings:
        raise _malformed("expected `chunked`, once and last", where="Transfer-Encoding")
    raise UnknownTransferCoding(
        "expected no transfer coding except `chunked`",
        where="Transfer-Encoding",
        hint="send the body as it is",
    )


def _expects(values: list[bytes], version: str) -> bool:
    if not values or version == "1.0":
        return False
    if _tokens(values) != [b"100-continue"]:
        raise ExpectationFailed("expected `100-continue` or no Expect header", where="Expect")
    return True


def _tokens(values: list[bytes], *, keep_empty: bool = False) -> list[bytes]:
    """Return the members of a comma-separated header, in lower case."""
    if not values:
        return []
    tokens = [token.strip(b" \t").lower() for value in values for token in value.split(b",")]
    return tokens if keep_empty else [token for token in tokens if token]


def _malformed(message: str, *, where: str | None = None, hint: str | None = None) -> GnomonError:
    return MalformedRequest(message, where=where, hint=hint)


def _too_long() -> GnomonError:
    return TargetTooLong(
        f"expected a request line of at most {_LINE_BYTES:,} bytes", hint="put data into the body"
    )


def _too_large(actual: str) -> GnomonError:
    return HeadTooLarge(
        f"expected at most {HEADERS} headers and {HEAD_BYTES:,} bytes of them, got {actual}",
        hint="send fewer or shorter headers; cookies are not needed here",
    )
