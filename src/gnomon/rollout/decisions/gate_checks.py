"""Evaluate the gates of an artifact, or of the watch window, without a decision."""

from __future__ import annotations

import contextlib
from datetime import datetime

from msgspec import structs

from gnomon.artifact import inspect
from gnomon.errors import ArtifactError, UnknownArtifact, UnreadableFile
from gnomon.log import InferenceLog
from gnomon.policy import Policy
from gnomon.rollout.decisions.admission import refusal
from gnomon.rollout.decisions.combined_shadow import combination_of, refuse_combined
from gnomon.rollout.gate import Gates
from gnomon.rollout.gates.gates import evaluate
from gnomon.rollout.gates.watch_gates import evaluate_watch
from gnomon.rollout.history import RolloutState, newest_history, up_to_date
from gnomon.rollout.named_artifacts import full_tag
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.skew import skew_record
from gnomon.storage import Storage

__all__ = ["check", "check_on_history", "check_watch", "gates_of"]


def check(settings: Settings, model: str, artifact: str, policy: Policy | None = None) -> Gates:
    """Evaluate the gates for a promotion of this artifact, without recording anything.

    What would refuse the promotion of a running shadow whatever its gates say is in ``refused``.

    Raises:
        ArtifactError, UnknownArtifact: it is no running shadow, and does not pass inspection.
        PolicyError: the policy names an output that it does not have.
        RolloutError: nothing is live, it is live itself, of another model, or a combined artifact,
            which is for debugging.
    """
    state = up_to_date(None, settings, model).state
    tag = artifact if artifact in state.shadows else full_tag(artifact)
    state.live_for(tag)
    refuse_combined(tag, combination_of(state, tag))
    refused = refusal(model, state, tag)
    if refused is not None and tag not in state.shadows:
        raise refused
    gates = gates_of(settings, model, state, tag, policy or Policy())
    return structs.replace(gates, refused=None if refused is None else str(refused))


def check_on_history(
    settings: Settings,
    model: str,
    artifact: str,
    policy: Policy,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Gates:
    """Evaluate its gates on logged requests; see :func:`evaluate_on_history` for arguments, errors.

    What would refuse its promotion whatever its gates say is in ``refused``.
    """
    from gnomon.rollout.gates.gates_on_history import evaluate_on_history  # It needs pandas.

    gates = evaluate_on_history(settings, model, artifact, policy, start=start, end=end)
    state = newest_history(settings, model).state
    refused = refusal(model, state, gates.artifact)
    return structs.replace(gates, refused=None if refused is None else str(refused))


def check_watch(settings: Settings, model: str, policy: Policy | None = None) -> Gates:
    """Evaluate the gates of the watch window of the live artifact, without recording anything.

    Raises:
        RolloutError: its promotion is not watched.
    """
    state = up_to_date(None, settings, model).state
    reports = heartbeats.find(Storage(settings), model)
    return evaluate_watch(InferenceLog(settings, model), state, policy or Policy(), reports)


def gates_of(
    settings: Settings, model: str, state: RolloutState, tag: str, policy: Policy
) -> Gates:
    """Evaluate every gate of an artifact in a state of the rollout.

    Raises:
        LogError: there is no log, or it cannot be read.
        PolicyError: the policy names an output that it does not have.
        RolloutError: nothing is live.
    """
    # Joining labels imports pandas, which a gateway must not: its gates are another process's.
    from gnomon.rollout.gates.drift_gate import evaluate_drift
    from gnomon.rollout.quality.evaluation import evaluate_quality

    with contextlib.suppress(ArtifactError, UnknownArtifact):  # The log is enough to judge it.
        policy.check_names(tag, inspect(tag).contract.output_schema)
    storage = Storage(settings)
    reports = heartbeats.find(storage, model)  # First: the rest takes a while.
    log = InferenceLog(settings, model)
    return evaluate(
        log,
        state,
        policy,
        tag,
        reports=reports,
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
