"""Users that a reverse proxy has authenticated, as with OpenID Connect, and names in headers.

Any client can send such headers, so they count only on connections from the addresses in
``GNOMON_TRUSTED_PROXIES``. On others they are removed before any code reads them.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

from gnomon.errors import Forbidden, SettingsError, Unauthorized
from gnomon.service.access.identity import Identity
from gnomon.service.http.asgi import Header, Scope
from gnomon.settings import Settings
from gnomon.tokens.roles import ROLES, Role, highest

__all__ = ["Proxies", "proxies_of"]

Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

EVERYBODY = "*"
"""In ``GNOMON_PROXY_ROLES``: every user that the proxy has authenticated."""
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}")
_MOST = 200
"""The most characters of a user's name; a group's may be as long as the header."""


@dataclass(frozen=True)
class Proxies:
    """The proxies of a server, and the roles of their users.

    Attributes:
        networks: addresses of proxies.
        user_header: the header with the user's name, in lower case.
        groups_header: the header with the user's groups, separated by commas.
        roles: the role of each group, by name; ``*`` for every user.
    """

    networks: tuple[Network, ...]
    user_header: bytes
    groups_header: bytes
    roles: dict[str, Role]

    def is_proxy(self, scope: Scope) -> bool:
        """Return whether a request came on a connection from one of these addresses.

        The address is that of the connection, never one from ``X-Forwarded-For``. So it is not
        taken from a scope that Gnomon's own connections did not make. A Unix socket has none.
        """
        client = scope.get("client")
        if client is None or "gnomon" not in scope.get("extensions", {}):
            return False
        try:
            address = ipaddress.ip_address(client[0].partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self.networks)

    def strip(self, scope: Scope) -> None:
        """Remove the headers with users and groups, unless a proxy sent them."""
        if self.networks and not self.is_proxy(scope):
            names = (self.user_header, self.groups_header)
            scope["headers"] = [header for header in scope["headers"] if header[0] not in names]

    def identity(self, scope: Scope) -> Identity | None:
        """Return the user that a proxy names; None if none does.

        Raises:
            Unauthorized: a header is there twice, so one may be the client's own, or is not a name.
            Forbidden: none of the user's groups has a role here.
        """
        if not self.networks or not self.is_proxy(scope):
            return None
        user = self._only(scope["headers"], self.user_header)
        if not user:
            return None
        if len(user) > _MOST or not user.isprintable():
            raise self._not_clear(self.user_header, f"a name of at most {_MOST} characters")
        text = self._only(scope["headers"], self.groups_header)
        groups = [group for part in text.split(",") if (group := part.strip())]
        roles = [self.roles[group] for group in (*groups, EVERYBODY) if group in self.roles]
        role = highest(roles)
        if role is None:
            raise Forbidden(
                f"the user `{user}` has no role here: none of their groups "
                f"({', '.join(groups)[:_MOST] or 'none'}) has one",
                where=self.groups_header.decode(),
                hint="GNOMON_PROXY_ROLES gives roles to groups",
            )
        return Identity(name=user, authenticated="proxy", role=role)

    def _only(self, headers: list[Header], name: bytes) -> str:
        """Return the value of a header; empty if there is none.

        Raises:
            Unauthorized: there are several, or it is not UTF-8.
        """
        values = [value for header, value in headers if header == name]
        if len(values) > 1:
            raise self._not_clear(name, f"one header, got {len(values)}")
        try:
            return values[0].decode().strip() if values else ""
        except UnicodeDecodeError:
            raise self._not_clear(name, "UTF-8") from None

    def _not_clear(self, name: bytes, expected: str) -> Unauthorized:
        return Unauthorized(
            f"expected {expected}",
            where=name.decode(),
            hint="have the proxy replace this header, not add to what the client sent",
        )


def proxies_of(settings: Settings) -> Proxies:
    """Return the proxies of a server.

    Raises:
        SettingsError: an address, a header or a role in the settings is not one, or there are
            proxies but no roles, or roles but no proxies.
    """
    return _proxies(
        settings.trusted_proxies or "",
        settings.proxy_user_header,
        settings.proxy_groups_header,
        settings.proxy_roles or "",
    )


@lru_cache(maxsize=8)
def _proxies(addresses: str, user: str, groups: str, roles: str) -> Proxies:
    networks = tuple(_network(entry) for entry in _entries(addresses))
    by_group = dict(_role(entry) for entry in _entries(roles))
    if bool(networks) != bool(by_group):
        missing = "GNOMON_PROXY_ROLES" if networks else "GNOMON_TRUSTED_PROXIES"
        raise SettingsError(
            "GNOMON_TRUSTED_PROXIES and GNOMON_PROXY_ROLES have an effect only together",
            where=missing,
            hint="such as GNOMON_TRUSTED_PROXIES=10.0.0.5 and GNOMON_PROXY_ROLES=ml-leads=promoter",
        )
    for name, header in (("USER", user), ("GROUPS", groups)):
        if not _HEADER.fullmatch(header) or header.lower() == "authorization":
            raise SettingsError(
                f"expected the name of a header, got {header!r}",
                where=f"GNOMON_PROXY_{name}_HEADER",
            )
    return Proxies(networks, user.lower().encode(), groups.lower().encode(), by_group)


def _entries(text: str) -> list[str]:
    return [entry for part in text.split(",") if (entry := part.strip())]


def _network(entry: str) -> Network:
    try:
        network = ipaddress.ip_network(entry)
    except ValueError as error:
        raise SettingsError(
            f"expected addresses or networks separated by commas, such as 10.0.0.5 or fd00::/8: "
            f"{error}",
            where="GNOMON_TRUSTED_PROXIES",
        ) from None
    if network.prefixlen == 0:
        raise SettingsError(
            f"{entry} is every address: any client could name itself",
            where="GNOMON_TRUSTED_PROXIES",
            hint="list the addresses of the proxies",
        )
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
    return network


def _role(entry: str) -> tuple[str, Role]:
    group, _, name = (part.strip() for part in entry.rpartition("="))
    for role in ROLES:
        if role == name and group:
            return group, role
    raise SettingsError(
        f"expected GROUP=ROLE separated by commas, got {entry!r}",
        where="GNOMON_PROXY_ROLES",
        hint=f"the roles are {', '.join(ROLES)}; * is every user of the proxy",
    )
