"""A proposed promotion that is withdrawn."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

import gnomon
from gnomon.cli.app import app
from gnomon.errors import ApprovalNeeded, RolloutConflict, RolloutError
from gnomon.rollout.actor import Actor
from gnomon.rollout.decisions.approvals import approved_or_proposed
from gnomon.rollout.decisions.withdrawal import withdraw
from gnomon.rollout.history import RolloutEvent, open_history
from gnomon.rollout.proposal import PROPOSAL_HOURS
from gnomon.settings import Settings

BOB = {"by": "bob", "authenticated": "token bob"}


def proposed(settings: Settings, *tags: str, at: datetime | None = None) -> None:
    """Record a live artifact, if there is none, and proposals by ann."""
    history = open_history(settings, "toy")
    history.refresh()
    if history.state.live is None:
        history.append(RolloutEvent(kind="promote", artifact="toy:1"))
    for tag in tags:
        by = {"by": "ann", "authenticated": "token ann"}
        history.append(
            RolloutEvent(
                kind="propose", artifact=tag, digest="d2", at=at or datetime.now(UTC), **by
            )
        )


def test_it_can_no_longer_be_approved_and_live_stays(settings: Settings) -> None:
    """The event names the proposal; whoever promotes it now proposes it anew."""
    proposed(settings, "toy:2", "toy:3")
    event = withdraw(settings, "toy", "toy:2", by=Actor(**BOB), why="found a bug")
    assert (event.kind, event.artifact, event.ends, event.by) == ("withdraw", "toy:2", 2, "bob")
    history = open_history(settings, "toy")
    history.refresh()
    state = history.state
    assert (state.live, [*state.proposals]) == ("toy:1", ["toy:3"])
    again = RolloutEvent(kind="promote", artifact="toy:2", digest="d2", **BOB)
    assert approved_or_proposed(state, again, 2).kind == "propose"
    with pytest.raises(ApprovalNeeded):
        approved_or_proposed(state, again, 2, only_approve=True)


def test_what_is_not_proposed_cannot_be_withdrawn(settings: Settings) -> None:
    """Nor what has expired; of several, one is named."""
    long_ago = datetime.now(UTC) - timedelta(hours=PROPOSAL_HOURS)
    proposed(settings, "toy:2", at=long_ago)
    with pytest.raises(RolloutError, match="`toy:2` is not proposed"):
        withdraw(settings, "toy", "toy:2")
    proposed(settings, "toy:3", "toy:4")
    with pytest.raises(RolloutError, match="no artifact is given") as raised:
        withdraw(settings, "toy")
    assert raised.value.hint == "proposed now: toy:3, toy:4"


def test_an_approval_that_came_first_wins(settings: Settings) -> None:
    """Who withdraws is told; nothing is withdrawn that was made live meanwhile."""
    proposed(settings, "toy:2")
    history = open_history(settings, "toy")
    history.refresh()
    other = open_history(settings, "toy")
    other.refresh()
    other.append(RolloutEvent(kind="promote", artifact="toy:2", approves=2, **BOB))
    event = RolloutEvent(kind="withdraw", artifact="toy:2", ends=2)
    with pytest.raises(RolloutConflict):
        history.append(event)
    with pytest.raises(RolloutError, match="no proposal number 2"):
        other.append(event)


def test_in_python_and_from_the_shell(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The only proposal need not be named; the history and the status say what happened."""
    monkeypatch.setenv("GNOMON_ROOT", settings.root)
    proposed(settings, "toy:2")
    status = CliRunner().invoke(app, ["status"])
    assert "proposed  toy:2, by ann (token)" in status.stdout
    assert gnomon.withdraw("toy", why="not yet", settings=settings).artifact == "toy:2"
    proposed(settings, "toy:3")
    shown = CliRunner().invoke(app, ["withdraw", "--why", "not yet"])
    assert "toy:3 is no longer proposed" in shown.stdout
    history = CliRunner().invoke(app, ["history", "--json"])
    assert [event["kind"] for event in json.loads(history.stdout)][-1] == "withdraw"
