"""Evaluate the gates of quality of a running shadow, and the quality of any."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from gnomon.artifact import inspect
from gnomon.errors import ArtifactError, RolloutError, UnknownArtifact
from gnomon.log import InferenceLog
from gnomon.policy import Policy
from gnomon.rollout.gate import Gate
from gnomon.rollout.history import RolloutState
from gnomon.rollout.quality.known_labels import known_labels
from gnomon.rollout.quality.measure import ComparedArtifacts, measure, run_of
from gnomon.rollout.quality.paired_rows import PairedRun
from gnomon.rollout.quality.quality_gates import quality_gates, undecidable
from gnomon.rollout.quality.shadow_quality import ShadowQuality
from gnomon.settings import Settings
from gnomon.time_range import in_utc

__all__ = ["ComparedRows", "compared_rows", "evaluate_quality", "quality_of"]


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
        start: rows that arrived from this time on; UTC when it has no zone.
        end: rows that arrived before this time.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        LogError: there is no log, or it cannot be read.
        PolicyError: the policy names a metric or feature that the artifacts do not have.
        RolloutError: nothing is live, or the answers are not of a kind that has labels.
    """
    compared = compared_rows(settings, model, state, artifact, policy, start=start, end=end)
    confidence = policy.confidence_of_each(state.candidates_with(artifact))
    return measure(compared.log, compared.sides, compared.run, compared.labels, policy, confidence)


@dataclass(frozen=True, slots=True)
class ComparedRows:
    """What it takes to read the rows that both answered, with their labels.

    Attributes:
        log: the model's log.
        sides: the artifacts.
        run: which of their rows.
        labels: the labels of these rows.
    """

    log: InferenceLog
    sides: ComparedArtifacts
    run: PairedRun
    labels: pa.Table


def compared_rows(
    settings: Settings,
    model: str,
    state: RolloutState,
    artifact: str,
    policy: Policy,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> ComparedRows:
    """Find the rows of an artifact's run as a shadow, and their labels; see :func:`quality_of`."""
    shadow = inspect(artifact)
    sides = ComparedArtifacts(inspect(state.live_for(shadow.tag)), shadow)
    run = state.shadows.get(sides.shadow.tag)
    start, end = in_utc(start), in_utc(end)
    if run is not None:
        start = run.at if start is None else max(start, run.at)
    log = InferenceLog(settings, model)
    rows = run_of(sides, epoch=None if run is None else run.since, start=start, end=end)
    labels = known_labels(settings, log, sides.live, policy.labels, start=rows.start, end=rows.end)
    return ComparedRows(log, sides, rows, labels)


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
