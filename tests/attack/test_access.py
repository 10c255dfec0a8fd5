"""Tokens, roles and trusted proxies at a real server, and secrets where none may be."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

import gnomon
from gnomon.service.control import ROUTES
from gnomon.testing import Server, serving
from gnomon.tokens.roles import ROLES
from tests.forking import run_python
from tests.packing import SCRIPT, install, times, write_service
from tests.tokens.windows import parts_of

pytestmark = pytest.mark.slow

PROXY, OTHER = "127.0.0.2", "127.0.0.1"
"""Addresses of this machine, from which a client may call: the proxy's, and another."""
PATIENCE = 30.0
"""Far more than the two seconds that are promised, because the machine may be busy."""


@pytest.fixture(scope="module")
def server(
    tmp_path_factory: pytest.TempPathFactory, packed_once: Callable[..., Path]
) -> Iterator[Server]:
    """One server; its proxy authenticates users."""
    place = tmp_path_factory.mktemp("access")
    install(packed_once(times(1), "toy", SCRIPT), place / "bentoml")
    (place / "policy.toml").write_text("[rollout]\napprovals = 2\n")
    write_service(place / "deployment", f'"toy", policy={str(place / "policy.toml")!r}')
    environment = {
        "BENTOML_HOME": str(place / "bentoml"),
        "GNOMON_TRUSTED_PROXIES": PROXY,
        "GNOMON_PROXY_ROLES": "leads=promoter",
        "GNOMON_PREDICT_TOKEN": "predict-secret-of-everybody",
    }
    with serving(place / "deployment", place / "root", environment=environment) as running:
        yield running


def call(
    server: Server, path: str, peer: str = OTHER, token: str | None = None, **more: Any
) -> httpx.Response:
    """Call a route from an address of this machine."""
    headers = [*more.pop("headers", [])]
    if token is not None:
        headers.append(("Authorization", f"Bearer {token}"))
    method = more.pop("method", "GET")
    with httpx.Client(transport=httpx.HTTPTransport(local_address=peer), timeout=60) as client:
        return client.request(method, server.url + path, headers=headers, **more)


def token_of(server: Server, name: str, role: Any, **more: Any) -> str:
    return gnomon.create_token(name, role, settings=server.settings, **more).token


def command(server: Server, token: str, *arguments: str) -> str:
    """The output of a ``gnomon`` command, sent with a token from the environment."""
    environment = {
        **os.environ,
        "GNOMON_TOKEN": token,
        "GNOMON_URL": server.url,
        "GNOMON_ROOT": server.settings.root,
        "COLUMNS": "200",
    }
    done = run_python(["-m", "gnomon", *arguments], cwd=Path.cwd(), env=environment)
    assert done.returncode == 0, done.stderr
    return " ".join(done.stdout.split())


def until_refused(server: Server, token: str) -> str:
    """Wait until a running server refuses a token; the message."""
    deadline = time.monotonic() + PATIENCE
    while (answer := call(server, "/gnomon/status", token=token)).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert answer.status_code == 401
    message: str = answer.json()["error"]["message"]
    return message


def test_each_role_reads_and_only_the_right_ones_decide(server: Server) -> None:
    """A decision that is allowed gets as far as its own rules."""
    for role in ROLES:
        token = token_of(server, f"role-{role}", role)
        for path, route in ROUTES.items():
            needed = route.role
            method = route.method
            body = {} if method == "GET" else {"json": {"artifact": "toy:none"}}
            # Whoever may ask is told about a wrong query; no answer is computed for it.
            where = path if route.query is None else f"{path}?wrong=1"
            answer = call(server, where, token=token, method=method, **body)
            allowed = ROLES.index(role) >= ROLES.index(needed)
            assert (answer.status_code != 403) is allowed, (role, path, answer.text)
        answer = call(server, "/labels", token=token, method="POST", json={})
        assert answer.status_code == (403 if role == "viewer" else 422)


def test_a_running_server_learns_of_revocation_and_rotation(server: Server) -> None:
    """Without a restart, and a new token works at once."""
    old = token_of(server, "rotated", "viewer")
    assert call(server, "/gnomon/status", token=old).status_code == 200
    new = gnomon.rotate_token("rotated", settings=server.settings).token
    assert call(server, "/gnomon/status", token=new).status_code == 200
    assert until_refused(server, old) == "invalid token"
    gnomon.revoke_token("rotated", settings=server.settings)
    assert until_refused(server, new) == "the token `rotated` was revoked"
    other = token_of(server, "other-model", "viewer", models=["iris"])
    assert call(server, "/gnomon/status", token=other).status_code == 403


def test_the_proxy_names_users_and_nobody_else_does(server: Server) -> None:
    """Not from another address, not through ``X-Forwarded-For``, and not twice."""
    ann = [("X-Forwarded-User", "ann@example.com"), ("X-Forwarded-Groups", "leads")]
    me = call(server, "/gnomon/whoami", PROXY, headers=ann).json()
    assert (me["name"], me["authenticated"], me["role"]) == (ann[0][1], "proxy", "promoter")
    through = [
        *ann,
        ("X-Forwarded-For", PROXY),
        ("Forwarded", f"for={PROXY}"),
        ("X-Real-IP", PROXY),
    ]
    for headers in (ann, through):
        assert call(server, "/gnomon/whoami", OTHER, headers=headers).status_code == 401
    twice = [("X-Forwarded-User", "root"), *ann]
    refused = call(server, "/gnomon/whoami", PROXY, headers=twice)
    assert refused.status_code == 401
    assert "one header, got 2" in refused.json()["error"]["message"]
    nobody = [("X-Forwarded-User", "bob"), ("X-Forwarded-Groups", "guests")]
    assert call(server, "/gnomon/whoami", PROXY, headers=nobody).status_code == 403
    assert call(server, "/gnomon/whoami", PROXY).status_code == 401


def test_no_secret_is_where_others_read(server: Server) -> None:
    """Not in the server's log, an error, a page, the history, a file of the root or the command
    line of a process; not even a part of one.
    """
    control = (Path(server.settings.root) / "control.token").read_text().strip()
    forcer = token_of(server, "careless", "forcer")
    mistyped = forcer[:-1] + ("a" if forcer[-1] != "a" else "b")
    texts = []
    for token in (forcer, mistyped, forcer[7:], control, control[:-1]):
        for path in ("/gnomon/whoami", "/gnomon/history", "/status.json", "/", "/metrics"):
            texts.append(call(server, path, token=token).text)
        body = {"artifact": "toy:none", "force": True, "why": "x"}
        for path in ("/gnomon/promote", "/predict"):
            texts.append(call(server, path, token=token, method="POST", json=body).text)
        wrong = [("Authorization", f"Basic {token}")]
        texts.append(call(server, "/gnomon/status", headers=wrong).text)
    supervisor = psutil.Process(server.process.pid)
    for process in (supervisor, *supervisor.children(recursive=True)):
        texts.append("\0".join(process.cmdline()))
    for file in Path(server.settings.root).rglob("*"):
        if file.is_file() and file.name != "control.token":
            texts.append(file.read_bytes().decode("latin-1"))
    assert "refused " in server.log.read_text()
    for secret in (forcer.split("_", 2)[2], control, "predict-secret-of-everybody"):
        for part in parts_of(secret):
            assert not [text for text in texts if part in text]


def test_refusals_are_counted(server: Server) -> None:
    """By route and code, whatever the log says."""

    def count() -> float:
        text = call(server, "/metrics").text
        lines = [line for line in text.splitlines() if line.startswith("gnomon_callers_refused")]
        found = [line for line in lines if 'route="/gnomon/rollback"' in line and "unauth" in line]
        return sum(float(line.rpartition(" ")[2]) for line in found)

    before = count()
    for _ in range(30):
        call(server, "/gnomon/rollback", method="POST", token="guess")
    assert count() == before + 30


def test_two_people_promote(server: Server, packed_once: Callable[..., Path]) -> None:
    """Neither the same one, nor the control token, nor a claim at the storage root is the second;
    of several that approve at once, one promotes.
    """
    home = Path(server.settings.root).parent / "bentoml"
    tag = install(packed_once(times(2), "toy", SCRIPT), home)
    first = token_of(server, "first", "forcer")
    body = {"artifact": tag, "force": True, "why": "better"}

    def promote(token: str, path: str = "/gnomon/promote", body: Any = body) -> httpx.Response:
        return call(server, path, token=token, method="POST", json=body)

    event = promote(first).json()
    assert (event["kind"], event["by"], event["forced"]) == ("propose", "first", True)
    control = (Path(server.settings.root) / "control.token").read_text().strip()
    for token in (first, control):
        refused = promote(token)
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "approval_needed")
    promoter = token_of(server, "promoter", "promoter")
    approval = {"artifact": tag}
    assert promote(promoter, "/gnomon/approve", approval).status_code == 403
    assert call(server, "/status.json").json()["live"]["artifact"] != tag
    others = [token_of(server, f"other-{n}", "forcer") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda t: promote(t, "/gnomon/approve", approval), others))
    assert [answer.status_code for answer in answers].count(200) == 1
    assert {answer.status_code for answer in answers} == {200, 409}
    events = call(server, "/gnomon/history", token=first).json()["events"]
    assert [event["kind"] for event in events] == ["promote", "propose", "promote"]
    assert events[2]["approves"] == 2
    assert events[2]["authenticated"] == f"token {events[2]['by']}"
    assert call(server, "/status.json").json()["live"]["artifact"] == tag
    back = promote(promoter, "/gnomon/rollback", {})
    assert (back.status_code, back.json()["kind"]) == (200, "rollback")

    printed = command(server, first, "promote", tag, "--force")
    assert f"{tag} is proposed" in printed
    assert f"gnomon approve {tag}" in printed
    assert "is live" in command(server, others[0], "approve", tag)
    shown = command(server, others[0], "history")
    assert "other-0 (token)" in shown
    assert "as proposed in #5" in shown
    assert "other-0 (token other-0)" in command(server, others[0], "token", "whoami")
    assert promote(promoter, "/gnomon/rollback", {}).status_code == 200
