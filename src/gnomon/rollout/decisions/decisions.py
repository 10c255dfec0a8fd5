"""The decisions of a rollout. Each is checked, then recorded as one event of the history."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeAlias

import msgspec

from gnomon.artifact import Artifact, inspect
from gnomon.contract.difference import Change, difference
from gnomon.errors import (
    ArtifactError,
    Forbidden,
    GateRefused,
    GateUndecided,
    GnomonError,
    IncompatibleContract,
    RolloutConflict,
    RolloutError,
    Unauthorized,
    UnknownArtifact,
    UnreadableFile,
)
from gnomon.log import InferenceLog
from gnomon.policy import Policy
from gnomon.rollout.actor import Actor, signed
from gnomon.rollout.decisions.approvals import (
    approved_or_proposed,
    nothing_to_approve,
    pending_proposal,
)
from gnomon.rollout.decisions.automatic import Automatic
from gnomon.rollout.decisions.combined_shadow import (
    combination_of,
    combined_shadow,
    refuse_combined,
)
from gnomon.rollout.decisions.watch import evaluate_watch, window_of
from gnomon.rollout.gate import Gates
from gnomon.rollout.gates.gates import evaluate
from gnomon.rollout.history import History, RolloutEvent, RolloutState, up_to_date
from gnomon.rollout.provenance import artifact_digests, keep_manifest, keep_policy
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.skew import skew_record
from gnomon.storage import Storage
from gnomon.tokens.token_store import TokenStore

__all__ = ["approve", "check", "check_watch", "promote", "rollback", "start_shadow", "stop_shadow"]

Ask: TypeAlias = Callable[[str, bool], Gates]
"""Evaluates the gates of a tag; told whether the promotion is forced, and so does not need them."""


def start_shadow(
    settings: Settings,
    model: str,
    artifact: str,
    *,
    fraction: float = 1.0,
    same: bool = False,
    preprocessing: str | None = None,
    policy: Policy | None = None,
    force: bool = False,
    by: str | Actor | None = None,
    why: str | None = None,
    history: History | None = None,
) -> RolloutEvent:
    """Start a shadow: it scores a sample of the requests, and its answers go only to the log.

    Args:
        settings: settings with the storage root of the rollout.
        model: the deployment's model name.
        artifact: a tag, such as ``flights:latest``.
        fraction: the share of entities (requests, without an entity key) that it scores.
        same: allow the live artifact itself, which measures the noise floor.
        preprocessing: the tag of another artifact, on whose preprocessing the model of this one
            is to run. Both are verified and combined to an artifact that is only for debugging.
        policy: the rules of its comparison; the defaults without one.
        force: start it even if its contract refuses today's requests; this is recorded.
        by: who decides; a name alone is a claim.
        why: the reason, for the history.
        history: the history as read so far; it is updated. Without it, it is read again.

    Raises:
        ArtifactError, UnknownArtifact: it, or the live artifact, does not pass inspection.
        IncompatibleContract: it would refuse requests that the live artifact gets.
        PackRefused: it cannot run on that preprocessing.
        PolicyError: the policy names an output that it does not have.
        RolloutError: nothing is live, it is live, or it is already a running shadow.
        RolloutConflict: another decision was recorded meanwhile.
    """
    history = up_to_date(history, settings, model)
    candidate = _inspect(model, artifact)
    if preprocessing is not None:
        candidate = combined_shadow(history.state, candidate, preprocessing, same=same)
    (policy or Policy()).check_names(candidate.tag, candidate.contract.output_schema)
    event = RolloutEvent(
        kind="shadow_start",
        artifact=candidate.tag,
        digest=candidate.digest,
        fraction=fraction,
        entity_key=candidate.contract.entity_key,
        same=same,
        combination=candidate.manifest.combination,
        why=why,
        **signed(by),
        **artifact_digests(candidate.manifest.files),
    )
    history.state.after(event)
    changes = _changes(history.state, candidate, force)
    incompatible = [change for change in changes if change.level == "incompatible"]
    if incompatible and not force:
        raise _incompatible(candidate.tag, history.state.live, incompatible)
    keep_manifest(Storage(settings), candidate)
    event = msgspec.structs.replace(
        event,
        forced=bool(incompatible),
        changes=tuple(msgspec.to_builtins(changes)),
        policy_sha256=keep_policy(Storage(settings), policy or Policy()),
    )
    return history.append(event)


def stop_shadow(
    settings: Settings,
    model: str,
    artifact: str,
    *,
    by: str | Actor | None = None,
    why: str | None = None,
    history: History | None = None,
    automatic: Automatic | None = None,
) -> RolloutEvent:
    """Stop a shadow. Its artifact need not be in the store any more.

    Args:
        settings: settings with the storage root of the rollout.
        model: the deployment's model name.
        artifact: the shadow's tag.
        by: who decides.
        why: the reason, for the history.
        history: the history as read so far; it is updated. Without it, it is read again.
        automatic: what it rests on, if no person decides it.

    Raises:
        RolloutError: it is not a running shadow.
        RolloutConflict: another decision was recorded meanwhile.
    """
    history = up_to_date(history, settings, model)
    running = history.state.shadows.get(artifact)
    tag = artifact if running is not None else _tag_of(artifact)
    event = RolloutEvent(kind="shadow_stop", artifact=tag, why=why, **signed(by))
    return history.append(_automatic(event, history, automatic, settings))


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
    candidate = _inspect(model, artifact)
    refuse_combined(candidate.tag, candidate.manifest.combination)
    event = RolloutEvent(
        kind="promote",
        artifact=candidate.tag,
        digest=candidate.digest,
        why=why,
        **signed(by),
        **artifact_digests(candidate.manifest.files),
    )
    history.state.after(event)
    policy = policy or Policy()
    if history.state.live is not None:
        is_other = _is_other_content(candidate, history.state, force)
        if ask is None:
            ask = partial(_gates_here, settings, model, history.state, policy)
        gates = _gates_unless_forced(ask, candidate.tag, force)
        passed = gates is not None and gates.verdict == "pass"
        if gates is not None and not passed and not force:
            raise _gates_refused(gates, candidate.tag in history.state.shadows)
        event = msgspec.structs.replace(
            event, at=datetime.now(UTC), forced=is_other or not passed, **_frozen(gates, settings)
        )  # Evaluating the gates takes a while, and the decision is after what it rests on.
    event = approved_or_proposed(
        history.state,
        event,
        policy.rollout.approvals,
        only_approve=only_approve,
        is_revoked=TokenStore(Storage(settings)).is_revoked,
    )
    if event.kind == "promote":
        watch = window_of(history.state, event, policy.rollout)
        event = msgspec.structs.replace(event, watch=watch)
    keep_manifest(Storage(settings), candidate)
    return history.append(_automatic(event, history, automatic, settings))


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
    tag = artifact if artifact in history.state.proposals else _tag_of(artifact)
    proposal = pending_proposal(history.state, tag)
    if proposal is None:
        raise nothing_to_approve(tag)
    if proposal.forced and not may_force:
        raise Forbidden(
            f"the proposal to promote {tag} forces it, and its approval needs the role forcer",
            where=f"event {proposal.number}",
            hint="ask someone with the role forcer",
        )
    return promote(
        settings,
        model,
        tag,
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
    return history.append(_automatic(event, history, automatic, settings))


def check(settings: Settings, model: str, artifact: str, policy: Policy | None = None) -> Gates:
    """Evaluate the gates for a promotion of this artifact, without recording anything.

    Raises:
        PolicyError: the policy names an output that it does not have.
        RolloutError: nothing is live, it is live itself, or it is a combined artifact, which is for
            debugging.
    """
    state = up_to_date(None, settings, model).state
    tag = artifact if artifact in state.shadows else _tag_of(artifact)
    if tag == state.live:
        raise RolloutError(
            f"`{tag}` is live already, so there is nothing to judge it against",
            hint="`gnomon status` shows its shadows and, in a watch window, what would undo its "
            "promotion",
        )
    refuse_combined(tag, combination_of(state, tag))
    return _gates(settings, model, state, tag, policy=policy or Policy())


def check_watch(settings: Settings, model: str, policy: Policy | None = None) -> Gates:
    """Evaluate the gates of the watch window of the live artifact, without recording anything.

    Raises:
        RolloutError: its promotion is not watched.
    """
    state = up_to_date(None, settings, model).state
    return evaluate_watch(InferenceLog(settings, model), state, policy or Policy())


def _changes(state: RolloutState, candidate: Artifact, force: bool) -> list[Change]:
    """Compare its contract with the live one; empty if forced and the live one is unreadable."""
    if state.live is None or state.live == candidate.tag:
        return []
    try:
        return difference(inspect(state.live).contract, candidate.contract)
    except GnomonError:
        if force:
            return []
        raise


def _incompatible(tag: str, live: str | None, changes: list[Change]) -> IncompatibleContract:
    return IncompatibleContract(
        f"{tag} could not accept the requests that {live} gets: " + "; ".join(map(str, changes)),
        where="contract.json",
        hint="pack it with a contract that accepts today's requests, or force it, which is "
        "recorded",
    )


def _gates(
    settings: Settings, model: str, state: RolloutState, tag: str, *, policy: Policy
) -> Gates:
    # Joining labels imports pandas, which a gateway must not: its gates are another process's.
    from gnomon.rollout.gates.drift_gate import evaluate_drift
    from gnomon.rollout.quality.evaluation import evaluate_quality

    with contextlib.suppress(ArtifactError, UnknownArtifact):  # The log is enough to judge it.
        policy.check_names(tag, inspect(tag).contract.output_schema)
    storage = Storage(settings)
    reported = heartbeats.find(storage, model)
    log = InferenceLog(settings, model)
    return evaluate(
        log,
        state,
        policy,
        tag,
        slices=reported.beats,
        slices_at=reported.read_at,
        unreadable=reported.unreadable,
        skew=_skew(storage, tag),
        drift=evaluate_drift(log, state, tag, policy),
        quality=evaluate_quality(settings, model, state, tag, policy),
    )


def _skew(storage: Storage, tag: str) -> skew_record.SkewRecord | UnreadableFile | None:
    """Read the last replay, or return the error, which then is the reason of an unknown gate."""
    try:
        return skew_record.read(storage, tag)
    except UnreadableFile as error:
        return error


def _is_other_content(candidate: Artifact, state: RolloutState, force: bool) -> bool:
    """Return whether something else was in shadow under this tag, which is what the gates judge.

    Raises:
        GateRefused: it is so, and the promotion is not forced.
    """
    shadow = state.shadows.get(candidate.tag)
    is_other = shadow is not None and shadow.digest not in (None, candidate.digest)
    if shadow is not None and is_other and not force:
        raise GateRefused(
            f"{candidate.tag} in this store has digest {candidate.digest[:12]}, and the shadow was "
            f"started with {(shadow.digest or '')[:12]}: the gates would judge other content",
            hint=f"stop the shadow and start it again: gnomon shadow stop {candidate.tag}",
        )
    return is_other


def _gates_here(
    settings: Settings, model: str, state: RolloutState, policy: Policy, tag: str, force: bool
) -> Gates:
    return _gates(settings, model, state, tag, policy=policy)


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
    reasons = "; ".join(
        f"{gate.name} {gate.verdict.replace('_', ' ')}: {gate.because}" for gate in gates.unmet
    )
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


def _frozen(gates: Gates | None, settings: Settings) -> dict[str, Any]:
    """Return the fields of an event that keep the gates, what they rest on and the policy."""
    if gates is None:
        return {}
    policy = gates.policy
    return {
        "gates": tuple(msgspec.to_builtins(gates.gates)),
        "evidence": msgspec.to_builtins(gates.read),
        "policy_sha256": None if policy is None else keep_policy(Storage(settings), policy),
    }


def _with_earlier_digests(event: RolloutEvent, history: History) -> RolloutEvent:
    """Add the digests that an earlier event recorded: a rollback does not read the artifact."""
    for earlier in reversed(history.events):
        if (earlier.artifact, earlier.digest) == (event.artifact, event.digest):
            return msgspec.structs.replace(
                event, contract_sha256=earlier.contract_sha256, code_sha256=earlier.code_sha256
            )
    return event


def _inspect(model: str, artifact: str) -> Artifact:
    inspected = inspect(artifact)
    if inspected.name != model:
        raise RolloutError(
            f"`{inspected.tag}` is not an artifact of `{model}`",
            hint=f'pack it with gnomon.pack("{model}", …) to serve it here',
        )
    return inspected


def _tag_of(artifact: str) -> str:
    """Return a full tag unchanged, and resolve a name or ``latest`` in the store."""
    _, _, version = artifact.partition(":")
    return inspect(artifact).tag if version in ("", "latest") else artifact


def _automatic(
    event: RolloutEvent, history: History, automatic: Automatic | None, settings: Settings
) -> RolloutEvent:
    """Mark an automatic decision, and refuse it if anything was decided since it was evaluated."""
    if automatic is None:
        return event
    if history.state.epoch != automatic.epoch:
        raise RolloutConflict(
            "another decision was recorded while the gates were evaluated",
            hint="nothing is to be done: they are evaluated again on the new state",
        )
    if not event.gates:
        event = msgspec.structs.replace(event, **_frozen(automatic.gates, settings))
    return msgspec.structs.replace(event, automatic=True)
