"""The data of a drift report, from which its terminal, JSON and HTML forms are made."""

from __future__ import annotations

from typing import Literal

import msgspec

from gnomon.formats import Format, decode
from gnomon.notebook import NotebookTable
from gnomon.report import Axis, BaseReport, Count

__all__ = [
    "FORMAT",
    "Alert",
    "DriftBucket",
    "DriftColumn",
    "DriftReport",
    "DriftSegment",
    "Effect",
    "Shape",
    "Verdict",
]

FORMAT = 1

_KIND = Format("drift report", FORMAT, hint="run the command again, or restore it from a backup")

Verdict = Literal["ok", "drifted", "unknown"]

_COLUMNS = (
    *("kind", "column", "verdict", "judged", "rows"),
    *("metric", "value", "limit", "floor", "since"),
)


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one column.

    Attributes:
        value: how far the rows differ from training.
        limit: the policy's limit.
        floor: the value that chance alone may give with this many rows; see ``chance.floors``.
        verdict: ``drifted`` when above both; ``unknown`` when there are too few rows to decide.
    """

    value: float
    limit: float
    floor: float
    verdict: Verdict


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Rows by bin, in training and as served, without nulls.

    Numbers have ``edges``, which are the inner ones; all other columns have ``labels``.
    """

    training: tuple[int, ...]
    serving: tuple[int, ...]
    edges: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


class DriftBucket(msgspec.Struct, frozen=True, kw_only=True):
    """One time bucket. ``start`` and ``end`` are ISO 8601 in UTC.

    Attributes:
        values: every metric against training.
        verdict: the verdict on the rows of this bucket alone.
    """

    start: str
    end: str
    rows: int
    values: dict[str, float]
    verdict: Verdict


class DriftSegment(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the rows, against all of training, because the training profile is not split.

    Attributes:
        values: every metric of these rows. They are not judged, because a part always differs.
        without: the column's worst metric over all other rows; where it is below the limit, the
            drift is in this segment.
    """

    name: str
    rows: int
    values: dict[str, float]
    without: float | None = None


class DriftColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column against its training profile.

    Attributes:
        kind: ``input`` (a raw feature), ``step`` (a transformed one) or ``output``.
        rows: rows counted; for a step, a sample.
        training_rows: training rows that were counted.
        independent_rows: as how many independent rows the rows count, because entities repeat; None
            if each counts.
        judged: whether the verdict of the report depends on it; if not, ``why`` is the reason.
        effects: the effects by metric, over the entire range.
        worst: the metric that exceeds its limit the most.
        nulls: the share of nulls in training and now.
        tails: the share below training's least and above its greatest value.
        quantiles: ``p05`` ... ``p95`` in training and now; empty if the column is not a number.
        is_time: whether values are timestamps, in seconds since 1970.
        new: values training did not have, most frequent first.
        since: the bucket since which it has drifted; None when it has not.
        largest_increase: the part of the column whose share grew the most, in words.
        example_rows: some rows in that part: request id and row.
    """

    kind: Literal["input", "step", "output"]
    name: str
    rows: int
    training_rows: int
    verdict: Verdict
    judged: bool
    effects: dict[str, Effect]
    worst: str
    nulls: tuple[float, float]
    shape: Shape
    independent_rows: int | None = None
    unit: str | None = None
    is_time: bool = False
    why: str | None = None
    tails: tuple[float, float] | None = None
    quantiles: dict[str, tuple[float, float]] = {}
    new: tuple[Count, ...] = ()
    since: str | None = None
    largest_increase: str | None = msgspec.field(default=None, name="grown")
    example_rows: tuple[str, ...] = msgspec.field(default=(), name="rows_that_show")
    timeline: tuple[DriftBucket, ...] = ()
    segments: tuple[DriftSegment, ...] = ()


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """A column that changed within the range.

    Attributes:
        change: ``sudden`` (one bucket against those before it) or ``slow`` (the last third of the
            range against the first).
        segment: the segment whose rows changed; None for all rows.
        since: when it began, ISO 8601 in UTC.
        before: how many rows are before the change, since the previous one; of a slow change, how
            many at the beginning of the range are compared.
        after: how many rows there are since the change; of a slow one, how many at the end of the
            range are compared.
        effect: the size of the change in ``metric``.
        largest_increase: as in a :class:`DriftColumn`; likewise ``example_rows``.
    """

    kind: Literal["input", "step", "output"]
    name: str
    change: Literal["sudden", "slow"]
    metric: str
    effect: Effect
    since: str
    before: int
    after: int
    largest_increase: str = msgspec.field(name="grown")
    segment: str | None = None
    example_rows: tuple[str, ...] = msgspec.field(default=(), name="rows_that_show")


class DriftReport(BaseReport, frozen=True, kw_only=True):
    """An artifact's served rows, compared with its training data.

    Attributes:
        verdict: ``drifted`` when a column that is judged has drifted or changed; ``unknown`` when
            there are too few rows to decide.
        rows: answered rows that were counted.
        traced: rows that were run again for the step columns.
        axis: the time axis: event time or arrival.
        seconds: the width of a bucket.
        by: the feature that defines the segments.
    """

    format: int = FORMAT
    verdict: Verdict
    rows: int
    traced: int
    axis: Axis
    seconds: float
    by: str | None = None
    start: str | None = None
    end: str | None = None
    columns: tuple[DriftColumn, ...] = ()
    alerts: tuple[Alert, ...] = ()
    notes: tuple[str, ...] = ()

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{self.subject.artifact}, {self.subject.role}: {self.title}",
            verdict=self.verdict,
            columns=_COLUMNS,
            rows=[_overview_row(column) for column in self.columns],
        )

    @classmethod
    def from_json(cls, data: str | bytes, where: str = "drift report") -> DriftReport:
        """Read a report that :meth:`to_json` wrote; ``where`` is its name in errors.

        Raises:
            NewerFormat: a newer version of Gnomon wrote it.
            UnreadableFile: it is not a drift report.
        """
        return decode(data, cls, _KIND, where)


def _overview_row(column: DriftColumn) -> tuple[object, ...]:
    """Return a column's row of the overview, by its worst metric."""
    effect = column.effects[column.worst]
    return (
        *(column.kind, column.name, column.verdict, column.judged, column.rows, column.worst),
        *(effect.value, effect.limit, effect.floor, column.since),
    )
