"""Users that a proxy names: only if one of the listed proxies does, and only once."""

from __future__ import annotations

from typing import Any

import pytest

from gnomon.errors import Forbidden, SettingsError, Unauthorized
from gnomon.service.access.proxies import Proxies, proxies_of
from gnomon.settings import Settings

LISTED = Settings(
    trusted_proxies="10.0.0.0/8, fd00::/64, 192.0.2.7",
    proxy_roles="ml-leads=promoter, sre=forcer, odd=name=operator, *=viewer",
)
PROXIES = proxies_of(LISTED)


def scope(peer: str | None, *headers: tuple[str, str], ours: bool = True) -> dict[str, Any]:
    """A request from an address, with headers, on a connection of Gnomon's own or another."""
    return {
        "client": None if peer is None else (peer, 1234),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "extensions": {"gnomon": {}} if ours else {},
    }


ANN = ("x-forwarded-user", "ann@example.com")


@pytest.mark.parametrize(
    "peer",
    ["10.1.2.3", "::ffff:10.1.2.3", "fd00::5", "fd00::5%eth0", "192.0.2.7"],
)
def test_a_listed_proxy_names_the_user(peer: str) -> None:
    """By an address of IPv4 or IPv6, also one of IPv4 as a socket for both shows it."""
    user = PROXIES.identity(scope(peer, ANN, ("x-forwarded-groups", "a, ml-leads ,b")))
    assert user is not None
    assert (user.name, user.authenticated, user.role) == ("ann@example.com", "proxy", "promoter")


@pytest.mark.parametrize(
    "peer", ["11.0.0.1", "::ffff:11.0.0.1", "fd01::5", "192.0.2.70", "::1", "/run/socket", "", None]
)
def test_any_other_sender_names_nobody(peer: str | None) -> None:
    """A Unix socket has no address, so nobody on it is trusted. What they sent is removed."""
    request = scope(peer, ANN, ("x-forwarded-groups", "sre"), ("host", "x"))
    assert PROXIES.identity(request) is None
    PROXIES.strip(request)
    assert request["headers"] == [(b"host", b"x")]


def test_an_address_that_a_header_may_have_set_is_not_believed() -> None:
    """Other servers put that of ``X-Forwarded-For`` into the scope."""
    assert PROXIES.identity(scope("10.1.2.3", ANN, ours=False)) is None


def test_what_a_proxy_sent_is_kept() -> None:
    """A deployment's own routes may read it too."""
    request = scope("10.1.2.3", ANN)
    PROXIES.strip(request)
    assert len(request["headers"]) == 1


def test_without_proxies_nothing_is_removed_and_nobody_named() -> None:
    """A deployment may use these headers in its own way."""
    none = proxies_of(Settings())
    request = scope("10.1.2.3", ANN)
    none.strip(request)
    assert (len(request["headers"]), none.identity(request)) == (1, None)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([ANN, ANN], "one header, got 2"),
        ([ANN, ("x-forwarded-user", "root")], "one header, got 2"),
        ([ANN, ("x-forwarded-groups", "a"), ("x-forwarded-groups", "sre")], "one header, got 2"),
        ([("x-forwarded-user", "\xff")], "UTF-8"),
        ([("x-forwarded-user", "a" * 201)], "at most 200"),
        ([("x-forwarded-user", "a\tb")], "a name"),
    ],
)
def test_what_is_not_clear_is_refused(headers: list[tuple[str, str]], expected: str) -> None:
    """A proxy that adds to the client's headers instead of replacing them lets it choose."""
    with pytest.raises(Unauthorized, match=expected):
        PROXIES.identity(scope("10.1.2.3", *headers))


@pytest.mark.parametrize(
    "headers", [[], [("x-forwarded-user", " ")], [("x-forwarded-groups", "a")]]
)
def test_without_a_user_the_token_decides(headers: list[tuple[str, str]]) -> None:
    """Such as a request of a program, which the proxy passed on."""
    assert PROXIES.identity(scope("10.1.2.3", *headers)) is None


def test_a_user_without_a_role_is_refused_with_their_groups() -> None:
    """So that an operator sees what to map."""
    proxies = proxies_of(Settings(trusted_proxies="10.0.0.1", proxy_roles="sre=forcer"))
    with pytest.raises(Forbidden, match=r"`ann@example.com` has no role here.*\(a, b\)"):
        proxies.identity(scope("10.0.0.1", ANN, ("x-forwarded-groups", "a,b")))


@pytest.mark.parametrize(
    ("groups", "role"),
    [("", "viewer"), ("sre,ml-leads", "forcer"), ("odd=name", "operator"), ("SRE", "viewer")],
)
def test_the_highest_role_of_the_groups_counts(groups: str, role: str) -> None:
    """A star is every user; names of groups are compared with their case."""
    user = PROXIES.identity(scope("10.1.2.3", ANN, ("x-forwarded-groups", groups)))
    assert user is not None
    assert user.role == role


def test_other_headers_can_be_set() -> None:
    """As oauth2-proxy and others name them."""
    proxies: Proxies = proxies_of(
        Settings(
            trusted_proxies="::1",
            proxy_roles="a=viewer",
            proxy_user_header="X-Auth-Request-Email",
            proxy_groups_header="X-Auth-Request-Groups",
        )
    )
    sent = [("x-auth-request-email", "ann"), ("x-auth-request-groups", "a")]
    user = proxies.identity(scope("::1", *sent))
    assert user is not None
    assert user.name == "ann"
    assert proxies.identity(scope("::1", ANN)) is None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"trusted_proxies": "10.0.0.1/8", "proxy_roles": "a=viewer"}, "host bits"),
        ({"trusted_proxies": "proxy.example.com", "proxy_roles": "a=viewer"}, "10.0.0.5 or fd00"),
        ({"trusted_proxies": "0.0.0.0/0", "proxy_roles": "a=viewer"}, "every address"),
        ({"trusted_proxies": "::/0", "proxy_roles": "a=viewer"}, "every address"),
        ({"trusted_proxies": "10.0.0.1"}, "only together"),
        ({"proxy_roles": "a=viewer"}, "only together"),
        ({"trusted_proxies": "::1", "proxy_roles": "a=admin"}, "the roles are viewer"),
        ({"trusted_proxies": "::1", "proxy_roles": "viewer"}, "GROUP=ROLE"),
        ({"proxy_user_header": "X User"}, "name of a header"),
        ({"proxy_groups_header": "Authorization"}, "name of a header"),
    ],
)
def test_a_wrong_setting_is_refused_at_the_start(settings: dict[str, str], expected: str) -> None:
    """Such as a list that trusts everybody."""
    with pytest.raises(SettingsError, match=expected):
        proxies_of(Settings(**settings))  # type: ignore[arg-type]


def test_a_mapped_network_is_that_of_version_4() -> None:
    """However it is written."""
    proxies = proxies_of(Settings(trusted_proxies="::ffff:10.0.0.0/104", proxy_roles="*=viewer"))
    assert proxies.identity(scope("10.9.9.9", ANN)) is not None
