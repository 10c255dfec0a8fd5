"""The quality of one shadow beside live's, on the rows that both answered."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from gnomon.rollout.evidence.new_entities import NewEntities
from gnomon.rollout.quality.metric_comparison import MetricComparison, PairedAuc

__all__ = ["Cohort", "DecisionShare", "SegmentQuality", "ShadowQuality"]


class Cohort(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that both answered, by age and by whether their label is known.

    Attributes:
        maturity_days: rows at least this old count.
        pending: rows that are younger; the labels they have do not count yet.
        matured: rows that are old enough.
        labelled: of the matured rows, those with a label.
        unlabelled: of the matured rows, those without one, perhaps for ever.
        labelled_a_day: matured rows with a label per day, over the last week of matured rows.
        until: rows that arrived later are pending.
        rate_days: over so many days the rate of labels is measured: the last week of matured rows,
            or less if there were none before.
        recently_labelled: matured rows with a label that arrived in these days.
        new_entities: the entities whose first row with a label arrived in these days; None where
            entities are not the units.
    """

    maturity_days: float
    pending: int
    matured: int
    labelled: int
    unlabelled: int
    labelled_a_day: float
    until: datetime
    rate_days: float = 7.0
    recently_labelled: int = 0
    new_entities: NewEntities | None = None


class DecisionShare(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the matured rows have a label, by what live decided on them.

    If the shares differ much, live's decision selects who gets a label, and the labelled rows are
    not like the others.

    Attributes:
        decided: live's decision: ``yes`` or ``no`` by the policy's threshold, else the class.
        rows: matured rows.
        labelled: of those, with a label.
    """

    decided: str
    rows: int
    labelled: int


class SegmentQuality(msgspec.Struct, frozen=True, kw_only=True):
    """The metrics of the rows with one value, or range, of a feature. No gate rests on them.

    Attributes:
        feature: the feature.
        value: its value, or range.
        metrics: as of all rows.
    """

    feature: str
    value: str
    metrics: tuple[MetricComparison, ...]


class ShadowQuality(msgspec.Struct, frozen=True, kw_only=True):
    """The quality of one shadow beside live's, by labels.

    Attributes:
        artifact: the shadow.
        live: the live artifact.
        unit: the unit of evidence: ``entity``, ``block`` or ``request``; ``row`` if each request
            has one.
        confidence: of each interval.
        cohort: which rows count.
        metrics: the comparisons.
        auc: of two classes; None without enough labels of both.
        by_decision: how many rows have labels, by live's decision.
        segments: by the features that the policy names.
    """

    artifact: str
    live: str
    unit: Literal["row", "entity", "block", "request"]
    confidence: float
    cohort: Cohort
    metrics: tuple[MetricComparison, ...]
    auc: PairedAuc | None = None
    by_decision: tuple[DecisionShare, ...] = ()
    segments: tuple[SegmentQuality, ...] = ()
