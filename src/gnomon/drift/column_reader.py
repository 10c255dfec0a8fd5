"""Make a column's entry in a report from its counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from gnomon.contract import Contract
from gnomon.drift.bins import Extra, Integers
from gnomon.drift.changes import DriftChange, changes
from gnomon.drift.counted_rows import CountedRows
from gnomon.drift.drift_counts import ColumnCounts
from gnomon.drift.drift_report import Alert, DriftBucket, DriftColumn, DriftSegment, Effect, Shape
from gnomon.drift.largest_increase import largest_increase
from gnomon.drift.metrics import BinnedSides, measures, quantiles, rows
from gnomon.drift.verdicts import effects, overall, worst
from gnomon.offline.column_names import joint_contract
from gnomon.policy import DriftLimits
from gnomon.report import Count

__all__ = ["ColumnReader"]

_MOST_NAMES = 10


@dataclass(frozen=True)
class ColumnReader:
    """Makes report entries from the counts of columns.

    Attributes:
        policy: the limits.
        contract: the artifact's contract.
        seconds: the width of a bucket.
        segments: whether the counts are split.
    """

    policy: DriftLimits
    contract: Contract
    seconds: int
    segments: bool

    def column(self, counts: ColumnCounts) -> DriftColumn:
        """Describe a column over the entire range, over time, and by segment."""
        bins, total = counts.bins, counts.total()
        sides = BinnedSides.from_training(bins, total)
        by_metric = effects(sides, self.policy)
        metric, verdict = worst(by_metric), overall(by_metric)
        why = self.not_judged(bins.kind, bins.name)
        since, buckets = None, counts.by_bucket()
        increase = None
        if verdict == "drifted":
            since = self._since(counts, buckets, metric)
            increase = largest_increase(
                counts, sides, metric, min(buckets, default=0) if since is None else since
            )
        return DriftColumn(
            kind=bins.kind,  # type: ignore[arg-type]
            name=bins.name,
            rows=rows(bins, total.vector),
            training_rows=bins.rows,
            independent_rows=_independent(sides),
            verdict=verdict,
            judged=why is None,
            why=why,
            effects=by_metric,
            worst=metric,
            nulls=sides.rates(Extra.NULL),
            tails=None if bins.edges is None else _tails(counts, total.vector),
            quantiles=_quantiles(sides),
            new=_new(counts),
            shape=_shape(counts, total.vector),
            unit=self._unit(bins.kind, bins.name),
            is_time=bins.is_time,
            since=None if since is None else self.iso(since),
            largest_increase=increase.words if increase else None,
            example_rows=increase.rows if increase else (),
            timeline=tuple(self._timeline(counts, buckets)),
            segments=tuple(self._segments(counts, total, metric)),
        )

    def alerts(self, counts: ColumnCounts) -> Iterator[Alert]:
        """Yield the column's changes within the range, over all rows or, if none, by segment."""
        bins = counts.bins
        if self.not_judged(bins.kind, bins.name):
            return
        overall_alerts = [
            self._alert(counts, change, None)
            for change in changes(bins, counts.by_bucket(), self.policy, self.seconds)
        ]
        yield from overall_alerts
        if overall_alerts or not self.segments:
            return
        for segment in counts.segments:
            for change in changes(bins, counts.by_bucket(segment), self.policy, self.seconds):
                yield self._alert(counts, change, segment)

    def iso(self, bucket: int) -> str:
        """Return the time at which a bucket begins, in ISO 8601."""
        return datetime.fromtimestamp(bucket * self.seconds, UTC).isoformat()

    def _alert(self, counts: ColumnCounts, change: DriftChange, segment: str | None) -> Alert:
        increase = largest_increase(counts, change.sides, change.metric, change.at, segment)
        before, after = change.sizes
        return Alert(
            kind=counts.bins.kind,  # type: ignore[arg-type]
            name=counts.bins.name,
            change="slow" if change.slow else "sudden",
            metric=change.metric,
            effect=change.effect,
            since=self.iso(change.at),
            before=before,
            after=after,
            largest_increase=increase.words,
            segment=segment,
            example_rows=increase.rows,
        )

    def not_judged(self, kind: str, name: str) -> str | None:
        """Return why a column is measured but not judged; None if it is judged."""
        if kind == "input" and name == self.contract.event_time:
            return "it is the event time"
        if kind == "input" and name in self.contract.entity_key:
            return "it is the entity key"
        if kind == "input":
            places = {
                feature.name: position for position, feature in enumerate(self.contract.features)
            }
            name = joint_contract(self.contract).features[places[name]].name
        return "the policy ignores it" if self.policy.ignores(name) else None

    def _since(
        self, counts: ColumnCounts, buckets: dict[int, CountedRows], metric: str
    ) -> int | None:
        """Return the bucket since which a column has drifted.

        It is the first of the unbroken run of drifted buckets at the end. If the last bucket has
        not drifted, it is the earliest that has; if none has, the first of all. Buckets above the
        limit but not above chance are skipped.
        """
        bins, drifted, end = counts.bins, [], True
        since = None
        for bucket, counted in reversed(buckets.items()):
            effect = effects(BinnedSides.from_training(bins, counted), self.policy).get(metric)
            if effect is None or effect.limit < effect.value <= effect.floor:
                continue
            end = end and effect.verdict == "drifted"
            if effect.verdict == "drifted":
                drifted.append(bucket)
                since = bucket if end else since
        return next(iter([since] if since is not None else [*drifted[-1:], *buckets]), None)

    def _timeline(
        self, counts: ColumnCounts, buckets: dict[int, CountedRows]
    ) -> Iterator[DriftBucket]:
        for bucket, counted in buckets.items():
            by_metric = effects(BinnedSides.from_training(counts.bins, counted), self.policy)
            yield DriftBucket(
                start=self.iso(bucket),
                end=self.iso(bucket + 1),
                rows=rows(counts.bins, counted.vector),
                values=_values(by_metric),
                verdict=overall(by_metric),
            )

    def _segments(
        self, counts: ColumnCounts, total: CountedRows, metric: str
    ) -> Iterator[DriftSegment]:
        bins = counts.bins
        for name in counts.segments if self.segments else ():
            own = counts.total(name)
            rest = measures(BinnedSides.from_training(bins, total - own))
            yield DriftSegment(
                name=name,
                rows=rows(bins, own.vector),
                values=measures(BinnedSides.from_training(bins, own)),
                without=rest.get(metric),
            )

    def _unit(self, kind: str, name: str) -> str | None:
        units = {feature.name: feature.unit for feature in self.contract.features}
        return units.get(name) if kind == "input" else None


def _independent(sides: BinnedSides) -> int | None:
    return None if sides.design_effects[1] == 1.0 else round(sides.independent_rows[1])


def _values(by_metric: dict[str, Effect]) -> dict[str, float]:
    return {name: effect.value for name, effect in by_metric.items()}


def _tails(counts: ColumnCounts, total: Integers) -> tuple[float, float]:
    size, all_rows = counts.bins.size, max(rows(counts.bins, total), 1)
    below, above = (int(total[size + kind]) / all_rows for kind in (Extra.BELOW, Extra.ABOVE))
    return below, above


def _quantiles(sides: BinnedSides) -> dict[str, tuple[float, float]]:
    before, now = (quantiles(sides.bins, side) for side in (sides.before, sides.now))
    return {name: (before[name], now[name]) for name in before if name in now}


def _new(counts: ColumnCounts) -> tuple[Count, ...]:
    by_frequency = sorted(counts.names.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(Count(reason=name, rows=n) for name, n in by_frequency[:_MOST_NAMES])


def _shape(counts: ColumnCounts, total: Integers) -> Shape:
    bins = counts.bins
    return Shape(
        training=tuple(bins.training[: bins.size].tolist()),
        serving=tuple(total[: bins.size].tolist()),
        edges=() if bins.edges is None else tuple(bins.edges.tolist()),
        labels=() if bins.edges is not None else bins.labels(),
    )
