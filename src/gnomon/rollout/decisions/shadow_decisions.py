"""The decisions to start and to stop a shadow."""

from __future__ import annotations

import msgspec

from gnomon.artifact import inspect
from gnomon.contract import Contract
from gnomon.contract.difference import Change, difference
from gnomon.errors import GnomonError, IncompatibleContract
from gnomon.policy import Policy
from gnomon.rollout.actor import Actor, signed
from gnomon.rollout.decisions.automatic import Automatic
from gnomon.rollout.decisions.combined_shadow import combined_shadow, planned_shadow
from gnomon.rollout.decisions.frozen_gates import taken_automatically
from gnomon.rollout.history import History, RolloutEvent, RolloutState, up_to_date
from gnomon.rollout.named_artifacts import full_tag, inspect_of
from gnomon.rollout.provenance import artifact_digests, keep_manifest, keep_policy
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["start_shadow", "stop_shadow"]


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
        same: start the live artifact itself, which measures the noise floor.
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
        RolloutError: nothing is live, it is live, it is not and ``same`` was given, or it is
            already a running shadow.
        RolloutConflict: another decision was recorded meanwhile.
    """
    history = up_to_date(history, settings, model)
    candidate = inspect_of(model, artifact)
    tag, contract = planned_shadow(candidate, preprocessing, same=same)
    (policy or Policy()).check_names(tag, contract.output_schema)
    start = RolloutEvent(kind="shadow_start", artifact=tag, fraction=fraction, same=same)
    history.state.after_new(start)
    changes = _changes(history.state, tag, contract, force)
    incompatible = [change for change in changes if change.level == "incompatible"]
    if incompatible and not force:
        raise _incompatible(tag, history.state.live, incompatible, preprocessing)
    candidate = combined_shadow(candidate, preprocessing)
    keep_manifest(Storage(settings), candidate)
    event = RolloutEvent(
        kind="shadow_start",
        artifact=candidate.tag,
        digest=candidate.digest,
        fraction=fraction,
        entity_key=candidate.contract.entity_key,
        same=same,
        combination=candidate.manifest.combination,
        why=why,
        forced=bool(incompatible),
        changes=tuple(msgspec.to_builtins(changes)),
        policy_sha256=keep_policy(Storage(settings), policy or Policy()),
        **signed(by),
        **artifact_digests(candidate.manifest.files),
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
    tag = artifact if running is not None else full_tag(artifact)
    event = RolloutEvent(kind="shadow_stop", artifact=tag, why=why, **signed(by))
    return history.append(taken_automatically(event, history, automatic, settings))


def _changes(state: RolloutState, tag: str, contract: Contract, force: bool) -> list[Change]:
    """Compare a contract with the live one; empty if forced and the live one is unreadable."""
    if state.live is None or state.live == tag:
        return []
    try:
        return difference(inspect(state.live).contract, contract)
    except GnomonError:
        if force:
            return []
        raise


def _incompatible(
    tag: str, live: str | None, changes: list[Change], preprocessing: str | None
) -> IncompatibleContract:
    accepts = "a contract that accepts today's requests"
    other = f"pack it with {accepts}"
    if preprocessing is not None:
        other = f"its inputs are those of {preprocessing}: name one with {accepts}"
    return IncompatibleContract(
        f"{tag} could not accept the requests that {live} gets: " + "; ".join(map(str, changes)),
        where="contract.json",
        hint=f"{other}, or force it, which is recorded",
    )
