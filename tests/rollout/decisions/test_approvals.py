"""A promotion that needs two people: who proposes it, who approves it, and who races whom."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from gnomon.errors import ApprovalNeeded, RolloutConflict, RolloutError
from gnomon.policy import RolloutRules
from gnomon.rollout.actor import Actor, signed
from gnomon.rollout.decisions.approvals import approved_or_proposed, pending_proposal
from gnomon.rollout.history import RolloutEvent, RolloutState, fold, open_history
from gnomon.rollout.proposal import PROPOSAL_HOURS
from gnomon.settings import Settings

LIVE = RolloutEvent(kind="promote", artifact="toy:1")
STATE = fold([LIVE, RolloutEvent(kind="shadow_start", artifact="toy:2")])


def person(name: str, how: str | None = None, behalf: str | None = None) -> Actor:
    """Someone with a token of their own, unless it is said how else they are known."""
    return Actor(by=name, authenticated=how or f"token {name}", on_behalf_of=behalf)


def promotion(actor: Actor | str | None, **more: Any) -> RolloutEvent:
    """A promotion of the shadow."""
    fields = {"kind": "promote", "artifact": "toy:2", "digest": "d2", **signed(actor), **more}
    return RolloutEvent(**fields)


def proposed(actor: Actor, state: RolloutState = STATE, **more: Any) -> tuple[Any, RolloutState]:
    """What is recorded of a first promotion, and the state after it."""
    event = approved_or_proposed(state, promotion(actor, **more), 2)
    return event, state.after(event)


def test_one_person_suffices_unless_the_policy_asks_for_two() -> None:
    """And for a model's first artifact."""
    event = promotion("ann")
    assert approved_or_proposed(STATE, event, 1) is event
    assert approved_or_proposed(RolloutState(), LIVE, 2) is LIVE


def test_the_first_proposes_and_another_one_approves() -> None:
    """The proposal changes neither live nor shadows; the promotion names it and ends it."""
    event, state = proposed(person("ann"))
    assert (event.kind, event.by) == ("propose", "ann")
    assert (state.live, state.shadows, state.epoch) == ("toy:1", STATE.shadows, 3)
    approved = approved_or_proposed(state, promotion(person("bob")), 2)
    assert (approved.kind, approved.by, approved.approves) == ("promote", "bob", 3)
    after = state.after(approved)
    assert (after.live, after.proposals) == ("toy:2", {})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (person("ann"), person("ann")),
        (person("ann"), person("Ann", "proxy")),
        (person("ann"), person("ann ", "proxy")),
        (person("ann"), person("\uff41nn", "proxy")),
        (person("ci", behalf="ann"), person("ann")),
        (person("ann"), person("ci", behalf="ann")),
        (person("ann"), person("ci", behalf=" Ann ")),
        (person("ann"), person("ci", behalf="a\u200bnn")),
        (person("ci", behalf="ann"), person("bot", behalf="ann")),
    ],
)
def test_the_same_person_does_not_approve(first: Actor, second: Actor) -> None:
    """Neither by another credential, nor through a program that acts for them."""
    _, state = proposed(first)
    with pytest.raises(ApprovalNeeded, match=r"somebody else has to approve it.*gnomon approve"):
        approved_or_proposed(state, promotion(second), 2)


@pytest.mark.parametrize(
    "actor", ["ann", None, person("ann", "control token"), person("gnomon", "automatic")]
)
def test_who_is_not_proven_is_no_person(actor: Actor | str | None) -> None:
    """Neither as the first nor as the second."""
    with pytest.raises(ApprovalNeeded, match="must be proven"):
        approved_or_proposed(STATE, promotion(actor), 2)
    _, state = proposed(person("bob"))
    with pytest.raises(ApprovalNeeded, match="must be proven"):
        approved_or_proposed(state, promotion(actor), 2)


def test_a_proposal_expires() -> None:
    """Then the second person's promotion is a new one."""
    event, state = proposed(person("ann"))
    late = event.at + timedelta(hours=PROPOSAL_HOURS)
    assert pending_proposal(state, "toy:2", late - timedelta(seconds=1)) is not None
    assert pending_proposal(state, "toy:2", late) is None
    again = approved_or_proposed(state, promotion(person("bob"), at=late), 2)
    assert again.kind == "propose"


def test_who_proposed_with_a_token_that_was_revoked_since_is_not_one_of_two() -> None:
    """The next one proposes it again; a user of a proxy has no token to revoke."""
    _, state = proposed(person("ann"))
    asked = {"is_revoked": ["ann"].__contains__}
    with pytest.raises(ApprovalNeeded, match=r"token has been revoked since.*gnomon promote"):
        approved_or_proposed(state, promotion(person("bob")), 2, only_approve=True, **asked)
    event = approved_or_proposed(state, promotion(person("bob")), 2, **asked)
    assert (event.kind, event.by) == ("propose", "bob")
    state = state.after(event)
    approved = approved_or_proposed(state, promotion(person("eve")), 2, **asked)
    assert (approved.kind, approved.approves) == ("promote", 4)
    _, state = proposed(person("ann", "proxy"))
    assert approved_or_proposed(state, promotion(person("bob")), 2, **asked).kind == "promote"


def test_force_needs_two_as_well() -> None:
    """A proposal without it does not cover it; one with it covers a promotion without."""
    _, state = proposed(person("ann"))
    forced = approved_or_proposed(state, promotion(person("bob"), forced=True), 2)
    assert (forced.kind, forced.forced) == ("propose", True)
    state = state.after(forced)
    for force in (True, False):
        event = approved_or_proposed(state, promotion(person("ann"), forced=force), 2)
        assert (event.kind, event.approves) == ("promote", 4)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"digest": "other"}, r"of ann \(token\) .* was of other content"),
        ({"artifact": "toy:3"}, "there is no proposal to promote toy:3"),
        ({"forced": True}, "does not include `force`"),
        ({"at": datetime(2999, 1, 1, tzinfo=UTC)}, "expired at 2"),
    ],
)
def test_an_approval_is_for_what_was_proposed(change: dict[str, Any], says: str) -> None:
    """Another artifact, or another content of this one, is another proposal; the error says why."""
    _, state = proposed(person("ann"))
    other = msgspec.structs.replace(promotion(person("bob")), **change)
    assert approved_or_proposed(state, other, 2).kind == "propose"
    with pytest.raises(ApprovalNeeded, match=says):
        approved_or_proposed(state, other, 2, only_approve=True)


def test_another_promotion_and_a_rollback_end_proposals() -> None:
    """They were judged against another live artifact."""
    _, state = proposed(person("ann"))
    promoted = state.after(RolloutEvent(kind="promote", artifact="toy:3"))
    assert promoted.proposals == {}
    _, state = proposed(person("ann"), promoted)
    assert state.proposals
    assert state.after(RolloutEvent(kind="rollback", artifact="toy:1")).proposals == {}


def test_what_is_live_is_not_proposed() -> None:
    """As it is not promoted."""
    with pytest.raises(RolloutError, match="live already"):
        STATE.after(RolloutEvent(kind="propose", artifact="toy:1"))


def test_of_two_that_approve_at_once_one_promotes(settings: Settings) -> None:
    """The other is told, and finds nothing to approve any more."""
    history = open_history(settings, "toy")
    for event in (LIVE, RolloutEvent(kind="shadow_start", artifact="toy:2")):
        history.append(event)
    history.append(approved_or_proposed(history.state, promotion(person("ann")), 2))
    histories = []
    for _ in range(8):
        histories.append(open_history(settings, "toy"))
        histories[-1].check()

    def approve(number: int) -> bool:
        own = histories[number]
        try:
            own.append(approved_or_proposed(own.state, promotion(person(f"p{number}")), 2))
        except RolloutConflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(approve, range(8))) == 1
    history.refresh()
    assert [event.kind for event in history.events] == [
        "promote", "shadow_start", "propose", "promote",
    ]  # fmt: skip
    assert history.events[-1].approves == 3


def test_of_two_that_propose_at_once_one_is_told(settings: Settings) -> None:
    """It can approve then."""
    history = open_history(settings, "toy")
    history.append(LIVE)
    other = history.copy()
    history.append(approved_or_proposed(history.state, promotion(person("ann")), 2))
    with pytest.raises(RolloutConflict):
        other.append(approved_or_proposed(other.state, promotion(person("bob")), 2))
    other = open_history(settings, "toy")
    other.check()
    assert approved_or_proposed(other.state, promotion(person("bob")), 2).kind == "promote"


def test_the_policy_asks_for_one_or_two() -> None:
    """A server that promotes by itself is not one of two people."""
    assert RolloutRules().approvals == 1
    with pytest.raises(ValueError, match="auto-promote"):
        RolloutRules(approvals=2, mode="auto-promote")
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"approvals": 3}, RolloutRules)
