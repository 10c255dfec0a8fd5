"""The proposed promotions that a status shows."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from gnomon.artifact import store
from gnomon.artifact.manifest import Manifest
from gnomon.errors import GnomonError
from gnomon.rollout.decisions.approvals import void_reason
from gnomon.rollout.history import RolloutState
from gnomon.rollout.proposal import ProposalFacts, ProposedPromotion
from gnomon.storage import Storage
from gnomon.tokens.token_store import TokenStore

__all__ = ["ProposalStatus", "ProposalView", "proposals_of"]


class ProposalStatus(ProposalFacts, frozen=True, kw_only=True):
    """A promotion that was proposed, and not withdrawn or made since.

    Attributes:
        until: until when it may be approved.
        state: ``expired`` once that is over, ``void`` if nobody can approve it for another reason:
            it has to be proposed again.
        void: that reason; None without one.
    """

    until: datetime
    state: Literal["pending", "expired", "void"]
    void: str | None = None


class ProposalView:
    """The proposals of a rollout, with what voids them as it was at the last refresh.

    Args:
        storage: has the tokens.
    """

    def __init__(self, storage: Storage) -> None:
        self._tokens = TokenStore(storage)
        self._void: Mapping[int, str] = {}

    def refresh(self, state: RolloutState) -> None:
        """Read the tokens and the manifests that proposals rest on; nothing without proposals."""
        proposals = [p for p in state.proposals.values() if not p.is_expired()]
        reasons = ((proposal.number, self._reason(proposal)) for proposal in proposals)
        self._void = {number: reason for number, reason in reasons if reason is not None}

    def of(self, state: RolloutState) -> tuple[ProposalStatus, ...]:
        """Return the proposals, oldest first; this reads nothing."""
        return proposals_of(state, self._void)

    def _reason(self, proposal: ProposedPromotion) -> str | None:
        """Return why nobody can approve it, which is also what cannot be read for it."""
        try:
            _, digest = Manifest.read(store.resolve(proposal.artifact))
            return void_reason(proposal, digest, self._tokens.is_revoked)
        except GnomonError as error:
            return str(error)


def proposals_of(
    state: RolloutState, void: Mapping[int, str] | None = None
) -> tuple[ProposalStatus, ...]:
    """Return the proposals of a rollout, oldest first.

    Args:
        state: the rollout.
        void: by the number of its event, why nobody can approve a proposal.
    """
    void = void or {}
    return tuple(_status(each, void.get(each.number)) for each in state.proposals.values())


def _status(proposal: ProposedPromotion, void: str | None) -> ProposalStatus:
    facts = {name: getattr(proposal, name) for name in ProposalFacts.__struct_fields__}
    state: Literal["pending", "expired", "void"] = "pending" if void is None else "void"
    if proposal.is_expired():
        state, void = "expired", None
    return ProposalStatus(**facts, until=proposal.until, state=state, void=void)
