"""Paired rows tallied batch by batch into the quality of a shadow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.units import UnitKind, are_mixed
from gnomon.drift.segments import Segments
from gnomon.log import input_column
from gnomon.policy import GateLimits, Metric
from gnomon.rollout.evidence.new_entities import NewEntities
from gnomon.rollout.evidence.settling import FIRST_PART, settling_at
from gnomon.rollout.quality.comparison import compare
from gnomon.rollout.quality.losses import RowLosses, largest_loss, row_losses
from gnomon.rollout.quality.metric_comparison import MetricComparison, PairedAuc
from gnomon.rollout.quality.pair_sums import PairSums
from gnomon.rollout.quality.paired_rows import PairedRows, PairedRun
from gnomon.rollout.quality.question import UNKNOWN, Answers, Question, Truth, metrics_of
from gnomon.rollout.quality.ranking import paired_auc
from gnomon.rollout.quality.shadow_quality import (
    Cohort,
    DecisionShare,
    SegmentQuality,
    ShadowQuality,
)

__all__ = ["QualityTally"]

_INSTANT = pa.timestamp("us", tz="UTC")

_RATE_DAYS = 7.0
"""The rate of labels is measured over so many days of matured rows: a week has every weekday."""


@dataclass(slots=True)
class _Ranked:
    """The scores of labelled rows, for the area under the ROC curve: 25 bytes a row."""

    live: list[npt.NDArray[np.float64]] = field(default_factory=list)
    shadow: list[npt.NDArray[np.float64]] = field(default_factory=list)
    positive: list[npt.NDArray[np.bool_]] = field(default_factory=list)
    units: list[npt.NDArray[np.int64]] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)

    def add(
        self, paired: PairedRows, live: Answers, shadow: Answers, truth: Truth, yes: int
    ) -> None:
        if live.score is None or shadow.score is None:
            return
        use = truth.known & ~np.isnan(live.score) & ~np.isnan(shadow.score)
        self.live.append(live.score[use])
        self.shadow.append(shadow.score[use])
        self.positive.append(truth.codes[use] == yes)
        texts = paired.units.filter(pa.array(use)).to_pylist()
        numbers = [self.numbers.setdefault(text, len(self.numbers)) for text in texts]
        self.units.append(np.array(numbers, np.int64))

    def auc(self, confidence: float) -> PairedAuc | None:
        if not self.live:
            return None
        parts = (self.live, self.shadow, self.positive, self.units)
        live, shadow, positive, units = (np.concatenate(part) for part in parts)
        return paired_auc(live, shadow, positive, units, confidence)


class QualityTally:
    """Tallies the rows of one run.

    Args:
        asked: what both answer.
        run: the artifacts.
        until: rows that arrived later are too young to count.
        limits: of the gates, for bursts.
        segments: the segments of each feature by which quality is reported.
    """

    def __init__(
        self,
        asked: Question,
        run: PairedRun,
        until: datetime,
        limits: GateLimits,
        segments: Mapping[str, Segments] | None = None,
    ) -> None:
        self._asked, self._run, self._until, self._limits = asked, run, until, limits
        self._metrics = metrics_of(asked, (run.live_contract, run.shadow_contract))
        self._sums = PairSums(limits.longest_burst)
        self._by_request = PairSums()
        self._are_mixed = False
        self._segments = segments or {}
        self._by_segment: dict[tuple[str, str], PairSums] = {}
        self._ranked = _Ranked()
        self._rows, self._labelled = Counter[int](), Counter[int]()
        self._pending = 0
        self._recent: list[pa.ChunkedArray] = []
        self._first: datetime | None = None
        key = run.shadow_contract.entity_key
        self._unit: UnitKind = "block" if limits.longest_burst else "entity" if key else "request"

    def add(self, paired: PairedRows) -> None:
        """Add rows."""
        old = pc.less_equal(paired.rows.column("arrived"), pa.scalar(self._until, _INSTANT))
        self._pending += paired.rows.num_rows - (pc.sum(old).as_py() or 0)
        paired = _filtered(paired, old)
        if not paired.rows.num_rows:
            return
        asked, run = self._asked, self._run
        live = asked.answers(run.live_contract, paired.live)
        shadow = asked.answers(run.shadow_contract, paired.shadow)
        truth = asked.truth(paired.rows.column("label"))
        losses = {m: row_losses(m, asked, live, shadow, truth) for m in self._metrics}
        self._sums.add(paired.units, paired.rows.column("arrived"), losses)
        if self._unit == "entity":
            requests = paired.rows.column("request_id")
            self._by_request.add(requests, paired.rows.column("arrived"), losses)
            self._are_mixed = self._are_mixed or are_mixed(requests, paired.units)
        self._count(paired, live, truth)
        if asked.positive is not None:
            self._ranked.add(paired, live, shadow, truth, asked.positive)
        self._add_segments(paired, losses)

    def quality(self, confidence: float) -> ShadowQuality:
        """Return the quality so far.

        Args:
            confidence: of each interval, over all looks at the run; one look at entities that come
                back has a part of its error.
        """
        confidence = self._of_this_stage(confidence)
        matured, labelled = self._rows.total(), self._labelled.total()
        recent = pa.chunked_array(
            [chunk for times in self._recent for chunk in times.chunks], _INSTANT
        )
        return ShadowQuality(
            artifact=self._run.shadow,
            live=self._run.live,
            unit=self._named_unit(),
            confidence=confidence,
            cohort=Cohort(
                maturity_days=self._asked.rules.maturity_days,
                pending=self._pending,
                matured=matured,
                labelled=labelled,
                unlabelled=matured - labelled,
                labelled_a_day=len(recent) / self._days(),
                until=self._until,
                rate_days=self._days(),
                recently_labelled=len(recent),
                new_entities=self._new_entities(recent),
            ),
            metrics=self._compared(self._sums, confidence),
            auc=self._ranked.auc(confidence),
            by_decision=tuple(
                DecisionShare(
                    decided=self._decision(code), rows=rows, labelled=self._labelled[code]
                )
                for code, rows in sorted(self._rows.items())
            ),
            segments=tuple(
                SegmentQuality(
                    feature=feature,
                    value=value,
                    metrics=self._compared(sums, confidence, is_segment=True),
                )
                for (feature, value), sums in sorted(self._by_segment.items())
            ),
        )

    def _of_this_stage(self, confidence: float) -> float:
        """Return the confidence of this look; see `gnomon.rollout.evidence.settling`.

        Here values are not settled, because labels come late; the parts of the error alone hold
        the promise in simulations.
        """
        start = self._run.start
        if self._unit != "entity" or self._run.epoch is None or start is None:
            return confidence
        now = self._until + timedelta(days=self._asked.rules.maturity_days)
        stage = settling_at(start, now)
        return 1 - (1 - confidence) * (FIRST_PART if self._one_row_each() else stage.error_part)

    def _named_unit(self) -> Literal["row", "entity", "block", "request"]:
        """Return what a unit is, in plain words: a request of one row is that row."""
        return "row" if self._unit == "request" and self._one_row_each() else self._unit

    def _one_row_each(self) -> bool:
        return all(self._sums.of(metric).one_row_each for metric in self._metrics)

    def _compared(
        self, sums: PairSums, confidence: float, *, is_segment: bool = False
    ) -> tuple[MetricComparison, ...]:
        limits = {} if is_segment else self._asked.rules.limits
        requests = self._by_request if self._are_mixed and not is_segment else None
        return tuple(
            compare(
                metric,
                largest_loss(metric, self._asked),
                sums,
                confidence,
                requests=requests,
                limit=limits.get(metric),
                worst_case=not is_segment,
            )
            for metric in self._metrics
        )

    def _count(self, paired: PairedRows, live: Answers, truth: Truth) -> None:
        for counts, codes in (
            (self._rows, live.decided),
            (self._labelled, live.decided[truth.known]),
        ):
            found, numbers = np.unique(codes, return_counts=True)
            counts.update(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
        arrived = paired.rows.column("arrived")
        first = pc.min(arrived).as_py()
        self._first = first if self._first is None else min(self._first, first)
        since = pa.scalar(self._until - timedelta(days=_RATE_DAYS), _INSTANT)
        recent = pc.and_(pc.greater(arrived, since), pa.array(truth.known))
        self._recent.append(pa.chunked_array(arrived.filter(recent)))

    def _days(self) -> float:
        if self._first is None:
            return _RATE_DAYS
        days = (self._until - self._first).total_seconds() / 86_400
        return min(max(days, 1 / 24), _RATE_DAYS)

    def _new_entities(self, recent: pa.ChunkedArray) -> NewEntities | None:
        if self._unit != "entity" or self._first is None:
            return None
        start = max(self._first, self._until - timedelta(days=_RATE_DAYS))
        return NewEntities.between(start, self._until, self._sums.first_labelled(), recent)

    def _decision(self, code: int) -> str:
        if code == UNKNOWN:
            return "none"
        if self._asked.output is not None:
            return ("no", "yes")[code]
        return self._asked.classes[code]

    def _add_segments(self, paired: PairedRows, losses: Mapping[Metric, RowLosses]) -> None:
        for feature, segments in self._segments.items():
            names = pa.array(segments.of(paired.rows.column(input_column(feature))), pa.string())
            for name in pc.unique(names).to_pylist():
                mask = pc.equal(names, name)
                some = np.asarray(mask)
                sums = self._by_segment.setdefault(
                    (feature, name), PairSums(self._limits.longest_burst)
                )
                sums.add(
                    paired.units.filter(mask),
                    paired.rows.column("arrived").filter(mask),
                    {metric: found.of(some) for metric, found in losses.items()},
                )


def _filtered(paired: PairedRows, mask: pa.Array) -> PairedRows:
    sides = (
        {name: values.filter(mask) for name, values in side.items()}
        for side in (paired.live, paired.shadow)
    )
    return PairedRows(paired.rows.filter(mask), paired.units.filter(mask), *sides)
