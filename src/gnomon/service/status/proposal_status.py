"""The proposed promotions that a status shows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from gnomon.rollout.history import RolloutState
from gnomon.rollout.proposal import ProposalFacts, ProposedPromotion

__all__ = ["ProposalStatus", "proposals_of"]


class ProposalStatus(ProposalFacts, frozen=True, kw_only=True):
    """A promotion that was proposed, and not withdrawn or made since.

    Attributes:
        until: until when it may be approved.
        state: ``expired`` once that is over: it has to be proposed again.
    """

    until: datetime
    state: Literal["pending", "expired"]


def proposals_of(state: RolloutState) -> tuple[ProposalStatus, ...]:
    """Return the proposals of a rollout, oldest first."""
    return tuple(map(_status, state.proposals.values()))


def _status(proposal: ProposedPromotion) -> ProposalStatus:
    facts = {name: getattr(proposal, name) for name in ProposalFacts.__struct_fields__}
    state: Literal["pending", "expired"] = "expired" if proposal.is_expired() else "pending"
    return ProposalStatus(**facts, until=proposal.until, state=state)
