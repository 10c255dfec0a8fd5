"""The proposed promotions that a status shows."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.rollout.history import RolloutEvent, fold
from gnomon.rollout.proposal import PROPOSAL_HOURS
from gnomon.service.status.proposal_status import ProposalStatus, ProposalView, proposals_of
from gnomon.service.status.slice_status import Status, public
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.tokens.issued_tokens import create_token, revoke_token
from tests.packing import Pack, times


def test_a_proposal_says_whether_it_is_out_of_date() -> None:
    """One that has expired is shown, so that its proposer learns why nothing happened."""
    now = datetime.now(UTC)
    old = now - timedelta(hours=PROPOSAL_HOURS)
    state = fold(
        [
            RolloutEvent(kind="promote", artifact="toy:1"),
            RolloutEvent(kind="propose", artifact="toy:2", at=old, by="ann"),
            RolloutEvent(kind="propose", artifact="toy:3", at=now, by="ann"),
        ]
    )
    first, second = proposals_of(state)
    assert (first.artifact, first.state, first.until) == ("toy:2", "expired", now)
    assert (second.number, second.state) == (3, "pending")


@pytest.fixture
def shadow(pack: Pack) -> Artifact:
    return inspect(pack(times(1.0)))


def viewed(settings: Settings, shadow: Artifact, **more: Any) -> ProposalStatus:
    """The status of the proposal to promote a shadow, by ann with her token."""
    how = {"by": "ann", "authenticated": "token ann", "digest": shadow.digest, **more}
    state = fold(
        [
            RolloutEvent(kind="promote", artifact="toy:1"),
            RolloutEvent(kind="propose", artifact=shadow.tag, **how),
        ]
    )
    view = ProposalView(Storage(settings))
    assert [each.state for each in view.of(state)] == ["pending"]
    view.refresh(state)
    (found,) = view.of(state)
    return found


def test_a_proposal_is_void_once_its_token_is_revoked(settings: Settings, shadow: Artifact) -> None:
    """It says so from the next refresh on, as the refusal of an approval does."""
    create_token("ann", "promoter", settings=settings)
    found = viewed(settings, shadow)
    assert (found.state, found.void) == ("pending", None)
    revoke_token("ann", settings=settings)
    found = viewed(settings, shadow)
    assert found.state == "void"
    assert "the proposer's token has been revoked" in (found.void or "")


def test_a_proposal_of_other_content_is_void(settings: Settings, shadow: Artifact) -> None:
    """Also where the artifact is gone or damaged, which says why."""
    create_token("ann", "promoter", settings=settings)
    other = viewed(settings, shadow, digest="0" * 64)
    assert "another artifact was packed under this tag" in (other.void or "")
    shutil.rmtree(shadow.path)
    gone = viewed(settings, shadow)
    assert gone.state == "void"
    assert shadow.tag in (gone.void or "")


def test_what_has_expired_says_only_that(settings: Settings, shadow: Artifact) -> None:
    """Its token and its artifact do not matter any more."""
    at = datetime.now(UTC) - timedelta(hours=PROPOSAL_HOURS)
    state = fold(
        [
            RolloutEvent(kind="promote", artifact="toy:1"),
            RolloutEvent(kind="propose", artifact=shadow.tag, at=at, by="ann", digest="0" * 64),
        ]
    )
    view = ProposalView(Storage(settings))
    view.refresh(state)
    (found,) = view.of(state)
    assert (found.state, found.void) == ("expired", None)


def test_the_public_status_names_nobody() -> None:
    """It needs no token."""
    state = fold(
        [
            RolloutEvent(kind="promote", artifact="toy:1"),
            RolloutEvent(kind="propose", artifact="toy:2", by="ann"),
        ]
    )
    status = Status(model="toy", ready=True, proposals=proposals_of(state))
    assert public(status).proposals == ()
