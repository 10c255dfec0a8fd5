"""The estimated quality of one artifact, by chunk of time; no gate rests on it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

__all__ = ["EstimatedChunk", "Method", "MetricEstimate", "QualityEstimate", "Reference"]

Method = Literal["CBPE", "DLE"]


class Reference(msgspec.Struct, frozen=True, kw_only=True):
    """The labelled rows from which quality is estimated.

    Attributes:
        source: ``log``, or the path of a table.
        rows: how many there are.
        used: how many of them were learned from.
        until: rows of the log that arrived up to then; None of a table.
        losses: the mean loss on them by metric.
        calibrated: whether probabilities are corrected, because that lowers their Brier score;
            None where no probabilities are used.
    """

    source: str
    rows: int
    used: int
    until: datetime | None = None
    losses: dict[str, float] = {}
    calibrated: bool | None = None


class MetricEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """One metric in one chunk.

    Attributes:
        metric: such as ``brier``; a mean loss, smaller is better.
        estimate: the mean loss that is expected of all rows of the chunk; None if it is unknown.
        interval: where the mean loss of these rows will be once all labels are known, if the model
            errs as on the reference: for one chunk, and one look.
        labelled: matured rows with a label.
        realised: their mean loss; None without labels.
        as_estimated: whether it is as estimated for these rows, within sampling error; None if the
            estimate is unknown, or fewer than 30 independent rows have labels.
    """

    metric: str
    estimate: float | None = None
    interval: tuple[float, float] | None = None
    labelled: int = 0
    realised: float | None = None
    as_estimated: bool | None = None


class EstimatedChunk(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one stretch of time.

    Attributes:
        start: rows from then on, by event time, else arrival.
        end: rows before then.
        rows: answered rows.
        state: ``unknown`` if the inputs have drifted from the reference, or may have, or the rows
            are of few entities.
        reason: why it is unknown.
        drifted: the inputs that have drifted.
        metrics: the estimates.
    """

    start: datetime
    end: datetime
    rows: int
    state: Literal["estimated", "unknown"]
    reason: str = ""
    drifted: tuple[str, ...] = ()
    metrics: tuple[MetricEstimate, ...] = ()


class QualityEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """The estimated quality of one artifact.

    Attributes:
        artifact: its tag.
        role: whether it answered as ``live`` or as ``shadow``.
        confidence: of each interval.
        method: ``CBPE`` from probabilities, else ``DLE``; None if nothing can be estimated.
        reason: why nothing can be.
        reference: what it is estimated from.
        chunks: by time.
    """

    artifact: str
    role: str
    confidence: float
    method: Method | None = None
    reason: str = ""
    reference: Reference | None = None
    chunks: tuple[EstimatedChunk, ...] = ()
