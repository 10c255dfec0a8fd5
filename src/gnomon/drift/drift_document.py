"""The document of a drift report: its verdict and its evidence."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from gnomon import quantities
from gnomon.drift import plots
from gnomon.drift.drift_report import Alert, DriftColumn, DriftReport, DriftSegment
from gnomon.drift.drift_summary import METRICS, SIGNS, amount, ranked
from gnomon.drift.top_columns import brief
from gnomon.report import numbers
from gnomon.report.document import (
    Chart,
    CodeList,
    Document,
    Facts,
    Figure,
    Lines,
    Section,
    Sign,
    Table,
    TableCell,
    TableColumn,
    TableRow,
    VerdictLabel,
)
from gnomon.report.html import document_page
from gnomon.report.terminal import render_document
from gnomon.terminal import Terminal

__all__ = ["drift_document", "print_report", "to_html"]

_WORDS = {"drifted": "drifted", "ok": "no drift", "unknown": "unknown"}
_MOST_SHAPES = 8
_MOST_SPLIT = 3
_MOST_ALERTS = 8
_NOT_NULL = "% of rows that are not null"


def to_html(report: DriftReport) -> str:
    """Render a drift report as one HTML page, without links to other files or addresses."""
    return document_page(drift_document(report))


def print_report(report: DriftReport, console: Console | None = None) -> None:
    """Print a drift report; on standard output when no console is given."""
    (console or Terminal()).print(render_document(drift_document(report)))


def drift_document(report: DriftReport) -> Document:
    """Build the document of a drift report."""
    return Document(
        title=report.title,
        verdict=VerdictLabel(SIGNS[report.verdict], _WORDS[report.verdict]),
        sides="training against served",
        about=f"{report.subject.artifact}, {report.subject.role}",
        summary=tuple(report.summary.lines),
        figures=_figures(report),
        sections=tuple(_sections(report)),
        basis=(Facts(lines=_identity(report)),),
        command=report.command,
        foot="Effect sizes decide: a column has drifted when a metric is above the policy's limit "
        "and above what chance alone produces with this many rows. Rows of one entity count for "
        "less where they are alike; where the contract has no entity key, chance may produce more "
        "than is stated here.",
    )


def _sections(report: DriftReport) -> Iterator[Section]:
    plotted = _plotted_columns(report)
    if plotted:
        yield Section(
            title="Training and served",
            lead="Share of rows in each training bin. Bins are drawn equally wide; without drift, "
            "the dashed line follows the bars.",
            blocks=tuple(_shape(column, report) for column in plotted),
            beside=True,
            where="page",
        )
    if report.columns:
        yield brief(report)
    if report.alerts:
        yield Section(
            title="Changes within the range",
            lead="↯ Sudden: one time bucket against those before it. ↗ Slow: the last third of "
            "the range against the first.",
            blocks=(_changes(report),),
        )
    for column in [c for c in plotted if len(c.segments) > 1][:_MOST_SPLIT]:
        yield Section(
            title=f"{column.name} by {report.by}",
            lead="Each segment, and all rows without it, compared with all of training.",
            blocks=(_split(column, report),),
            where="page",
        )
    if report.columns:
        yield Section(
            title="Every column",
            lead="Over the entire range, against training. In brackets: the value that chance "
            "alone may produce. Wasserstein is in standard deviations of training.",
            blocks=(_metrics_table(report),),
            where="page",
        )


def _plotted_columns(report: DriftReport) -> list[DriftColumn]:
    """Return the columns to plot: drifted, changed, or an output."""
    changed = {(alert.kind, alert.name) for alert in report.alerts}
    others = [c for c in report.columns if (c.kind, c.name) in changed or c.kind == "output"]
    columns = {(c.kind, c.name): c for c in [*ranked(report.columns), *others]}
    return list(columns.values())[:_MOST_SHAPES]


def _shape(column: DriftColumn, report: DriftReport) -> Figure:
    return Figure(
        sign=SIGNS[column.verdict],
        name=column.name,
        note=column.kind,
        says=amount(column.worst, column.effects[column.worst]),
        legend=("training", "served"),
        charts=tuple(_charts(column, report)),
        pairs=plots.labelled(column),
        pairs_label=_NOT_NULL,
        captions=tuple(_captions(column)),
    )


def _charts(column: DriftColumn, report: DriftReport) -> Iterator[Chart]:
    overlay = plots.laid_over(column)
    if overlay is not None:
        yield Chart(
            plot=overlay,
            title=f"{column.name}, training and served",
            y_label=_NOT_NULL,
            x_label=f"{column.name} ({column.unit})" if column.unit else column.name,
            style="side",
        )
    effects = plots.effects(column, report)
    if effects is not None:
        metric = METRICS[column.worst]
        limit = "; dashed is the limit" if effects.outline else ""
        yield Chart(
            plot=effects,
            title=f"{metric} over time",
            y_label=f"{metric} against training{limit}",
            x_label=numbers.axis(report.axis),
            style="bad",
        )


def _captions(column: DriftColumn) -> Iterator[CodeList]:
    if column.largest_increase:
        rows = tuple((row, "") for row in column.example_rows)
        heading = " Example rows:" if rows else ""
        yield CodeList(title=f"Largest increase: {column.largest_increase}.{heading}", entries=rows)
    if column.new:
        entries = tuple(
            (new_value.reason, quantities.rows(new_value.rows)) for new_value in column.new
        )
        yield CodeList(title="New:", entries=entries)


def _changes(report: DriftReport) -> Table:
    rows = tuple(_change(alert, report) for alert in report.alerts)
    rest = len(rows) - _MOST_ALERTS
    return Table(
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="Column", kind="name"),
            TableColumn(title="Since (UTC)", kind="time", label="since"),
            TableColumn(title="By how much", label="by"),
            TableColumn(title="Example rows", kind="ids", label="rows"),
        ),
        rows=rows[:_MOST_ALERTS],
        more=rows[_MOST_ALERTS:],
        more_title=f"{rest} more",
        rest=f"and {quantities.plural(rest, 'more change')}" if rest > 0 else "",
    )


def _change(alert: Alert, report: DriftReport) -> TableRow:
    where = f", {report.by} {alert.segment}" if alert.segment else ""
    before, after = quantities.rows(alert.before), quantities.rows(alert.after)
    is_slow = alert.change == "slow"
    counts = (
        f"{before} at the beginning of the range, {after} at its end"
        if is_slow
        else f"{before} before, {after} since"
    )
    return TableRow(
        sign=Sign("↗" if is_slow else "↯", "bad"),
        cells=(
            TableCell(text=alert.name, code=True, note=f"{alert.change}{where}"),
            TableCell(text=numbers.utc_time(alert.since, report.seconds)),
            TableCell(
                text=amount(alert.metric, alert.effect),
                below=(f"{alert.largest_increase}; {counts}",),
            ),
            TableCell(text="\n".join(alert.example_rows)),
        ),
    )


def _split(column: DriftColumn, report: DriftReport) -> Table:
    metric = METRICS[column.worst]
    return Table(
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title=report.by or "", kind="name"),
            TableColumn(title="Rows", kind="number", label="rows"),
            TableColumn(title=metric, kind="number", label=metric),
            TableColumn(title="Without it", kind="number", label="without it"),
            TableColumn(title="Nulls", kind="number", label="null change"),
        ),
        rows=tuple(_segment(segment, column) for segment in column.segments),
    )


def _segment(segment: DriftSegment, column: DriftColumn) -> TableRow:
    limit, without = column.effects[column.worst].limit, segment.without
    is_cause = without is not None and without <= limit and column.verdict == "drifted"
    return TableRow(
        sign=Sign("◀", "bad") if is_cause else None,
        cells=(
            TableCell(text=segment.name, tag="without it, within the limit" if is_cause else ""),
            TableCell(text=quantities.count(segment.rows)),
            TableCell(text=f"{segment.values.get(column.worst, 0.0):.3f}"),
            TableCell(text="" if without is None else f"{without:.3f}"),
            TableCell(text=quantities.percent(segment.values.get("nulls", 0.0))),
        ),
    )


def _metrics_table(report: DriftReport) -> Table:
    steps = [column for column in report.columns if column.kind == "step"]
    metrics = (TableColumn(title=name, kind="number", label=name) for name in METRICS.values())
    return Table(
        columns=(
            TableColumn(kind="sign"),
            TableColumn(title="Column", kind="name"),
            TableColumn(title="Rows", kind="number", label="rows"),
            *metrics,
            TableColumn(title="Median, training / served", kind="number", label="median"),
        ),
        rows=tuple(_column(column) for column in report.columns if column.kind != "step"),
        more=tuple(map(_column, steps)),
        more_title=f"{len(steps)} columns of steps, over {quantities.rows(report.traced)}",
    )


def _column(column: DriftColumn) -> TableRow:
    note = f"{column.kind}, UTC" if column.is_time else column.kind
    note += f"; not judged: {column.why}" if column.why else ""
    return TableRow(
        sign=SIGNS[column.verdict] if column.judged else Sign("·"),
        cells=(
            TableCell(text=column.name, code=True, note=note),
            TableCell(text=quantities.count(column.rows)),
            *(_effect(column, metric) for metric in METRICS),
            _medians(column),
        ),
    )


def _medians(column: DriftColumn) -> TableCell:
    if not column.quantiles:
        return TableCell()
    if column.is_time:  # To the minute and in small print: the table is wide enough without.
        training, served = (
            numbers.utc_time(numbers.timestamp(time), 60) for time in column.quantiles["p50"]
        )
        return TableCell(below=(f"{training} /", served))
    training, served = map(numbers.value, column.quantiles["p50"])
    return TableCell(text=f"{training} /", below=(served,))


def _effect(column: DriftColumn, metric: str) -> TableCell:
    effect = column.effects.get(metric)
    if effect is None:
        return TableCell()
    has_drifted = effect.verdict == "drifted"
    return TableCell(
        text=f"{'≠ ' if has_drifted else ''}{effect.value:.3f}",
        below=(f"({effect.floor:.3f})",),
        tone="bad" if has_drifted else "plain",
    )


def _figures(report: DriftReport) -> Lines:
    judged = sum(column.judged for column in report.columns)
    drifted = len(ranked(report.columns))
    return (
        (quantities.count(report.rows), "rows counted"),
        (f"{drifted} of {judged}", "judged columns drifted from training"),
        (str(len(report.alerts)), "changes within the range"),
        (quantities.duration(report.seconds), "per time bucket"),
    )


def _identity(report: DriftReport) -> Lines:
    subject, span = report.subject, []
    if report.start and report.end:
        ends = (numbers.utc_time(time, report.seconds) for time in (report.start, report.end))
        span.append(("Range", f"{' to '.join(ends)}, {numbers.axis(report.axis)}"))
    return (
        ("Model", subject.model),
        ("Artifact", f"{subject.artifact}, {subject.role}"),
        ("Digest", subject.digest[:12]),
        *span,
        ("Policy", report.policy),
        ("Run again for steps", quantities.rows(report.traced)),
        ("Made", f"{numbers.utc_time(report.created)} UTC"),
    )
