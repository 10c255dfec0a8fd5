"""The decisions on what is live: to promote an artifact, to approve that, and to roll back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from gnomon.artifact import Artifact, inspect
from gnomon.errors import (
    Forbidden,
    GateRefused,
    GateUndecided,
    GnomonError,
    RolloutError,
    Unauthorized,
)
from gnomon.policy import Policy
from gnomon.rollout.actor import Actor, signed
from gnomon.rollout.decisions.admission import admitted, is_other_content
from gnomon.rollout.decisions.approvals import (
    approved_or_proposed,
    nothing_to_approve,
    pending_proposal,
)
from gnomon.rollout.decisions.automatic import Automatic
from gnomon.rollout.decisions.frozen_gates import frozen, taken_automatically
from gnomon.rollout.decisions.gate_checks import gates_of
from gnomon.rollout.decisions.watch import window_of
from gnomon.rollout.gate import Gates
from gnomon.rollout.history import History, RolloutEvent, RolloutState, up_to_date
from gnomon.rollout.named_artifacts import full_tag
from gnomon.rollout.proposal import ProposedPromotion
from gnomon.rollout.provenance import artifact_digests, keep_manifest
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.tokens.token_store import TokenStore

__all__ = ["approve", "precheck_approval", "precheck_promotion", "promote", "rollback"]

Ask: TypeAlias = Callable[[str, bool], Gates]
"""Evaluates the gates of a tag; told whether the promotion is forced, and so does not need them."""


def promote(
    settings: Settings,
    model: str,
    artifact: str,
    *,
    policy: Policy | None = None,
    force: bool = False,
    by: str | Actor | None = None,
    why: str | None = None,
    history: History | None = None,
    ask: Ask | None = None,
    automatic: Automatic | None = None,
    only_approve: bool = False,
) -> RolloutEvent:
    """Make an artifact live, if its gates pass. A model's first artifact has no gates to pass.

    If the policy asks for two people, the first one's promotion is recorded as a proposal.

    Args:
        settings: settings with the storage root of the rollout and the log.
        model: the deployment's model name.
        artifact: a tag, such as ``flights:latest``.
        policy: the limits, and how the promotion is watched; the defaults without one.
        force: promote even if gates do not pass; the history records that.
        by: who decides; a name alone is a claim.
        why: the reason, for the history.
        history: the history as read so far; it is updated. Without it, it is read again.
        ask: evaluates the gates of a tag, as :func:`check` does; it is told whether the promotion
            is forced. A server does it in another process.
        automatic: what it rests on, if no person decides it.
        only_approve: refuse it if it would be a proposal.

    Raises:
        ApprovalNeeded: the policy asks for two people, and the actor is not the second one.
        ArtifactError, UnknownArtifact: the artifact does not pass inspection.
        GateRefused: a gate fails, or the artifact is not a running shadow.
        GateUndecided: no gate fails, but one does not have enough evidence.
        RolloutError: it is live already, or a combined artifact, which is for debugging.
        RolloutConflict: another decision was recorded meanwhile.
    """
    history = up_to_date(history, settings, model)
    rules, state = policy or Policy(), history.state
    candidate, event = _checked(
        settings, history, artifact, rules, force=force, by=by, only_approve=only_approve
    )
    event = msgspec.structs.replace(event, why=why)
    if state.live is not None:
        ask = ask or (lambda tag, _: gates_of(settings, model, state, tag, rules))
        gates = _gates_unless_forced(ask, candidate.tag, force)
        passed = gates is not None and gates.verdict == "pass"
        if gates is not None and not passed and not force:
            raise _gates_refused(gates, candidate.tag in state.shadows)
        forced = is_other_content(candidate, state) or not passed
        event = msgspec.structs.replace(
            event, at=datetime.now(UTC), forced=forced, **frozen(gates, settings)
        )  # Evaluating the gates takes a while, and the decision is after what it rests on.
    event = approved_or_proposed(
        state,
        event,
        rules.rollout.approvals,
        only_approve=only_approve,
        is_revoked=TokenStore(Storage(settings)).is_revoked,
    )
    if event.kind == "promote":
        watch = window_of(state, event, rules.rollout)
        event = msgspec.structs.replace(event, watch=watch)
    keep_manifest(Storage(settings), candidate)
    return history.append(taken_automatically(event, history, automatic, settings))


def precheck_promotion(
    settings: Settings,
    model: str,
    artifact: str,
    *,
    policy: Policy,
    force: bool = False,
    by: str | Actor | None = None,
    history: History | None = None,
) -> None:
    """Refuse what :func:`promote` would refuse whatever the gates say; nothing is recorded.

    A server asks before it loads the artifact. The arguments are those of :func:`promote`.

    Raises:
        GnomonError: as :func:`promote`.
    """
    history = up_to_date(history, settings, model)
    _checked(settings, history, artifact, policy, force=force, by=by)


def precheck_approval(
    settings: Settings,
    model: str,
    artifact: str,
    *,
    policy: Policy,
    may_force: bool = False,
    by: str | Actor | None = None,
    history: History | None = None,
) -> None:
    """Refuse what :func:`approve` would refuse whatever the gates say, as
    :func:`precheck_promotion` does for :func:`promote`.

    Raises:
        GnomonError: as :func:`approve`.
    """
    history = up_to_date(history, settings, model)
    proposal = _approvable(history.state, artifact, may_force=may_force)
    _checked(
        settings,
        history,
        proposal.artifact,
        policy,
        force=proposal.forced,
        by=by,
        only_approve=True,
    )


def approve(
    settings: Settings,
    model: str,
    artifact: str,
    *,
    may_force: bool = False,
    policy: Policy | None = None,
    by: str | Actor | None = None,
    why: str | None = None,
    history: History | None = None,
    ask: Ask | None = None,
) -> RolloutEvent:
    """Promote an artifact that another person has proposed; its gates are evaluated again.

    Args:
        settings: settings with the storage root of the rollout and the log.
        model: the deployment's model name.
        artifact: a tag, such as ``flights:latest``.
        may_force: whether the approver may force; a proposal that does needs that.
        policy: as for :func:`promote`.
        by: who approves; a name alone is a claim, which is not enough.
        why: the reason, for the history.
        history: as for :func:`promote`.
        ask: as for :func:`promote`.

    Raises:
        ApprovalNeeded: nobody has proposed it, the proposal has expired, or the approver is not
            another person.
        Forbidden: the proposal forces, and the approver may not.
        GnomonError: as :func:`promote`.
    """
    history = up_to_date(history, settings, model)
    proposal = _approvable(history.state, artifact, may_force=may_force)
    return promote(
        settings,
        model,
        proposal.artifact,
        policy=policy,
        force=proposal.forced,
        by=by,
        why=why,
        history=history,
        ask=ask,
        only_approve=True,
    )


def rollback(
    settings: Settings,
    model: str,
    *,
    by: str | Actor | None = None,
    why: str | None = None,
    history: History | None = None,
    verified: Mapping[str, str] | None = None,
    automatic: Automatic | None = None,
) -> RolloutEvent:
    """Make the previous artifact live again; no gates are evaluated.

    Args:
        settings: settings with the storage root of the rollout.
        model: the deployment's model name.
        by: who decides; a name alone is a claim.
        why: the reason, for the history.
        history: the history as read so far; it is updated. Without it, it is read again.
        verified: artifacts that a server has loaded, digest by tag; they are not inspected again.
        automatic: what it rests on, if no person decides it.

    Raises:
        ArtifactError, UnknownArtifact: that artifact does not pass inspection any more.
        RolloutError: there is no previous artifact.
        RolloutConflict: another decision was recorded meanwhile.
    """
    history = up_to_date(history, settings, model)
    previous = history.state.previous
    if previous is None:
        raise RolloutError("there is no previous artifact to roll back to")
    digest = (verified or {}).get(previous) or inspect(previous).digest
    event = RolloutEvent(kind="rollback", artifact=previous, digest=digest, why=why, **signed(by))
    event = _with_earlier_digests(event, history)
    return history.append(taken_automatically(event, history, automatic, settings))


def _checked(
    settings: Settings,
    history: History,
    artifact: str,
    policy: Policy,
    *,
    force: bool,
    by: str | Actor | None,
    only_approve: bool = False,
) -> tuple[Artifact, RolloutEvent]:
    """Return the artifact and its promotion, after all checks that need no gates.

    The rule of two people is applied again to what is recorded.
    """
    candidate = admitted(history.model, history.state, artifact, force=force)
    event = RolloutEvent(
        kind="promote",
        artifact=candidate.tag,
        digest=candidate.digest,
        **signed(by),
        **artifact_digests(candidate.manifest.files),
    )
    history.state.after(event)
    approved_or_proposed(
        history.state,
        msgspec.structs.replace(event, forced=force),
        policy.rollout.approvals,
        only_approve=only_approve,
        is_revoked=TokenStore(Storage(settings)).is_revoked,
    )
    return candidate, event


def _approvable(state: RolloutState, artifact: str, *, may_force: bool) -> ProposedPromotion:
    """Return the proposal that is to be approved.

    Raises:
        ApprovalNeeded: there is none, or it has expired.
        Forbidden: it forces, and the approver may not.
    """
    tag = artifact if artifact in state.proposals else full_tag(artifact)
    proposal = pending_proposal(state, tag)
    if proposal is None:
        raise nothing_to_approve(state, tag)
    if proposal.forced and not may_force:
        raise Forbidden(
            f"the proposal to promote {tag} forces it, and its approval needs the role forcer",
            where=f"event {proposal.number}",
            hint="ask someone with the role forcer",
        )
    return proposal


def _gates_unless_forced(ask: Ask, tag: str, force: bool) -> Gates | None:
    """Evaluate the gates; None if that fails and the promotion is forced."""
    try:
        return ask(tag, force)
    except Unauthorized:  # Who forces it may no longer do so.
        raise
    except GnomonError:
        if force:
            return None
        raise


def _gates_refused(gates: Gates, in_shadow: bool) -> GateRefused:
    unmet = (f"{g.name} {g.verdict.replace('_', ' ')}: {g.because}" for g in gates.unmet)
    reasons = "; ".join([*filter(None, [gates.refused]), *unmet])
    if gates.verdict != "fail" and in_shadow:
        return GateUndecided(
            f"{gates.artifact} may not replace {gates.live} yet: {reasons}",
            hint="wait for more evidence, as `gnomon promote --wait SECONDS` does, or force it, "
            "which is recorded",
        )
    advice = (
        "fix the artifact" if in_shadow else f"run `gnomon shadow start {gates.artifact}` first"
    )
    return GateRefused(
        f"{gates.artifact} may not replace {gates.live}: {reasons}",
        hint=f"{advice}, or force it, which is recorded",
    )


def _with_earlier_digests(event: RolloutEvent, history: History) -> RolloutEvent:
    """Add the digests that an earlier event recorded: a rollback does not read the artifact."""
    for earlier in reversed(history.events):
        if (earlier.artifact, earlier.digest) == (event.artifact, event.digest):
            return msgspec.structs.replace(
                event, contract_sha256=earlier.contract_sha256, code_sha256=earlier.code_sha256
            )
    return event
