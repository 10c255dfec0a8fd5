"""What a terminal shows of a drift report: the columns that matter, and the changes."""

from __future__ import annotations

from collections.abc import Iterator

from gnomon.drift.drift_summary import SIGNS, amount, ranked
from gnomon.drift.model import Alert, DriftColumn, DriftReport
from gnomon.drift.verdicts import NEVER
from gnomon.report import numbers
from gnomon.report.document import Sign, Spark, Table, TableCell, TableColumn, TableRow

__all__ = ["brief"]

_MOST_COLUMNS = 10
_MOST_ALERTS = 6


def brief(report: DriftReport) -> Iterator[Table]:
    """The evidence that a terminal shows."""
    if report.columns:
        yield _columns(report)
    if report.alerts:
        yield _alerts(report)


def _columns(report: DriftReport) -> Table:
    """The columns that matter: those that have drifted, else the outputs."""
    unsure = [c for c in report.columns if c.judged and c.verdict == "unknown"]
    outputs = [c for c in report.columns if c.kind == "output" and c.verdict == "ok"]
    shown = [*ranked(report.columns), *unsure, *outputs][:_MOST_COLUMNS]
    rest = len(report.columns) - len(shown)
    by = f"by {numbers.duration(report.seconds)}; half height is the limit"
    return Table(
        title="Against training",
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="column", kind="name"),
            TableColumn(title="worst"),
            TableColumn(title="nulls", kind="number"),
            TableColumn(title="outside or new", kind="number"),
            TableColumn(title=by, kind="bars"),
        ),
        rows=tuple(map(_column, shown)),
        rest=f"and {numbers.plural(rest, 'more column')}" if rest else "",
    )


def _column(column: DriftColumn) -> TableRow:
    return TableRow(
        sign=SIGNS[column.verdict],
        cells=(
            TableCell(text=column.name, note=column.kind),
            TableCell(text=amount(column.worst, column.effects[column.worst])),
            TableCell(text=numbers.percent(column.nulls[1])),
            TableCell(text=_beyond(column)),
            TableCell(sparks=tuple(_over_time(column))),
        ),
    )


def _beyond(column: DriftColumn) -> str:
    if column.tails is not None:
        return numbers.percent(sum(column.tails))
    return numbers.percent(column.effects["new"].value) if "new" in column.effects else ""


def _over_time(column: DriftColumn) -> Iterator[Spark]:
    """One character a bucket that has rows; half height is the limit."""
    limit = column.effects[column.worst].limit
    for moment in column.timeline:
        value = moment.values.get(column.worst, 0.0)
        height = value / limit / 2 if limit < NEVER else 0.0
        yield Spark(height, "bad" if value > limit else "muted")


def _alerts(report: DriftReport) -> Table:
    rest = len(report.alerts) - _MOST_ALERTS
    titles = ("column", "since (UTC)", "by how much", "rows")
    return Table(
        title="Changes within the range",
        columns=(TableColumn(kind="sign"), *(TableColumn(title=title) for title in titles)),
        rows=tuple(_alert(alert, report) for alert in report.alerts[:_MOST_ALERTS]),
        rest=f"and {numbers.plural(rest, 'more change')}" if rest > 0 else "",
    )


def _alert(alert: Alert, report: DriftReport) -> TableRow:
    where = f", {report.by} {alert.segment}" if alert.segment else ""
    return TableRow(
        sign=Sign("↯" if alert.change == "sudden" else "↗", "bad"),
        cells=(
            TableCell(text=f"{alert.name}{where}"),
            TableCell(text=f"{numbers.moment(alert.since, report.seconds)}, {alert.change}"),
            TableCell(text=amount(alert.metric, alert.effect), below=(alert.grown,)),
            TableCell(text="\n".join(alert.rows_that_show[:2])),
        ),
    )
