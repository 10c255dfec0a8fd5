"""Request heads, read strictly by RFC 9112.

A server and the proxy before it must never disagree on where a request ends: what one takes for a
body the other would take for a request (request smuggling). So there is one reader, for both paths
that a request can take (see :mod:`gnomon.service.connection`), and it refuses what RFC 9112 does
not allow rather than guess what was meant.
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
from gnomon.service.http import Header, announced

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
"""Ends a request head."""
HEAD_BYTES = 32_768
"""The longest request head taken, END included: nginx takes as much."""
_LINE_BYTES = 8_192
"""The longest request line taken: the length of a buffer of nginx, and what RFC 9112 asks for."""
HEADERS = 100
"""The most headers taken, as in Envoy and Apache."""

_NAME = b"!#$%&'*+-.^_`|~" + (ascii_letters + digits).encode()
"""What header names and methods are made of: RFC 9110, section 5.6.2."""
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
"""The headers that say something to this server's protocol."""
_VERSION = re.compile(rb"HTTP/([0-9])\.([0-9])")
_TARGET = re.compile(rb'[!"$-~]+')
"""Printable ASCII but for ``#``: a fragment stays with the client."""
_TEXT = bytes({0x09, 0x0A, 0x0D, *range(0x20, 0x7F), *range(0x80, 0x100)})
"""What may stand in header lines: everything but controls."""
_ID = b"\r\nx-request-id:"
_NEW_EACH_TIME = (_ID, b"\r\ntraceparent:")
"""How the header lines begin that differ in each request of a client, and do not affect how it is
handled."""
_HOST = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[0-9A-Za-z\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?"
)
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?]*)(/[^?]*)?(\?.*)?")
_ENCODED = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*+")
_BARE = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
"""A line feed without its carriage return, or the other way round."""


class Head(NamedTuple):
    """The head of a request that keeps to the protocol.

    Attributes:
        method: such as ``POST``; any token.
        path: decoded, but for an encoded slash: that is no separator.
        raw_path: as it came.
        query: what follows ``?``, as it came.
        version: ``1.0`` or ``1.1``.
        headers: in order, with names in lower case. ``host`` is what the target names, if it does.
        length: bytes of the body; None if it comes in chunks.
        keep_alive: whether the connection may go on after the answer.
        expects: whether the client waits for ``100 Continue`` before it sends the body.
        client_id: the client's own ``X-Request-ID``.
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
    """The head of a request.

    Args:
        block: the request line and headers, to the empty line that ends them.

    Raises:
        GnomonError: it is refused; where the request ends is then not known, so the connection
            must be closed.
    """
    line, _, rest = block.partition(b"\r\n")
    method, path, query, authority, version = _request_line(line)
    headers = _headers(rest[:-2])
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if name in _READ:
            found.setdefault(name, []).append(value)
    host = _host(found.get(b"host", []), version)
    if authority is not None and authority != host:
        headers = [(b"host", authority), *((n, v) for n, v in headers if n != b"host")]
    ids = found.get(b"x-request-id")
    return Head(
        method,
        _decoded(path),
        path,
        query,
        version,
        headers,
        _length(found, version),
        version == "1.1" and b"close" not in _tokens(found.get(b"connection", [])),
        b"expect" in found and _expects(found[b"expect"], version),
        ids[0].decode("latin-1") if ids else None,
    )


def lasting(block: bytes) -> tuple[bytes, str | None]:
    """A head without the headers that are new in each request of a client, and its own id.

    What is left of a head is empty if how it is handled could depend on what is left out.
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
    """Why the beginning of a head, of which the end has not come, is refused already; or None.

    Args:
        received: the beginning.
        scanned: how much of it was looked at before: who sends byte by byte costs no more.
    """
    line = received.find(b"\r\n", 0, _LINE_BYTES + 2)
    if line < 0 and len(received) > _LINE_BYTES:
        return _too_long()
    if len(received) > HEAD_BYTES:
        return _too_large(f"over {HEAD_BYTES:,} bytes")
    if _BARE.search(received, max(scanned - 1, 0)):
        return _malformed("expected lines that end in CR LF, got one of the two alone")
    return None


def fields(block: bytes) -> list[Header] | None:
    """Header lines, each with its line end, as names in lower case and values; None if there is
    anything else."""
    lines = block.split(b"\r\n")
    if (
        block.translate(None, _TEXT)
        or block.count(b"\r") + block.count(b"\n") != 2 * len(lines) - 2
    ):
        return None
    found = []
    for line in lines[:-1]:
        name, colon, value = line.partition(b":")
        lower = _lower(name)
        if not lower or not colon:
            return None
        found.append((lower, value.strip(b" \t")))
    return found if not lines[-1] else None


@lru_cache(maxsize=128)
def _lower(name: bytes) -> bytes:
    """A header name in lower case; empty if it is none."""
    return name.lower() if _is_name(name) else b""


def _is_name(token: bytes) -> bool:
    return token != b"" and not token.translate(None, _NAME)


@lru_cache(maxsize=64)
def _request_line(line: bytes) -> tuple[str, bytes, bytes, bytes | None, str]:
    """Method, path, query, authority and version; clients send few different ones."""
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
    # A higher minor version is read as the highest known: RFC 9110, section 2.5.
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
        raise _malformed("expected a host and perhaps a port, as in example.org:80", where="Host")
    return hosts[0]


def _target(method: str, target: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Path, query and authority of a request target, in any form that RFC 9112 knows."""
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
    """An encoded slash stays as it is: a rule of a proxy for ``/gnomon/`` must hold here too."""
    if b"%" not in path:
        return path.decode("ascii")
    return unquote(re.sub("(?i)%2f", "%252F", path.decode("ascii")))


def _length(found: dict[bytes, list[bytes]], version: str) -> int | None:
    """The length that a body announces, None if it comes in chunks; see RFC 9112, section 6.3."""
    lengths, codings = found.get(b"content-length", []), found.get(b"transfer-encoding")
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
        "expected no transfer coding but `chunked`",
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
    """The members of a comma-separated header, in lower case."""
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


def _too_large(came: str) -> GnomonError:
    return HeadTooLarge(
        f"expected at most {HEADERS} headers and {HEAD_BYTES:,} bytes of them, got {came}",
        hint="send fewer or shorter headers; cookies are not needed here",
    )
