"""The rules for which requests a server answers, by their host and the page that sent them.

A browser sends requests for any page that its user has open, also to servers that only the user can
reach. Two rules refuse requests of such pages. The *Host* must be a name of this server: a page
whose domain was pointed at this server (DNS rebinding) still sends its domain. The *Origin* must be
the server's page, or one that the settings list; ``Sec-Fetch-Site`` has the same information for
requests without an *Origin* (https://www.w3.org/TR/fetch-metadata/). Clients other than browsers
send neither of the latter, so only the first rule applies to them.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

from gnomon.errors import HostNotAllowed, OriginNotAllowed, SettingsError
from gnomon.service.http.asgi import NOSNIFF, Header, Message, Scope, Send, header
from gnomon.settings import Settings

__all__ = [
    "PAGE_HEADERS",
    "PREDICT",
    "PREFLIGHT",
    "Origins",
    "is_preflight",
    "origins_of",
    "with_headers",
]

ANY = "*"
PREDICT = "/predict"
LOCAL = ("localhost", "*.localhost")
"""Names that never leave the machine (RFC 6761, 6.3)."""

_HOST = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?)\.?)(?::([0-9]*))?")
_PATTERN = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9._-]*[a-z0-9_])?|\*")
_ORIGIN = re.compile(r"https?://(?:\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::[0-9]+)?|\*")
_PORTS = {"http": "80", "https": "443"}
_REMEMBERED = 64
HOST_BYTES = 253 + len(":65535.")
"""The longest name (RFC 1035, 2.3.4), with a port and a last dot."""

PAGE_HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", b"frame-ancestors 'none'"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    NOSNIFF,
)
"""No page may show an answer in a frame or embed it, and links do not reveal their page."""
PREFLIGHT: tuple[Header, ...] = (
    (b"access-control-allow-methods", b"POST"),
    (
        b"access-control-allow-headers",
        b"authorization, content-encoding, content-type, x-request-id",
    ),
    (b"access-control-max-age", b"600"),
)


@dataclass(frozen=True)
class Origins:
    """The two rules, as set by the settings of a server.

    Attributes:
        hosts: names of the server, in lower case; ``*.example.com`` means all names below it, ``*``
            any name. An IP address is never refused: DNS cannot redirect it.
        origins: pages that may send predictions, as ``https://app.example.com``; ``*`` means any.
    """

    hosts: frozenset[str]
    origins: frozenset[str]
    _allowed_hosts: set[bytes] = field(default_factory=set, compare=False, repr=False)

    def allows_host(self, host: bytes) -> bool:
        """Return whether the server answers requests with this ``Host``."""
        if host in self._allowed_hosts:
            return True
        if not self._is_server_name(host):
            return False
        # Bounded, as a client may vary the port and the case.
        if len(self._allowed_hosts) < _REMEMBERED and len(host) <= HOST_BYTES:
            self._allowed_hosts.add(host)
        return True

    def check(self, scope: Scope) -> None:
        """Check that the rules allow a request.

        Raises:
            HostNotAllowed: its host is not a name of the server.
            OriginNotAllowed: a page of another site sent it.
        """
        hosts = _headers(scope, b"host")
        for host in hosts:
            if not self.allows_host(host):
                raise _foreign_host(host)
        origins = _headers(scope, b"origin")
        site = header(scope, b"sec-fetch-site")
        if site in (b"same-origin", b"none"):
            return
        for origin in origins:
            if not _is_same(origin, hosts) and not self.lists(scope, origin):
                raise _foreign_origin(scope, origin)
        if not origins and site is not None and not _is_followed_link(scope):
            raise _foreign_origin(scope, site)

    def lists(self, scope: Scope, origin: bytes) -> bool:
        """Return whether the settings allow a page of this origin to send this request."""
        text = origin.decode("latin-1").lower()
        return scope["path"] == PREDICT and (text in self.origins or ANY in self.origins)

    def answer_headers(self, scope: Scope) -> tuple[Header, ...]:
        """Return the headers that let a listed page read the answer; none for other pages."""
        origins = _headers(scope, b"origin")
        if len(origins) != 1 or not self.lists(scope, origins[0]):
            return ()
        return (
            (b"access-control-allow-origin", origins[0]),
            (b"access-control-expose-headers", b"retry-after"),
            (b"vary", b"origin"),
        )

    def _is_server_name(self, host: bytes) -> bool:
        if ANY in self.hosts:
            return True
        match = _HOST.fullmatch(host[:HOST_BYTES].decode("latin-1").lower())
        if match is None or len(host) > HOST_BYTES:
            return False
        name = match[1] or match[2]
        if _is_address(name) or name in self.hosts:
            return True
        parents = [name[at + 1 :] for at, letter in enumerate(name) if letter == "."]
        return any(f"*.{parent}" in self.hosts for parent in parents)


def origins_of(settings: Settings) -> Origins:
    """Return the rules of a server.

    Raises:
        SettingsError: ``hosts`` or ``origins`` has an entry that is not a name or an origin.
    """
    return _origins(settings.hosts or "", settings.origins or "", settings.url)


@lru_cache(maxsize=8)
def _origins(hosts: str, origins: str, url: str | None) -> Origins:
    own_name = _name_in(url)
    names = _listed(
        hosts, _PATTERN, "GNOMON_HOSTS", "names without scheme or port, as flights.example.com"
    )
    pages = _listed(
        origins, _ORIGIN, "GNOMON_ORIGINS", "origins, as https://app.example.com, without a path"
    )
    return Origins(frozenset([*LOCAL, *names, *([own_name] if own_name else [])]), frozenset(pages))


def _name_in(url: str | None) -> str | None:
    try:
        return urlsplit(url or "").hostname
    except ValueError as error:
        raise SettingsError(f"expected a URL, got {url!r}: {error}", where="GNOMON_URL") from None


def _listed(text: str, kind: re.Pattern[str], setting: str, expected: str) -> list[str]:
    entries = [entry for part in text.split(",") if (entry := part.strip().lower())]
    for entry in entries:
        if kind.fullmatch(entry) is None and not (kind is _PATTERN and _is_address(entry)):
            raise SettingsError(
                f"expected {expected}, separated by commas; got {entry!r}", where=setting
            )
    return entries


def is_preflight(scope: Scope) -> bool:
    """Return whether a browser asks if a page may send a request: https://fetch.spec.whatwg.org."""
    return (
        scope["method"] == "OPTIONS" and header(scope, b"access-control-request-method") is not None
    )


def with_headers(send: Send, headers: Sequence[Header]) -> Send:
    """Wrap ``send`` to add these headers to the answer, except those that it already has."""

    async def sent(message: Message) -> None:
        if message["type"] == "http.response.start":
            existing = list(message.get("headers", ()))
            names = {name.lower() for name, _ in existing}
            added = [(name, value) for name, value in headers if name not in names]
            message = {**message, "headers": [*existing, *added]}
        await send(message)

    return sent


def _is_followed_link(scope: Scope) -> bool:
    """Return whether the user followed a link, so that the answer is shown as a separate page."""
    return (
        scope.get("method") in ("GET", "HEAD")
        and header(scope, b"sec-fetch-mode") == b"navigate"
        and header(scope, b"sec-fetch-dest") == b"document"
    )


def _is_same(origin: bytes, hosts: Iterable[bytes]) -> bool:
    """Return whether an origin equals the request's host.

    The scheme is not compared: behind a proxy that handles TLS the server cannot know it.
    """
    scheme, _, authority = origin.decode("latin-1").lower().partition("://")
    port = _PORTS.get(scheme)
    if port is None:
        return False
    names = [host.decode("latin-1").lower() for host in hosts]
    return [_with_port(authority, port)] == [_with_port(host, port) for host in names]


def _with_port(authority: str, port: str) -> str:
    match = _HOST.fullmatch(authority)
    if match is None:
        return authority
    return f"{match[1] or match[2]}:{match[3] or port}"


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _headers(scope: Scope, wanted: bytes) -> list[bytes]:
    return [value for name, value in scope["headers"] if name == wanted]


def _foreign_host(host: bytes) -> HostNotAllowed:
    name = _excerpt(host)
    return HostNotAllowed(
        f"expected a host name of this server, got `{name}`",
        where="Host",
        hint=f"if it is one, start the server with GNOMON_HOSTS={name.partition(':')[0]} (several: "
        "separated by commas; all below a domain: *.example.com), or call it by its address",
    )


def _foreign_origin(scope: Scope, origin: bytes) -> OriginNotAllowed:
    name = _excerpt(origin)
    if scope["path"] != PREDICT:
        hint = "pages of other sites may only send predictions"
    elif _ORIGIN.fullmatch(name.lower()):
        hint = f"to let its pages send predictions, start the server with GNOMON_ORIGINS={name}"
    else:
        hint = "list the origins whose pages may send predictions in GNOMON_ORIGINS"
    return OriginNotAllowed(
        f"expected a request from this server's page, got one from `{name}`",
        where="Origin" if header(scope, b"origin") is not None else "Sec-Fetch-Site",
        hint=hint,
    )


def _excerpt(value: bytes) -> str:
    return value[:100].decode("latin-1")
