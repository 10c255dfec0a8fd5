"""The control routes, over real HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from gnomon.service.control import ROUTES
from tests.service.standin import TOKEN, StandIn

AUTHORIZED = {"authorization": f"Bearer {TOKEN}"}


def post(url: str, route: str, body: Any) -> httpx.Response:
    """Call a control route with the token."""
    return httpx.post(f"{url}/gnomon/{route}", json=body, headers=AUTHORIZED)


def get(url: str, route: str) -> httpx.Response:
    """Read a control route with the token."""
    return httpx.get(f"{url}/gnomon/{route}", headers=AUTHORIZED)


def test_a_rollout_runs_over_http(url: str, standin: StandIn) -> None:
    """Shadow, promote, roll back: each answers its event, and the history holds them all."""
    who = {"by": "ada", "why": "better"}
    started = post(url, "shadow/start", {"artifact": "flights:two", "fraction": 0.25, **who}).json()
    assert (started["kind"], started["fraction"], started["by"], started["why"]) == (
        "shadow_start", 0.25, "ada", "better",
    )  # fmt: skip
    assert [s["artifact"] for s in get(url, "status").json()["shadows"]] == ["flights:two"]
    assert post(url, "shadow/stop", {"artifact": "flights:two"}).json()["kind"] == "shadow_stop"
    promoted = post(url, "promote", {"artifact": "flights:two", "force": True}).json()
    assert promoted["forced"] is True
    assert get(url, "status").json()["live"]["artifact"] == "flights:two"
    assert post(url, "rollback", {}).json()["artifact"] == "flights:one"
    kinds = [event["kind"] for event in get(url, "history").json()["events"]]
    assert kinds == ["promote", "shadow_start", "shadow_stop", "promote", "rollback"]


def test_the_preprocessing_of_another_is_asked_for_over_http(url: str, standin: StandIn) -> None:
    """It reaches the runtime, which combines the two; the tag must be text."""
    body = {"artifact": "flights:two", "preprocessing": "flights:one"}
    started = post(url, "shadow/start", body).json()
    assert started["combination"]["preprocessing"]["tag"] == "flights:one"
    error = post(url, "shadow/start", {**body, "preprocessing": 1}).json()["error"]
    assert (error["code"], error["where"]) == ("invalid_request", "$.preprocessing")


def test_an_excuse_is_added_and_ended_over_http(url: str, standin: StandIn) -> None:
    """Its end needs an offset from UTC; the history has who answers for it."""
    post(url, "shadow/start", {"artifact": "flights:two"})
    excuse = {"target": "origin=JFK", "artifact": "flights:two", "owner": "ada", "why": "codes"}
    error = post(url, "excuse/add", {**excuse, "until": "2030-01-01T00:00:00"}).json()["error"]
    assert (error["code"], error["where"]) == ("invalid_request", "$.until")
    added = post(url, "excuse/add", {**excuse, "until": "2030-01-01T00:00:00Z"}).json()
    assert (added["kind"], added["excuse"]["owner"]) == ("excuse", "ada")
    assert post(url, "excuse/end", {"number": 3}).json()["ends"] == 3
    assert post(url, "excuse/end", {"number": 3}).status_code == 409


def test_the_live_artifact_can_be_its_own_shadow(url: str, standin: StandIn) -> None:
    """Only with `same`, because it measures the noise floor."""
    assert post(url, "shadow/start", {"artifact": "flights:one"}).status_code == 409
    same = post(url, "shadow/start", {"artifact": "flights:one", "same": True})
    assert same.json()["same"] is True


def test_an_incompatible_shadow_can_be_forced(url: str, standin: StandIn) -> None:
    """Only when asked for; the event says that it was."""
    plain = post(url, "shadow/start", {"artifact": "flights:two"}).json()
    forced = post(url, "shadow/start", {"artifact": "flights:three", "force": True}).json()
    assert (plain["forced"], forced["forced"]) == (False, True)


def test_a_rollback_needs_no_body(url: str, standin: StandIn) -> None:
    """``curl -X POST`` is enough."""
    post(url, "promote", {"artifact": "flights:two"})
    answer = httpx.post(f"{url}/gnomon/rollback", headers=AUTHORIZED)
    assert (answer.status_code, answer.json()["artifact"]) == (200, "flights:one")


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer wrong"}])
def test_every_route_needs_the_token(url: str, path: str, headers: dict[str, str]) -> None:
    """Without it nothing is done and nothing is disclosed."""
    answer = httpx.request(ROUTES[path].method, url + path, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "unauthorized"


@pytest.mark.parametrize("path", ROUTES)
def test_another_method_is_told_the_right_one(url: str, path: str) -> None:
    """405, and ``Allow`` says which it takes."""
    right = {"GET": "GET, HEAD", "POST": "POST"}[ROUTES[path].method]
    answer = httpx.request("PUT", url + path, headers=AUTHORIZED)
    assert (answer.status_code, answer.headers["allow"]) == (
        405,
        {"GET": "GET, HEAD"}.get(right, right),
    )
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_an_unknown_route_is_told_the_known_ones(url: str) -> None:
    """404, and the hint lists every control route."""
    answer = get(url, "promotion")
    assert answer.status_code == 404
    assert all(path in answer.json()["error"]["hint"] for path in ROUTES)


@pytest.mark.parametrize(
    ("body", "status", "where"),
    [
        (b"{", 400, "$"),
        (b"", 400, "$"),
        (b"\xff", 400, "$"),
        (b"[]", 422, "$"),
        (b"{}", 422, "$"),
        (b'{"artifact": 3}', 422, "$.artifact"),
        (b'{"artifact": "flights:two", "fraction": "half"}', 422, "$.fraction"),
        (b'{"artifact": "flights:two", "fraction": 1.5}', 422, "$.fraction"),
        (b'{"artifact": "flights:two", "fraction": 0}', 422, "$.fraction"),
        (b'{"artifact": "flights:two", "portion": 1}', 422, "$"),
        (b'{"artifact": "flights:two", "artifact": "flights:three"}', 422, "$"),
        (b" " * 70_000, 413, None),
    ],
)
def test_a_wrong_body_is_refused_with_its_place(
    url: str, standin: StandIn, body: bytes, status: int, where: str | None
) -> None:
    """Nothing is decided, and the error points at the field."""
    answer = httpx.post(f"{url}/gnomon/shadow/start", content=body, headers=AUTHORIZED)
    assert (answer.status_code, answer.json()["error"]["where"]) == (status, where)
    assert len(standin.events) == 1


@pytest.mark.parametrize(
    ("route", "body", "place"),
    [
        ("promote", {"artifact": "flights:two\0"}, "$.artifact"),
        ("approve", {"artifact": "Flights:two"}, "$.artifact"),
        ("withdraw", {"artifact": "flights:"}, "$.artifact"),
        ("shadow/start", {"artifact": "/etc/passwd"}, "$.artifact"),
        ("shadow/start", {"artifact": "flights:two", "preprocessing": "\0"}, "$.preprocessing"),
        ("shadow/stop", {"artifact": ""}, "$.artifact"),
    ],
)
def test_what_cannot_be_a_tag_is_refused(
    url: str, standin: StandIn, route: str, body: Any, place: str
) -> None:
    """It becomes part of paths: with a zero byte the answer was that the storage is unavailable."""
    answer = post(url, route, body)
    error = answer.json()["error"]
    assert (answer.status_code, error["where"]) == (422, place)
    assert "expected the tag of an artifact, NAME:VERSION or NAME, in lower" in error["message"]
    assert len(standin.events) == 1


def test_a_decision_takes_nothing_in_its_url(url: str, standin: StandIn) -> None:
    """Who writes `force` there would believe it was given."""
    route = f"{url}/gnomon/promote?force=true"
    answer = httpx.post(route, json={"artifact": "flights:two"}, headers=AUTHORIZED)
    assert (answer.status_code, answer.json()["error"]["where"]) == (422, "?force")
    assert len(standin.events) == 1


def test_a_long_body_is_told_what_helps(url: str) -> None:
    """No setting does, and there are no rows."""
    error = post(url, "promote", {"artifact": "flights:two", "why": "x" * 70_000}).json()["error"]
    assert (error["code"], error["hint"]) == ("body_too_large", "shorten the reason")


def test_an_unknown_field_is_told_the_known_ones(url: str) -> None:
    """A misspelt option is not silently left out."""
    error = post(url, "promote", {"artifact": "flights:two", "forced": True}).json()["error"]
    assert "forced" in error["message"]
    assert "artifact, force" in error["hint"].replace("by, why, ", "")


def test_a_decision_that_does_not_follow_is_a_conflict(url: str, standin: StandIn) -> None:
    """The error is the rollout's own."""
    answer = post(url, "promote", {"artifact": "flights:one"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "rollout_refused")
