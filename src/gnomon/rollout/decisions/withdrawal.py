"""The decision to withdraw a proposed promotion."""

from __future__ import annotations

from gnomon.errors import RolloutError
from gnomon.rollout.actor import Actor, signed
from gnomon.rollout.history import History, RolloutEvent, RolloutState, up_to_date
from gnomon.rollout.proposal import ProposedPromotion
from gnomon.settings import Settings

__all__ = ["withdraw"]


def withdraw(
    settings: Settings,
    model: str,
    artifact: str | None = None,
    *,
    by: str | Actor | None = None,
    why: str | None = None,
    history: History | None = None,
) -> RolloutEvent:
    """Withdraw a proposal: nobody can approve it any more. What is live stays so.

    Args:
        settings: settings with the storage root of the rollout.
        model: the deployment's model name.
        artifact: the proposed tag; the only proposal, if it is not given.
        by: who decides: who proposed it, or anybody who may promote.
        why: the reason, for the history.
        history: the history as read so far; it is updated. Without it, it is read again.

    Raises:
        RolloutError: there is no such proposal, or it has expired, or it is not clear which.
        RolloutConflict: another decision was recorded meanwhile.
    """
    history = up_to_date(history, settings, model)
    proposal = _proposal(history.state, artifact)
    event = RolloutEvent(
        kind="withdraw",
        artifact=proposal.artifact,
        digest=proposal.digest,
        ends=proposal.number,
        why=why,
        **signed(by),
    )
    return history.append(event)


def _proposal(state: RolloutState, artifact: str | None) -> ProposedPromotion:
    pending = {tag: each for tag, each in state.proposals.items() if not each.is_expired()}
    if artifact is None and len(pending) == 1:
        return next(iter(pending.values()))
    if artifact is None or artifact not in pending:
        given = "no artifact is given" if artifact is None else f"`{artifact}` is not proposed"
        raise RolloutError(
            f"expected the tag of a proposed promotion: {given}",
            hint=f"proposed now: {', '.join(pending) or 'nothing'}",
        )
    return pending[artifact]
