"""The rule that a promotion needs two people, if the policy says so.

The first one's promotion is recorded as a proposal. Another one promotes the same artifact, or
approves the proposal, and the gates are evaluated again. The rule is applied to the state that the
event is recorded on: if anything is decided meanwhile, the event is not recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from gnomon.errors import ApprovalNeeded
from gnomon.rollout.actor import name_key, proves_person, signature, token_name
from gnomon.rollout.history import RolloutEvent, RolloutState
from gnomon.rollout.proposal import PROPOSAL_HOURS, ProposedPromotion

__all__ = [
    "approved_or_proposed",
    "nothing_to_approve",
    "pending_proposal",
    "void_reason",
]


_OF_OTHER_CONTENT = "was of other content: another artifact was packed under this tag"


def pending_proposal(
    state: RolloutState, tag: str, now: datetime | None = None
) -> ProposedPromotion | None:
    """Return the proposal to promote an artifact that may still be approved; None without one."""
    proposal = state.proposals.get(tag)
    return None if proposal is None or proposal.is_expired(now) else proposal


def approved_or_proposed(
    state: RolloutState,
    event: RolloutEvent,
    approvals: int,
    *,
    only_approve: bool = False,
    is_revoked: Callable[[str], bool] = lambda token: False,
) -> RolloutEvent:
    """Return what to record of a promotion: itself, if nothing else is needed, or a proposal.

    Args:
        state: the state that it is recorded on.
        event: the promotion, with its gates.
        approvals: how many people it needs, by the policy. A model's first artifact needs one.
        only_approve: whether to refuse it instead of proposing it.
        is_revoked: tells whether a named token was revoked. Who proposed with it is not one of two.

    Raises:
        ApprovalNeeded: who promotes it is not a person that a credential proves, or has proposed it
            already; or there is nothing to approve.
    """
    if approvals < 2 or state.live is None:
        return event
    _check_person(event)
    proposal = pending_proposal(state, event.artifact, event.at)
    if proposal is None or proposal.digest != event.digest or (event.forced > proposal.forced):
        if only_approve:
            raise nothing_to_approve(state, event.artifact, event)
        return msgspec.structs.replace(event, kind="propose")
    void = void_reason(proposal, event.digest, is_revoked)
    if void is not None:
        if only_approve:
            raise _void(proposal, void)
        return msgspec.structs.replace(event, kind="propose")
    if _people(proposal) & _people(event):
        raise ApprovalNeeded(
            f"{signature_of(proposal)} proposed "
            f"{event.artifact} at {proposal.at:%Y-%m-%d %H:%M:%S} UTC, and somebody else has to "
            "approve it",
            hint=f"until {proposal.until:%Y-%m-%d %H:%M} UTC: gnomon approve {event.artifact}",
        )
    return msgspec.structs.replace(event, approves=proposal.number)


def nothing_to_approve(
    state: RolloutState, tag: str, promotion: RolloutEvent | None = None
) -> ApprovalNeeded:
    """Return the error for an approval of what nobody has proposed, with the reason.

    Args:
        state: the state that it would be recorded on.
        tag: the artifact.
        promotion: what it would be, if there is a proposal that does not cover it.
    """
    proposal = state.proposals.get(tag)
    if proposal is None:
        reason = f"there is no proposal to promote {tag}: nobody made one since the last promotion "
        reason += "or rollback, or it was withdrawn"
    else:
        whose = f"the proposal of {signature_of(proposal)} to promote {tag}"
        if promotion is None or proposal.is_expired(promotion.at):
            reason = f"{whose} expired at {proposal.until:%Y-%m-%d %H:%M:%S} UTC"
        elif proposal.digest != promotion.digest:
            reason = f"{whose} {_OF_OTHER_CONTENT}"
        else:
            reason = f"{whose} does not include `force`"
    return ApprovalNeeded(
        reason,
        hint=f"propose it: gnomon promote {tag}. A proposal is valid for {PROPOSAL_HOURS:g} hours, "
        "until another promotion or a rollback",
    )


def signature_of(proposal: ProposedPromotion) -> str:
    """Write who proposed a promotion."""
    return signature(proposal.by, proposal.authenticated, proposal.on_behalf_of)


def void_reason(
    proposal: ProposedPromotion, digest: str | None, is_revoked: Callable[[str], bool]
) -> str | None:
    """Return why nobody can approve a proposal although it has not expired; None if one can.

    Args:
        proposal: the proposal.
        digest: of the artifact that is now under its tag.
        is_revoked: as for :func:`approved_or_proposed`.
    """
    if proposal.digest != digest:
        return f"it {_OF_OTHER_CONTENT}"
    token = token_name(proposal.authenticated)
    if token is not None and is_revoked(token):
        return "the proposer's token has been revoked since: they are not one of two"
    return None


def _void(proposal: ProposedPromotion, reason: str) -> ApprovalNeeded:
    return ApprovalNeeded(
        f"{signature_of(proposal)} proposed {proposal.artifact}, but {reason}",
        hint=f"propose it yourself, for somebody else to approve: gnomon promote "
        f"{proposal.artifact}",
    )


def _check_person(event: RolloutEvent) -> None:
    """Check that a credential of one person or program proves who decides."""
    if not proves_person(event.authenticated):
        how = event.authenticated or "not at all"
        raise ApprovalNeeded(
            "a promotion needs two people by this policy, and each must be proven by a token of "
            f"their own or by a trusted proxy; {event.by or 'the actor'} is authenticated: {how}",
            where="rollout.approvals",
            hint="set GNOMON_TOKEN to a token of `gnomon token create`, and call a running server",
        )


def _people(decision: RolloutEvent | ProposedPromotion) -> set[str]:
    """Return the names of who decides and on whose behalf: a program may act for the same person,
    and a person may have a token and an account of the proxy.
    """
    return {name_key(name) for name in (decision.by, decision.on_behalf_of) if name}
