"""What a terminal shows of a comparison: less than the page, and in fewer columns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from gnomon.report import numbers
from gnomon.report.counts import Column
from gnomon.report.diagnosis import Diagnosis, Walk
from gnomon.report.document import Sign, Spark, Sparkline, Table, TableCell, TableColumn, TableRow
from gnomon.report.lines import causes, ladder_table, sign, spread, swaps_table
from gnomon.report.model import Report, Timeline

__all__ = ["brief"]

_COLUMNS_PER_STEP = 3
_MOST_COLUMNS = 8


def brief(report: Report) -> Iterator[Table | Sparkline]:
    """The evidence that a terminal shows."""
    if report.timeline and report.divergence.rows:
        yield _over_time(report.timeline)
    if report.diagnosis and report.diagnosis.cause:
        yield _causes(report.diagnosis)
        if len(report.swaps) > 1:
            yield swaps_table(report, most=_MOST_COLUMNS)
        if report.ladder:
            yield ladder_table(report)
    if report.walk and report.walk.first:
        yield _steps(report.walk, report)
    if report.columns:
        yield _columns(report)


def _over_time(timeline: Timeline) -> Sparkline:
    """One character a bucket: its height is the share of rows that diverge."""
    by_start = {numbers.seconds(b.start): b for b in timeline.buckets}
    first, last = min(by_start), max(by_start)
    sparks = []
    for at in range(round((last - first) / timeline.seconds) + 1):
        bucket = by_start.get(first + at * timeline.seconds)
        sparks.append(Spark(bucket.diverged / bucket.rows if bucket else 0.0, "bad"))
    ends = (timeline.buckets[0].start, timeline.buckets[-1].end)
    low, high = (numbers.moment(end, timeline.seconds) for end in ends)
    return Sparkline(
        title="Share of rows that diverge",
        sparks=tuple(sparks),
        caption=f"{low} to {high}, {numbers.axis(timeline.axis)}; one character is "
        f"{numbers.duration(timeline.seconds)}, full height is 100%",
    )


def _causes(diagnosis: Diagnosis) -> Table:
    """Every cause, with its proof."""
    rows = []
    for name, one, about in causes(diagnosis):
        confirmed, proof = one.verdict == "confirmed", ""
        if confirmed and one.repaired:
            of = numbers.rows(one.repaired.of)
            proof = f"\nundone, {numbers.count(one.repaired.rows)} of {of} agree"
        rows.append(
            TableRow(
                sign=Sign("✓", "good") if confirmed else Sign("?", "unsure"),
                cells=(
                    TableCell(text=name),
                    TableCell(text=f"{about}{proof}".strip() or one.sentence),
                ),
                level="group",
            )
        )
    columns = (TableColumn(kind="sign"), TableColumn(kind="name"), TableColumn(kind="prose"))
    return Table(title="Why", columns=columns, rows=tuple(rows))


def _steps(walk: Walk, report: Report) -> Table:
    rows = []
    for step, group in groupby(walk.columns, key=lambda column: column.place):
        columns = list(group)
        differing = [c for c in columns if c.diverged]
        total = numbers.plural(len(columns), "column")
        note = f"{len(differing)} of {total}" if differing else f"{total} equal"
        rows.append(
            TableRow(
                cells=(TableCell(text=step), TableCell(text=note, tone="muted")),
                sign=sign(bool(differing)),
                level="group",
            )
        )
        rows += [_of_step(column, walk.first) for column in differing[:_COLUMNS_PER_STEP]]
        if len(differing) > _COLUMNS_PER_STEP:
            rest = f"and {len(differing) - _COLUMNS_PER_STEP} more"
            rows.append(TableRow(cells=(TableCell(text=rest, tone="muted"),), level="member"))
    return Table(
        title="Step by step",
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="step, column", kind="name"),
            TableColumn(title="rows that differ", kind="number"),
            TableColumn(title=f"{report.left} {numbers.MINUS} {report.right}", kind="number"),
        ),
        rows=tuple(rows),
    )


def _of_step(column: Column, first: str | None) -> TableRow:
    return TableRow(
        cells=(
            TableCell(text=column.bare, tag="first to differ" if column.name == first else ""),
            TableCell(text=numbers.percent(column.share)),
            TableCell(text=spread(column)),
        ),
        level="member",
    )


def _columns(report: Report) -> Table:
    shown = [c for c in report.columns if c.kind == "output" or c.diverged][:_MOST_COLUMNS]
    rest, note = len(report.columns) - len(shown), ""
    if rest:
        differing = sum(c.diverged > 0 for c in report.columns) - sum(c.diverged > 0 for c in shown)
        agree = f"{differing} of them differ" if differing else "all of them agree"
        note = f"and {numbers.plural(rest, 'more column')}; {agree}"
    return Table(
        title=f"Over all {numbers.rows(report.coverage.compared)} compared",
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="column", kind="name"),
            TableColumn(title="diverge", kind="number"),
            TableColumn(title="exact", kind="number"),
            TableColumn(title=f"{report.left} {numbers.MINUS} {report.right}", kind="number"),
        ),
        rows=tuple(map(_column, shown)),
        rest=note,
    )


def _column(column: Column) -> TableRow:
    exact = column.exact / column.rows if column.rows else 0.0
    texts = (column.name, numbers.percent(column.share), numbers.percent(exact), spread(column))
    cells = tuple(TableCell(text=text) for text in texts)
    return TableRow(cells=cells, sign=sign(bool(column.diverged)))
