"""The estimates of each chunk of time, from its sums and the drift of its inputs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from gnomon.estimates.chunk_sums import ChunkSums
from gnomon.estimates.input_drift import InputDrift
from gnomon.estimates.loss_estimator import FittedEstimator
from gnomon.estimates.quality_estimate import EstimatedChunk, MetricEstimate
from gnomon.policy import Metric, Policy
from gnomon.quantities import percent, plural
from gnomon.rollout.quality.losses import largest_loss
from gnomon.rollout.quality.question import Question

__all__ = ["ChunkEstimates"]

_JUDGED_ROWS = 30
"""From so many independent rows on, their mean is close enough to normal to be compared with its
estimate."""


@dataclass(frozen=True, slots=True)
class ChunkEstimates:
    """Turns sums into estimates.

    Attributes:
        asked: what is answered.
        metrics: the losses.
        fitted: what estimated them.
        sums: by chunk.
        drift: the inputs by chunk.
        policy: the confidence, and the limits of drift.
    """

    asked: Question
    metrics: tuple[Metric, ...]
    fitted: FittedEstimator
    sums: ChunkSums
    drift: InputDrift
    policy: Policy

    def chunks(self) -> Iterator[EstimatedChunk]:
        """Yield the chunks that have rows, in order of time."""
        width = self.sums.settle()
        self.drift.widen(width)
        for place, bucket in enumerate(self.sums.buckets):
            inputs = self.drift.verdict(bucket)
            reason = inputs.reason() or self._beyond(place) or self._few_entities(place)
            yield EstimatedChunk(
                start=datetime.fromtimestamp(bucket * width, UTC),
                end=datetime.fromtimestamp((bucket + 1) * width, UTC),
                rows=self.sums.rows(place),
                state="unknown" if reason else "estimated",
                reason=reason,
                drifted=tuple(inputs.drifted),
                metrics=tuple(
                    self._metric(metric, place, is_known=not reason) for metric in self.metrics
                ),
            )

    def _beyond(self, place: int) -> str:
        """Return whether too many answers are where the reference has none, in words."""
        share = self.sums.beyond(place)
        if share <= self.policy.drift.outside:
            return ""
        return (
            f"{percent(share)} of the answers are outside of the range that they have in the "
            f"reference (limit {percent(self.policy.drift.outside)})"
        )

    def _few_entities(self, place: int) -> str:
        """Return whether the rows are of too few entities, in words."""
        rows, repeats = self.sums.rows(place), self.sums.repeats(place)
        if repeats is None:
            return ""
        largest = max(error.design_effect(repeats) for error in self.fitted.errors.values())
        if largest == 1.0 or rows / largest >= _JUDGED_ROWS:
            return ""
        return (
            f"few entities: {plural(rows, 'row')} count as {rows / largest:.0f} independent ones "
            f"({_JUDGED_ROWS} are needed)"
        )

    def _metric(self, metric: Metric, place: int, *, is_known: bool) -> MetricEstimate:
        sums = self.sums.metric(place, metric)
        labelled = int(sums.labelled)
        realised = sums.realised / labelled if labelled else None
        if not is_known or not sums.rows:
            return MetricEstimate(metric=metric, labelled=labelled, realised=realised)
        error, confidence = self.fitted.errors[metric], self.policy.gates.confidence
        bound = largest_loss(metric, self.asked)
        estimate = min(max(sums.estimated / sums.rows + error.bias, 0.0), bound)
        margin = error.within(int(sums.rows), confidence, self.sums.repeats(place))
        judged = None
        repeats = self.sums.labelled_repeats(place, labelled)
        if labelled >= _JUDGED_ROWS * error.design_effect(repeats or 1.0):
            apart = (sums.realised - sums.labelled_estimated) / labelled - error.bias
            judged = bool(abs(apart) <= error.within(labelled, confidence, repeats))
        return MetricEstimate(
            metric=metric,
            estimate=estimate,
            interval=(max(estimate - margin, 0.0), min(estimate + margin, bound)),
            labelled=labelled,
            realised=realised,
            as_estimated=judged,
        )
