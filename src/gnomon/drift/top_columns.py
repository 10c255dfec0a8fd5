"""The most important columns, which a terminal shows instead of the plots of a drift report."""

from __future__ import annotations

from collections.abc import Iterator

from gnomon import quantities
from gnomon.drift.drift_report import DriftColumn, DriftReport
from gnomon.drift.drift_summary import SIGNS, amount, ranked
from gnomon.drift.verdicts import NEVER
from gnomon.report.document import Section, Spark, Table, TableCell, TableColumn, TableRow

__all__ = ["brief"]

_MOST_COLUMNS = 10


def brief(report: DriftReport) -> Section:
    """Return a section with the most important columns: drifted, inconclusive, then outputs."""
    inconclusive = [c for c in report.columns if c.judged and c.verdict == "unknown"]
    outputs = [c for c in report.columns if c.kind == "output" and c.verdict == "ok"]
    columns = [*ranked(report.columns), *inconclusive, *outputs][:_MOST_COLUMNS]
    rest = len(report.columns) - len(columns)
    by = f"by {quantities.duration(report.seconds)}; half height is the limit"
    table = Table(
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="column", kind="name"),
            TableColumn(title="worst"),
            TableColumn(title="nulls", kind="number"),
            TableColumn(title="outside or new", kind="number"),
            TableColumn(title=by, kind="bars"),
        ),
        rows=tuple(map(_column, columns)),
        rest=f"and {quantities.plural(rest, 'more column')}" if rest else "",
    )
    return Section(title="Against training", blocks=(table,), where="terminal")


def _column(column: DriftColumn) -> TableRow:
    return TableRow(
        sign=SIGNS[column.verdict],
        cells=(
            TableCell(text=column.name, note=column.kind),
            TableCell(text=amount(column.worst, column.effects[column.worst])),
            TableCell(text=quantities.percent(column.nulls[1])),
            TableCell(text=_outside_or_new(column)),
            TableCell(sparks=tuple(_over_time(column))),
        ),
    )


def _outside_or_new(column: DriftColumn) -> str:
    if column.tails is not None:
        return quantities.percent(sum(column.tails))
    return quantities.percent(column.effects["new"].value) if "new" in column.effects else ""


def _over_time(column: DriftColumn) -> Iterator[Spark]:
    """Yield one bar for each bucket with rows; half height is the limit."""
    limit = column.effects[column.worst].limit
    for bucket in column.timeline:
        value = bucket.values.get(column.worst, 0.0)
        height = value / limit / 2 if limit < NEVER else 0.0
        yield Spark(height, "bad" if value > limit else "muted")
