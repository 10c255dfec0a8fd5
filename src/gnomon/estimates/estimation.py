"""Estimate the quality of one artifact's answers from the log."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from gnomon.artifact import Artifact
from gnomon.estimates.answered_rows import AnsweredRows, answered_rows
from gnomon.estimates.chunk_estimates import ChunkEstimates
from gnomon.estimates.chunk_sums import ChunkSums
from gnomon.estimates.fitting import FEWEST_ROWS, FitResult, fit
from gnomon.estimates.input_drift import InputDrift
from gnomon.estimates.loss_estimator import LossEstimator, realised_losses
from gnomon.estimates.quality_estimate import QualityEstimate, Reference
from gnomon.log import Snapshot
from gnomon.log.snapshot import Role
from gnomon.offline.entity_slots import EntitySlots
from gnomon.offline.logged import Range
from gnomon.offline.paired_rows import seconds
from gnomon.policy import Metric, Policy
from gnomon.rollout.quality.question import Question, metrics_of

__all__ = ["EstimatedRows", "ReferenceTable", "estimate"]

_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class ReferenceTable:
    """Labelled rows from elsewhere.

    Attributes:
        path: the file that they are from.
        rows: they, with the artifact's answers.
    """

    path: str
    rows: AnsweredRows


@dataclass(frozen=True, slots=True)
class EstimatedRows:
    """The rows of one artifact, and where its reference is.

    Attributes:
        artifact: the artifact.
        role: as what it answered.
        since: when its run began; None for all runs.
        start: rows that arrived from then on are estimated. Without a ``table`` those before are
            the reference; when not given, the older half of the rows with labels is.
        end: rows that arrived before are estimated.
        chunk: the least width of a chunk of time.
        table: a reference from elsewhere.
    """

    artifact: Artifact
    role: Role
    since: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    chunk: timedelta | None = None
    table: ReferenceTable | None = None

    def range(self, log: Snapshot, start: datetime | None, end: datetime | None) -> Range:
        """Return the rows of the log between two times, but none from before the run."""
        known = [time for time in (start, self.since) if time is not None]
        return Range(log, self.artifact, self.role, max(known, default=None), end)


def estimate(
    log: Snapshot,
    rows: EstimatedRows,
    asked: Question,
    labels: pa.Table,
    policy: Policy,
    *,
    now: datetime | None = None,
) -> QualityEstimate:
    """Estimate quality from a reference, by chunk of time, beside what labels say.

    The rows are read once. Memory grows with the labels, not with the log.

    Args:
        log: the log.
        rows: the artifact and its rows.
        asked: what it answers.
        labels: the known labels, see `gnomon.rollout.quality.paired_rows.LABELS`.
        policy: the age at which labels count, the limits of drift, and the confidence.
        now: the time from which ages are counted.
    """
    until = (now or datetime.now(UTC)) - timedelta(days=policy.quality.maturity_days)
    contract = rows.artifact.contract
    metrics = metrics_of(asked, (contract, contract))
    drift = InputDrift(rows.artifact, policy.drift)
    cut = _end_of_reference(rows, labels, until)
    fit_result = fit(_reference(log, rows, labels, until, cut), contract, asked, metrics, drift)
    result = QualityEstimate(
        artifact=rows.artifact.tag,
        role=rows.role,
        confidence=policy.gates.confidence,
        reason=fit_result.reason,
        reference=_described(rows, fit_result, cut),
    )
    fitted = fit_result.fitted
    if fitted is None:
        return result
    sums = ChunkSums(metrics, rows.chunk)
    for part in answered_rows(rows.range(log, cut or rows.start, rows.end), labels, until):
        _add(part, rows, asked, metrics, fitted.estimator, sums)
        drift.add(part.facts, part.inputs)
    found = ChunkEstimates(asked, metrics, fitted, sums, drift, policy)
    return structs.replace(result, method=fitted.method, chunks=tuple(found.chunks()))


def _end_of_reference(rows: EstimatedRows, labels: pa.Table, until: datetime) -> datetime | None:
    """Return the time before which rows of the log are the reference; None if none are."""
    if rows.table is not None or rows.start is not None:
        return None if rows.table is not None else rows.start
    arrived = labels.column("arrived")
    chosen = pc.less_equal(arrived, pa.scalar(until, _INSTANT))
    if rows.since is not None:
        chosen = pc.and_(chosen, pc.greater_equal(arrived, pa.scalar(rows.since, _INSTANT)))
    if rows.end is not None:
        chosen = pc.and_(chosen, pc.less(arrived, pa.scalar(rows.end, _INSTANT)))
    times = np.sort(arrived.filter(chosen).cast(pa.int64()).to_numpy())
    if not len(times):
        return None
    place = max(len(times) // 2, min(len(times), FEWEST_ROWS)) - 1
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(times[place]) + 1)


def _reference(
    log: Snapshot,
    rows: EstimatedRows,
    labels: pa.Table,
    until: datetime,
    cut: datetime | None,
) -> Iterable[AnsweredRows]:
    if rows.table is not None:
        return [rows.table.rows]
    return [] if cut is None else answered_rows(rows.range(log, None, cut), labels, until)


def _described(rows: EstimatedRows, fit_result: FitResult, cut: datetime | None) -> Reference:
    fitted = fit_result.fitted
    return Reference(
        source="log" if rows.table is None else rows.table.path,
        rows=fit_result.rows,
        used=fit_result.used,
        until=cut,
        losses={} if fitted is None else {str(m): v for m, v in fitted.realised.items()},
        calibrated=None if fitted is None else fitted.calibrated,
    )


def _add(
    part: AnsweredRows,
    rows: EstimatedRows,
    asked: Question,
    metrics: tuple[Metric, ...],
    estimator: LossEstimator,
    sums: ChunkSums,
) -> None:
    contract = rows.artifact.contract
    answers = asked.answers(contract, part.columns())
    sums.add(
        seconds(part.facts.column("time")),
        estimator.losses(part.inputs, answers),
        realised_losses(metrics, asked, answers, asked.truth(part.labels)),
        estimator.beyond(answers),
        EntitySlots.of(part.facts.column("unit")) if contract.entity_key else None,
    )
