"""Evaluate the gates of quality of a running shadow, and the quality of any."""

from __future__ import annotations

from datetime import datetime

from gnomon.artifact import inspect
from gnomon.errors import ArtifactError, RolloutError, UnknownArtifact
from gnomon.log import InferenceLog
from gnomon.policy import Policy
from gnomon.rollout.gate import Gate
from gnomon.rollout.history import RolloutState
from gnomon.rollout.quality.known_labels import known_labels
from gnomon.rollout.quality.measure import Measured, measure, run_of
from gnomon.rollout.quality.quality_gates import quality_gates, undecidable
from gnomon.rollout.quality.shadow_quality import ShadowQuality
from gnomon.settings import Settings

__all__ = ["evaluate_quality", "quality_of"]


def quality_of(
    settings: Settings,
    model: str,
    state: RolloutState,
    artifact: str,
    policy: Policy,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> ShadowQuality:
    """Measure the quality of an artifact's answers as a shadow, beside those of live.

    Args:
        settings: settings with the storage root.
        model: the deployment's model name.
        state: the rollout, which must have a live artifact.
        artifact: the tag of a shadow. The rows of a running one are those of its run, of one that
            was stopped those of all its runs.
        policy: the decision, the rules of quality and of labels, and the confidence.
        start: rows that arrived from this time on.
        end: rows that arrived before this time.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        LogError: there is no log, or it cannot be read.
        PolicyError: the policy names a metric or feature that the artifacts do not have.
        RolloutError: nothing is live, or the answers are not of a kind that has labels.
    """
    if state.live is None:
        raise RolloutError("there is no live artifact to compare a shadow with")
    sides = Measured(inspect(state.live), inspect(artifact))
    run = state.shadows.get(sides.shadow.tag)
    if run is not None:
        start = run.at if start is None else max(start, run.at)
    log = InferenceLog(settings, model)
    rows = run_of(sides, epoch=None if run is None else run.since, start=start, end=end)
    labels = known_labels(settings, log, sides.live, policy.labels, start=rows.start, end=rows.end)
    confidence = policy.confidence_of_each(state.candidates)
    return measure(log, sides, rows, labels, policy, confidence)


def evaluate_quality(
    settings: Settings, model: str, state: RolloutState, artifact: str, policy: Policy
) -> tuple[Gate, ...]:
    """Evaluate the gates of quality of a running shadow; none for another artifact.

    They are unknown, with the reason, if an artifact is gone or cannot be compared by labels.

    Raises:
        LogError: there is no log, or it cannot be read.
        PolicyError: the policy names a metric or feature that the artifacts do not have.
    """
    if not policy.quality.max_increase or artifact not in state.shadows:
        return ()
    try:
        quality = quality_of(settings, model, state, artifact, policy)
    except (ArtifactError, UnknownArtifact, RolloutError) as error:
        return tuple(undecidable(policy.quality, str(error)))
    return tuple(quality_gates(policy.quality, quality))
