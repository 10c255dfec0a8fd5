"""The quality of a shadow beside live's, measured on the log and the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.drift.measure import frozen
from gnomon.drift.segments import Segments
from gnomon.errors import PolicyError
from gnomon.log import InferenceLog
from gnomon.policy import Policy
from gnomon.rollout.evidence.evidence import CLOCKS_APART
from gnomon.rollout.quality.paired_rows import PairedRun, paired_rows
from gnomon.rollout.quality.question import Question, question
from gnomon.rollout.quality.shadow_quality import ShadowQuality
from gnomon.rollout.quality.tally import QualityTally

__all__ = ["ComparedArtifacts", "measure", "run_of", "tally_of"]


@dataclass(frozen=True, slots=True)
class ComparedArtifacts:
    """The two artifacts whose answers are compared.

    Attributes:
        live: the live artifact.
        shadow: the shadow.
    """

    live: Artifact
    shadow: Artifact

    def question(self, policy: Policy) -> Question:
        """Return what both answer; see `gnomon.rollout.quality.question.question`."""
        return question(self.live.contract, self.shadow.contract, policy, spread=_spread(self.live))


def run_of(
    sides: ComparedArtifacts,
    *,
    epoch: int | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> PairedRun:
    """Return the rows of a shadow's run, or of all its runs without ``epoch``."""
    return PairedRun(
        live=sides.live.tag,
        live_contract=sides.live.contract,
        shadow=sides.shadow.tag,
        shadow_contract=sides.shadow.contract,
        epoch=epoch,
        start=None if start is None else start - CLOCKS_APART,
        end=end,
    )


def measure(
    log: InferenceLog,
    sides: ComparedArtifacts,
    run: PairedRun,
    labels: pa.Table,
    policy: Policy,
    confidence: float,
    *,
    now: datetime | None = None,
) -> ShadowQuality:
    """Measure the quality of a shadow.

    Args:
        log: the model's log.
        sides: the artifacts.
        run: their rows.
        labels: the known labels, see `gnomon.rollout.quality.paired_rows.LABELS`.
        policy: the decision, and the rules of quality.
        confidence: of each interval.
        now: the time from which ages are counted.

    Raises:
        LogError: there is no log, or it cannot be read.
        PolicyError: the policy names a metric or feature that the artifacts do not have.
        RolloutError: their answers are not of a kind that labels can be compared with.
    """
    tally = tally_of(sides, run, policy, now=now)
    for paired in paired_rows(log, run, labels, policy.quality.segments):
        tally.add(paired)
    return tally.quality(confidence)


def tally_of(
    sides: ComparedArtifacts, run: PairedRun, policy: Policy, *, now: datetime | None = None
) -> QualityTally:
    """Return an empty tally, to which paired rows are added; see :func:`measure`."""
    rules = policy.quality
    until = (now or datetime.now(UTC)) - timedelta(days=rules.maturity_days)
    segments = _segments(sides.live, rules.segments)
    return QualityTally(sides.question(policy), run, until, policy.gates, segments)


def _segments(artifact: Artifact, features: tuple[str, ...]) -> Mapping[str, Segments]:
    bins = {b.name: b for b in frozen(artifact) if b.kind == "input"} if features else {}
    for feature in features:
        if feature not in bins:
            raise PolicyError(
                f"there is no feature `{feature}` to report quality by",
                where="quality.segments",
                hint=f"the features of {artifact.tag} are {', '.join(bins)}",
            )
    return {feature: Segments(bins[feature]) for feature in features}


def _spread(artifact: Artifact) -> float | None:
    """Return the range of a regressor's predictions in training; None for other models."""
    if artifact.contract.learned != "regression":
        return None
    for row in artifact.profile().to_pylist():
        if (row["kind"], row["name"]) == ("output", "prediction") and row["maximum"] is not None:
            return float(row["maximum"] - row["minimum"])
    return None
