"""The log of refused callers is bounded, and their count is not."""

from __future__ import annotations

import pytest

from gnomon.errors import Unauthorized
from gnomon.service.access.refusals import MOST, SECONDS, Refusals

SCOPE = {"method": "POST", "path": "/gnomon/promote", "client": ("10.0.0.9", 4711)}


def test_a_refusal_is_logged_with_who_what_and_from_where(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted by route and code."""
    counted: list[tuple[str, str]] = []
    refusals = Refusals(lambda route, code: counted.append((route, code)))
    refusals.add(SCOPE, Unauthorized("the token `ann` was revoked"), "the role promoter")
    [message] = caplog.messages
    for part in ("POST /gnomon/promote", "10.0.0.9", "the role promoter", "`ann` was revoked"):
        assert part in message
    assert counted == [("/gnomon/promote", "unauthorized")]


def test_a_flood_is_counted_and_summed_up(caplog: pytest.LogCaptureFixture) -> None:
    """A minute has so many lines; then one line says how many more there were."""
    counted: list[str] = []
    now = 0.0
    refusals = Refusals(lambda route, code: counted.append(code), lambda: now)
    for _ in range(MOST + 100):
        refusals.add(SCOPE, Unauthorized("invalid token"), "the role viewer")
    assert (len(caplog.messages), len(counted)) == (MOST, MOST + 100)
    now = SECONDS
    refusals.report()
    assert caplog.messages[MOST:] == ["refused 100 requests more within 60 s"]
    refusals.add(SCOPE, Unauthorized("invalid token"), "the role viewer")
    refusals.report()
    assert len(caplog.messages) == MOST + 2


def test_an_unknown_address_is_said_to_be_one(caplog: pytest.LogCaptureFixture) -> None:
    """As on a Unix socket."""
    refusals = Refusals(lambda route, code: None)
    refusals.add({**SCOPE, "client": None}, Unauthorized("invalid token"), "the role viewer")
    assert "an unknown address" in caplog.text
