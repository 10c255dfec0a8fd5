"""Who may do what: every role at every control route, through the ASGI callable of these."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from gnomon.rollout.evidence.excuse import parse_excuse
from gnomon.rollout.history import RolloutEvent
from gnomon.service.control import ROUTES
from gnomon.settings import Settings
from gnomon.tokens.issued_tokens import create_token, revoke_token, rotate_token
from gnomon.tokens.roles import ROLES, Role, includes
from tests.service.standin import TOKEN, StandIn

NEEDS: dict[str, Role] = {
    "/gnomon/status": "viewer",
    "/gnomon/history": "viewer",
    "/gnomon/labels": "viewer",
    "/gnomon/whoami": "viewer",
    "/gnomon/gates": "viewer",
    "/gnomon/quality": "viewer",
    "/gnomon/quality/estimates": "viewer",
    "/gnomon/gates/on-history": "operator",
    "/gnomon/labels/wanted": "labeller",
    "/gnomon/history/at": "viewer",
    "/gnomon/excuses": "viewer",
    "/gnomon/audit": "viewer",
    "/gnomon/tokens": "forcer",
    "/gnomon/shadow/start": "operator",
    "/gnomon/shadow/stop": "operator",
    "/gnomon/excuse/add": "promoter",
    "/gnomon/excuse/end": "operator",
    "/gnomon/promote": "promoter",
    "/gnomon/approve": "promoter",
    "/gnomon/withdraw": "promoter",
    "/gnomon/rollback": "promoter",
}
"""The table of ``docs/access.md``. A new route is added here, with the role it needs."""

BODIES: dict[str, dict[str, Any]] = {
    "/gnomon/shadow/start": {"artifact": "flights:two"},
    "/gnomon/shadow/stop": {"artifact": "flights:shadow"},
    "/gnomon/excuse/add": {
        "target": "origin=JFK", "owner": "ann", "until": "2030-01-01T00:00:00Z", "why": "codes",
    },
    "/gnomon/excuse/end": {"number": 4},
    "/gnomon/promote": {"artifact": "flights:two"},
    "/gnomon/approve": {"artifact": "flights:two"},
    "/gnomon/withdraw": {},
    "/gnomon/rollback": {},
}  # fmt: skip

QUERIES = {
    "/gnomon/gates/on-history": {"artifact": "flights:two"},
    "/gnomon/labels/wanted": {"artifact": "flights:two"},
    "/gnomon/history/at": {"time": "2030-01-01T00:00:00Z"},
}

Call = Callable[..., Awaitable[httpx.Response]]


@pytest.fixture
def root(tmp_path: Path) -> Settings:
    """The storage root with the tokens."""
    return Settings(root=str(tmp_path / "root"))


def ask(
    app: Any, path: str, token: str | None = None, body: Any = None, **headers: str
) -> httpx.Response:
    """One request to a control route, without a socket."""

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            if token is not None:
                sent["authorization"] = f"Bearer {token}"
            method = ROUTES[path].method
            content = {"json": BODIES[path] if body is None else body} if method == "POST" else {}
            query = QUERIES.get(path)
            return await client.request(method, path, headers=sent, params=query, **content)

    return asyncio.run(call())


EXCUSE = parse_excuse("late", "ann", datetime(2030, 1, 1, tzinfo=UTC))


def prepared(root: Settings) -> StandIn:
    """A deployment in which each of ``BODIES`` is possible."""
    standin = StandIn(Path(root.root))
    for event in (
        RolloutEvent(kind="promote", artifact="flights:three"),
        RolloutEvent(kind="shadow_start", artifact="flights:shadow"),
        RolloutEvent(kind="excuse", artifact="flights:shadow", excuse=EXCUSE),
        RolloutEvent(kind="propose", artifact="flights:two"),
    ):
        standin._decide(event)
    return standin


def test_every_route_has_its_role() -> None:
    """A new route fails here until somebody decides who may call it."""
    assert {path: route.role for path, route in ROUTES.items()} == NEEDS


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_the_table_says_and_no_more(root: Settings, role: Role) -> None:
    """What it may not changes nothing, and is counted."""
    token = create_token("ann", role, settings=root).token
    for path, needed in NEEDS.items():
        standin = prepared(root)
        before = len(standin.events)
        answer = ask(standin, path, token)
        if includes(role, needed):
            assert answer.status_code == 200, (path, answer.text)
            assert standin.refused == []
        else:
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["where"]) == (403, "forbidden", path)
            assert f"has the role {role}" in error["message"]
            assert f"needs {needed}" in error["message"]
            assert (len(standin.events), standin.refused) == (before, [(path, "forbidden")])


@pytest.mark.parametrize("path", ["/gnomon/promote", "/gnomon/shadow/start"])
def test_only_a_forcer_forces(root: Settings, path: str) -> None:
    """Whatever it is that a request forces."""
    body = {"artifact": "flights:two", "force": True}
    promoter = create_token("ann", "promoter", settings=root).token
    standin = prepared(root)
    refused = ask(standin, path, promoter, body)
    assert (refused.status_code, standin.refused) == (403, [(path, "forbidden")])
    assert "`force` needs forcer" in refused.json()["error"]["message"]
    for token in (create_token("bob", "forcer", settings=root).token, TOKEN):
        forced = ask(prepared(root), path, token, body)
        assert forced.json()["forced"] is True


@pytest.mark.parametrize("path", NEEDS)
def test_without_a_valid_credential_nothing_is_done_or_told(root: Settings, path: str) -> None:
    """Headers of a proxy are no credential of anybody else."""
    token = create_token("ann", "forcer", settings=root).token
    revoke_token("ann", settings=root)
    for wrong in (None, "", "wrong", token, token[:-1], f"{TOKEN}x"):
        standin = prepared(root)
        answer = ask(standin, path, wrong, x_forwarded_user="ann", x_forwarded_groups="sre")
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert standin.refused == [(path, "unauthorized")]


def test_a_decision_is_signed_by_the_credential(root: Settings) -> None:
    """A name in the body is on whose behalf; with the control token it is a claim."""
    token = create_token("ci", "promoter", settings=root).token
    body = {"artifact": "flights:two", "by": "ann", "why": "better"}
    event = ask(prepared(root), "/gnomon/promote", token, body).json()
    assert (event["by"], event["authenticated"], event["on_behalf_of"]) == ("ci", "token ci", "ann")
    event = ask(prepared(root), "/gnomon/promote", TOKEN, body).json()
    assert (event["by"], event["authenticated"]) == ("ann", "control token")
    assert event["on_behalf_of"] is None


def test_a_token_is_for_its_models(root: Settings) -> None:
    """The error says which."""
    other = create_token("ann", "forcer", models=["iris", "wine"], settings=root).token
    answer = ask(prepared(root), "/gnomon/status", other)
    assert answer.status_code == 403
    assert "is for iris, wine, not for flights" in answer.json()["error"]["message"]
    own = create_token("bob", "viewer", models=["flights"], settings=root).token
    assert ask(prepared(root), "/gnomon/status", own).status_code == 200


def test_a_new_token_works_at_once_and_a_revoked_one_within_the_next_look(root: Settings) -> None:
    """An unknown token makes the server look; it looks for revoked ones every two seconds."""
    standin = prepared(root)
    for name in ("ann", "bob"):
        token = create_token(name, "viewer", settings=root).token
        assert ask(standin, "/gnomon/status", token).status_code == 200
    newer = rotate_token("bob", settings=root).token
    assert ask(standin, "/gnomon/status", newer).status_code == 200
    assert ask(standin, "/gnomon/status", token).status_code == 401
    revoke_token("bob", settings=root)
    asyncio.run(standin.access.refresh())
    assert ask(standin, "/gnomon/status", newer).status_code == 401


def test_a_root_that_cannot_be_read_is_no_invalid_token(root: Settings) -> None:
    """Nobody can tell: 503, and the client may try again."""
    token = create_token("ann", "viewer", settings=root).token
    (folder := Path(root.root) / "tokens").rename(Path(root.root) / "moved")
    folder.write_text("")
    answer = ask(prepared(root), "/gnomon/status", token)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "storage_unavailable")
    assert ask(prepared(root), "/gnomon/status", TOKEN).status_code == 200


def test_everybody_can_ask_who_they_are(root: Settings) -> None:
    """With the role, and when it ends."""
    made = create_token("ann", "operator", settings=root)
    me = ask(prepared(root), "/gnomon/whoami", made.token).json()
    assert (me["name"], me["authenticated"], me["role"]) == ("ann", "token ann", "operator")
    assert me["expires"][:19] == f"{made.expires:%Y-%m-%dT%H:%M:%S}"
    me = ask(prepared(root), "/gnomon/whoami", TOKEN).json()
    assert (me["name"], me["authenticated"], me["role"]) == (None, "control token", "forcer")


def test_a_user_of_a_trusted_proxy_needs_no_token(root: Settings) -> None:
    """The proxy's own token, if it sends one, is not looked at."""
    listed = Settings(trusted_proxies="127.0.0.1", proxy_roles="leads=promoter")
    standin = StandIn(Path(root.root), listed)

    async def connected(scope: Any, receive: Any, send: Any) -> None:
        """As a connection of Gnomon's own makes the scope."""
        await standin({**scope, "extensions": {"gnomon": {}}}, receive, send)

    user = {"x_forwarded_user": "ann@example.com", "x_forwarded_groups": "leads"}
    event = ask(connected, "/gnomon/promote", "of-the-proxy", **user).json()
    assert (event["by"], event["authenticated"]) == ("ann@example.com", "proxy")
    assert (
        ask(connected, "/gnomon/status", **{**user, "x_forwarded_groups": "b"}).status_code == 403
    )
    assert ask(standin, "/gnomon/status", **user).status_code == 401


def test_a_credential_revoked_while_the_body_arrives_decides_nothing(root: Settings) -> None:
    """What counts is what it allows when the request is complete."""
    token = create_token("ann", "forcer", settings=root).token
    standin = prepared(root)
    before = len(standin.events)

    async def body() -> AsyncIterator[bytes]:
        yield b'{"artifact": "flights:two", '
        revoke_token("ann", settings=root)
        await standin.access.refresh()
        yield b'"force": true}'

    async def call() -> httpx.Response:
        transport = httpx.ASGITransport(app=standin)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            head = {"authorization": f"Bearer {token}"}
            return await client.post("/gnomon/promote", headers=head, content=body())

    answer = asyncio.run(call())
    assert (answer.status_code, "was revoked" in answer.text) == (401, True)
    assert len(standin.events) == before
