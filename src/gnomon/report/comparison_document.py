"""The document of a comparison of two sides: its verdict, its evidence, and the rows behind it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from rich.console import Console

from gnomon import quantities
from gnomon.report import numbers, plots
from gnomon.report.counts import Column
from gnomon.report.diagnosis import Walk
from gnomon.report.document import (
    Chart,
    CodeList,
    Document,
    Facts,
    Figure,
    FindingCard,
    Section,
    Sign,
    Table,
    TableCell,
    TableColumn,
    TableRow,
    VerdictLabel,
    Where,
)
from gnomon.report.halves_section import halves_section
from gnomon.report.html import document_page
from gnomon.report.lines import (
    DIFFERS,
    EQUAL,
    causes,
    coverage,
    figures,
    identity,
    reproduced,
    sign,
    spread,
)
from gnomon.report.model import Distribution, Example, OverTime, Report
from gnomon.report.terminal import render_document
from gnomon.terminal import Terminal

__all__ = ["comparison_document", "print_report", "to_html"]

_VERDICTS = {
    "diverged": VerdictLabel(DIFFERS, "diverged"),
    "ok": VerdictLabel(EQUAL, "agrees"),
    "unknown": VerdictLabel(Sign("?", "unsure"), "unknown"),
}
_TITLES = {
    "confirmed": "✓ Cause confirmed: {}",
    "described": "? Cause unknown; the difference: {}",
    "unknown": "? Cause unknown",
}
_COLUMNS_PER_STEP = 6
_MOST_COLUMNS_OVER_TIME = 20
_BRIEF_COLUMNS = 8
_EXAMPLES = 4
"""How many rows are shown; the others are folded away."""


def to_html(report: Report) -> str:
    """Render a comparison as one HTML page, without links to other files or addresses."""
    return document_page(comparison_document(report))


def print_report(report: Report, console: Console | None = None) -> None:
    """Print a comparison; on standard output when no console is given."""
    (console or Terminal()).print(render_document(comparison_document(report)))


def comparison_document(report: Report) -> Document:
    """Build the document of a comparison."""
    confidence = quantities.percent(report.divergence.confidence)
    return Document(
        title=report.title,
        verdict=_VERDICTS[report.verdict],
        sides=f"{report.left} against {report.right}",
        about=f"{report.subject.artifact}, {report.subject.role}",
        summary=tuple(report.summary.lines),
        figures=tuple(figures(report)),
        sections=tuple(_sections(report)),
        basis=(
            Facts(title="Rows", lines=tuple(coverage(report))),
            Facts(title="Identity", lines=tuple(identity(report))),
        ),
        command=report.command,
        foot=f"Differences are {report.left} minus {report.right}. Quantiles are within 1% of "
        f"their value. The interval, at {confidence} confidence, holds however often you look.",
    )


def _sections(report: Report) -> Iterator[Section]:
    if report.timeline:
        yield _over_time(report)
        yield from _columns_over_time(report)
    if report.walk:
        yield _walk(report, report.walk)
    if report.diagnosis:
        yield Section(blocks=tuple(_findings(report)))
    if report.swaps:
        yield Section(
            title="Columns that restore the answer",
            lead=f"Each column alone set to its {report.right} value, in rows that diverge; "
            f"everything else as {report.left}.",
            blocks=(_swaps(report),),
            where="both" if len(report.swaps) > 1 else "page",
        )
    if report.halves:
        yield halves_section(report.halves)
    if report.ladder:
        yield Section(
            title="The same rows, run again",
            lead="A sample of the rows, in other batches: if the answers change from one line to "
            "the next, the cause is in the artifact's code.",
            blocks=(_ladder(report),),
        )
    if report.distributions:
        agree = " Where the dashed line follows the bars, the two agree."
        yield Section(
            title="Both sides",
            lead=f"The same rows on both sides.{agree if report.verdict == 'ok' else ''}",
            blocks=tuple(_shape(report, shape) for shape in report.distributions),
            beside=True,
            where="page",
        )
    if report.examples:
        examples = tuple(_example(report, row) for row in report.examples)
        yield Section(
            title="Rows that diverge",
            lead="The worst first: changed decisions, then the largest differences.",
            blocks=examples[:_EXAMPLES],
            more=examples[_EXAMPLES:],
            beside=True,
            where="page",
        )
    if report.columns:
        yield Section(
            title="Every column compared",
            lead=f"Over all {quantities.rows(report.coverage.compared)}. "
            "Exact means bit-identical.",
            blocks=(_columns(report),),
        )


def _over_time(report: Report) -> Section:
    timeline = report.timeline
    assert timeline is not None
    if not report.divergence.rows:
        first, last = timeline.buckets[0].start, timeline.buckets[-1].end
        return Section(
            title="Over time",
            lead=f"No row diverges from {numbers.utc_time(first)} to {numbers.utc_time(last)}, by "
            f"{numbers.axis(timeline.axis)}.",
            blocks=(),
            where="page",
        )
    chart = Chart(
        plot=plots.over_time(timeline),
        title="divergence over time",
        y_label="% of rows that diverge",
        x_label=numbers.axis(timeline.axis),
        style="bad",
    )
    return Section(
        title="Over time",
        lead=f"Share of rows that diverge, in buckets of {quantities.duration(timeline.seconds)}.",
        blocks=(Figure(charts=(chart,)),),
    )


def _columns_over_time(report: Report) -> Iterator[Section]:
    """Plot the columns that differ at some time, on one time axis."""
    differing = [c for c in report.over_time if any(m.consistency < 1 for m in c.buckets)]
    if not differing or not report.divergence.rows:
        return
    width = max(column.seconds for column in report.over_time)
    starts = [numbers.seconds(m.start) for c in report.over_time for m in c.buckets]
    begin, end = min(starts), max(starts) + width
    by = quantities.duration(differing[0].seconds)
    table = Table(
        columns=(
            TableColumn(title="Column", kind="name"),
            TableColumn(title=f"Share of rows that diverge, by {by}, 0 to 100%", kind="bars"),
            TableColumn(title="At worst", kind="number", label="at worst"),
        ),
        rows=tuple(
            _column_over_time(column, begin, end) for column in differing[:_MOST_COLUMNS_OVER_TIME]
        ),
    )
    yield Section(blocks=(table,), where="page")


def _column_over_time(column: OverTime, begin: float, end: float) -> TableRow:
    worst = min(column.buckets, key=lambda bucket: bucket.consistency)
    share = quantities.percent(1 - worst.consistency)
    return TableRow(
        cells=(
            TableCell(
                text=column.column,
                code=True,
                note=f"{column.kind}, estimated" if column.sampled else column.kind,
            ),
            TableCell(
                text=f"{column.column} over time", bars=plots.column_over_time(column, begin, end)
            ),
            TableCell(text=f"{share} at {numbers.utc_time(worst.start, column.seconds)}"),
        )
    )


def _walk(report: Report, walk: Walk) -> Section:
    sides = f"{report.left} {quantities.MINUS} {report.right}"
    table = Table(
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="Step and column", kind="name"),
            TableColumn(title="Rows that differ"),
            TableColumn(title=sides, kind="number", label=sides),
        ),
        rows=tuple(_steps(walk)),
    )
    return Section(
        title="Step by step",
        lead=f"{quantities.rows(walk.rows)} followed through the pipeline, in the order it "
        f"computes. {reproduced(walk)} A difference is its median, and its 5% and 95% quantiles.",
        blocks=(table,),
        where="both" if walk.first else "page",
    )


def _steps(walk: Walk) -> Iterator[TableRow]:
    """Yield a row for each step of the walk, and for up to six of its columns that differ."""
    for step, group in groupby(walk.columns, key=lambda column: column.place):
        columns = list(group)
        differing = [column for column in columns if column.diverged]
        total = quantities.plural(len(columns), "column")
        note = f"{len(differing)} of {total} differ" if differing else f"{total}, all equal"
        name = TableCell(text=step, note=note)
        yield TableRow(cells=(name,), sign=sign(bool(differing)), level="group")
        for column in differing[:_COLUMNS_PER_STEP]:
            yield _step_row(column, first=column.name == walk.first)
        if (more := len(differing) - _COLUMNS_PER_STEP) > 0:
            rest = TableCell(text=f"and {more} more columns that differ", tone="muted")
            yield TableRow(cells=(rest,), level="member")


def _step_row(column: Column, *, first: bool) -> TableRow:
    return TableRow(
        cells=(
            TableCell(text=column.bare, code=True, tag="first to differ" if first else ""),
            TableCell(text=quantities.percent(column.share), meter=column.share),
            TableCell(text=spread(column)),
        ),
        level="first" if first else "member",
    )


def _findings(report: Report) -> Iterator[FindingCard]:
    assert report.diagnosis is not None
    for name, diagnosis, about in causes(report.diagnosis):
        confirmed = diagnosis.verdict == "confirmed"
        if diagnosis.verdict != "unknown" and diagnosis.repaired:
            of = quantities.rows(diagnosis.repaired.of)
            about += (
                f"; after undoing it, {quantities.count(diagnosis.repaired.rows)} of {of} agree"
            )
        yield FindingCard(
            severity="good" if confirmed else "unsure",
            title=_TITLES[diagnosis.verdict].format(name),
            says=diagnosis.sentence,
            about=about.removeprefix("; "),
            evidence=diagnosis.evidence,
            # The summary has the first one's action.
            action="" if diagnosis is report.diagnosis else diagnosis.action,
        )


def _ladder(report: Report) -> Table:
    """Build a row for each rung: its name, how it ran, and how many rows equal either side."""
    left, right = f"as {report.left}", f"as {report.right}"
    rows = []
    for rung in report.ladder:
        of = quantities.count(rung.rows)
        as_right = "" if rung.as_right is None else f"{quantities.count(rung.as_right)} of {of}"
        texts = (rung.name, rung.what, f"{quantities.count(rung.as_left)} of {of}", as_right)
        rows.append(TableRow(cells=tuple(TableCell(text=text) for text in texts)))
    return Table(
        columns=(
            TableColumn(),
            TableColumn(title="How they were run", kind="name"),
            TableColumn(title=left.capitalize(), kind="number", label=left),
            TableColumn(title=right.capitalize(), kind="number", label=right),
        ),
        rows=tuple(rows),
    )


def _swaps(report: Report) -> Table:
    """Build a row for each column set to the right side's values: its effect on the answers."""
    rows = []
    for swap in report.swaps:
        back = f"{quantities.count(swap.back.rows)} of {quantities.count(swap.back.of)}"
        apart = f"{quantities.number(swap.apart, 3)} to {quantities.number(swap.left, 3)}"
        name = TableCell(text=swap.column, code=True)
        rows.append(TableRow(cells=(name, TableCell(text=back), TableCell(text=apart))))
    return Table(
        columns=(
            TableColumn(title="Column", kind="name"),
            TableColumn(title="Rows that agree again", kind="number", label="agree again"),
            TableColumn(
                title="Mean difference, before to after", kind="number", label="mean difference"
            ),
        ),
        rows=tuple(rows),
    )


def _shape(report: Report, shape: Distribution) -> Figure:
    names = (report.left, report.right)
    rows = f"% of {quantities.rows(shape.rows)}"
    if shape.sampled != shape.rows:
        rows += f", estimated from {quantities.count(shape.sampled)}"
    if not shape.edges:
        pairs = plots.pairs(shape)
        return Figure(name=shape.axis.label, legend=names, pairs=pairs, pairs_label=rows)
    chart = Chart(
        plot=plots.histogram(shape, names),
        title=f"{shape.axis.label}, both sides",
        y_label=rows,
        x_label=numbers.axis(shape.axis),
        style="side",
    )
    return Figure(name=shape.axis.label, legend=names, charts=(chart,))


def _example(report: Report, row: Example) -> Table:
    keys = " · ".join(f"{name} {numbers.value(v)}" for name, v in row.key.items())
    place = f"row {row.row}" if row.row else ""
    cells = []
    for cell in row.cells:
        step, _, bare = cell.column.rpartition("/")
        left, right = numbers.pair(cell.left, cell.right)
        name = TableCell(text=bare, note=step, code=True)
        values = (TableCell(text=left), TableCell(text=right))
        cells.append(TableRow(cells=(name, *values), sign=sign(cell.diverged)))
    return Table(
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="Column", kind="name"),
            TableColumn(title=report.left, kind="ids", label=report.left),
            TableColumn(title=report.right, kind="ids", label=report.right),
        ),
        rows=tuple(cells),
        sides=True,
        about=CodeList(
            strong=keys,
            title=f"arrived {numbers.utc_time(row.arrived)} UTC",
            entries=((row.request_id, place),),
        ),
    )


def _columns(report: Report) -> Table:
    brief = [c for c in report.columns if c.kind == "output" or c.diverged][:_BRIEF_COLUMNS]
    rest, note = len(report.columns) - len(brief), ""
    if rest:
        differing = sum(c.diverged > 0 for c in report.columns) - sum(c.diverged > 0 for c in brief)
        agree = f"{differing} of them differ" if differing else "all of them agree"
        note = f"and {quantities.plural(rest, 'more column')}; {agree}"
    nulls = f"Null {report.left} / {report.right} / both"
    sides = f"{report.left} {quantities.MINUS} {report.right}"
    return Table(
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="Column", kind="name"),
            TableColumn(title="Agrees when", label="agrees when", where="page"),
            TableColumn(title="Diverge", kind="number", label="diverge"),
            TableColumn(title="Exact", kind="number", label="exact"),
            TableColumn(title="Flips", kind="number", label="flips", where="page"),
            TableColumn(title="SMAPE", kind="number", label="SMAPE", where="page"),
            TableColumn(title=nulls, kind="number", label="null", where="page"),
            TableColumn(title=sides, kind="number", label="difference"),
        ),
        rows=tuple(
            _column(column, "both" if column in brief else "page") for column in report.columns
        ),
        rest=note,
    )


def _column(column: Column, where: Where) -> TableRow:
    nulls = (column.left_null, column.right_null, column.both_null)
    return TableRow(
        sign=sign(bool(column.diverged)),
        where=where,
        cells=(
            TableCell(
                text=column.name,
                code=True,
                note=f"{column.kind}, {column.unit}" if column.unit else column.kind,
            ),
            TableCell(text=column.tolerance),
            TableCell(text=quantities.percent(column.share)),
            TableCell(text=quantities.percent(column.exact / column.rows if column.rows else 0.0)),
            TableCell(text="" if column.flips is None else quantities.count(column.flips)),
            TableCell(text="" if column.smape is None else quantities.percent(column.smape)),
            TableCell(text=" / ".join(map(quantities.count, nulls))),
            TableCell(text=spread(column)),
        ),
    )
