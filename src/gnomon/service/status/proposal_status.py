"""The proposed promotions that a status shows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gnomon.rollout.history import RolloutState

__all__ = ["ProposalStatus", "proposals_of"]


class ProposalStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion that was proposed, and not withdrawn or made since.

    Attributes:
        number: the number of its event in the history.
        artifact: the artifact to make live.
        forced: whether it is to be promoted although gates do not pass.
        by: who proposed it.
        authenticated: how that is known.
        on_behalf_of: for whom, as they say.
        at: when.
        until: until when it may be approved.
        state: ``expired`` once that is over: it has to be proposed again.
    """

    number: int
    artifact: str
    forced: bool
    by: str | None
    authenticated: str | None
    on_behalf_of: str | None
    at: datetime
    until: datetime
    state: Literal["pending", "expired"]


def proposals_of(state: RolloutState) -> tuple[ProposalStatus, ...]:
    """Return the proposals of a rollout, oldest first."""
    return tuple(
        ProposalStatus(
            number=proposal.number,
            artifact=proposal.artifact,
            forced=proposal.forced,
            by=proposal.by,
            authenticated=proposal.authenticated,
            on_behalf_of=proposal.on_behalf_of,
            at=proposal.at,
            until=proposal.until,
            state="expired" if proposal.is_expired() else "pending",
        )
        for proposal in state.proposals.values()
    )
