"""The proposed promotions that a status shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gnomon.rollout.history import RolloutEvent, fold
from gnomon.rollout.proposal import PROPOSAL_HOURS
from gnomon.service.status.proposal_status import proposals_of
from gnomon.service.status.slice_status import Status, public


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
