"""A report in the terminal: what a person grasps in ten seconds, then the evidence."""

from __future__ import annotations

import math
from itertools import groupby

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gnomon.report import numbers
from gnomon.report.counts import Column
from gnomon.report.diagnosis import Walk
from gnomon.report.lines import causes, ladder, spread, summary, swaps
from gnomon.report.model import Report, Timeline
from gnomon.terminal import Terminal

__all__ = ["print_report", "render"]

_SIGNS = {
    "diverged": ("≠ DIVERGED", "bold red"),
    "ok": ("= AGREES", "bold green"),
    "unknown": ("? UNKNOWN", "bold yellow"),
}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_COLUMNS_PER_STEP = 3
_MOST_COLUMNS = 8


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the report; on standard output when no console is given."""
    (console or Terminal()).print(render(report))


def render(report: Report) -> RenderableType:
    """The report as something rich can print."""
    parts: list[RenderableType] = [_head(report)]
    if report.timeline and report.divergence.rows:
        parts.append(Padding(_over_time(report.timeline), (1, 2, 0, 2)))
    if report.diagnosis and report.diagnosis.cause:
        parts.append(Padding(_causes(report), (1, 2, 0, 2)))
    if report.walk and report.walk.first:
        parts.append(Padding(_steps(report.walk, report), (1, 2, 0, 2)))
    if report.columns:
        parts.append(Padding(_columns(report), (1, 2, 0, 2)))
    return Group(*parts)


def _head(report: Report) -> Panel:
    sign, style = _SIGNS[report.verdict]
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column()
    for label, text in summary(report):
        lines.add_row(label, _marked(text))
    title = _marked(report.title)
    title.stylize("bold")
    return Panel(
        Group(title, "", lines),
        title=Text(f" {sign} ", style),
        title_align="left",
        subtitle=Text(f" {report.subject.artifact}, {report.subject.role} ", "dim"),
        subtitle_align="right",
        border_style=style.removeprefix("bold "),
        padding=(1, 2),
    )


def _over_time(timeline: Timeline) -> RenderableType:
    """One character a bucket: its height is the share of rows that diverge."""
    by_start = {numbers.seconds(b.start): b for b in timeline.buckets}
    first, last = min(by_start), max(by_start)
    line = Text()
    for at in range(round((last - first) / timeline.seconds) + 1):
        bucket = by_start.get(first + at * timeline.seconds)
        share = bucket.diverged / bucket.rows if bucket else 0.0
        line.append(_BLOCKS[math.ceil(share * 8)], "red")
    ends = (timeline.buckets[0].start, timeline.buckets[-1].end)
    low, high = (numbers.moment(end, timeline.seconds) for end in ends)
    caption = (
        f"{low} to {high}, {numbers.axis(timeline.axis)}; "
        f"one character is {numbers.duration(timeline.seconds)}, full height is 100%"
    )
    return Group(Text("Share of rows that diverge", "bold"), line, Text(caption, "dim"))


def _causes(report: Report) -> RenderableType:
    """Every cause, with its proof; then the rungs of the ladder."""
    assert report.diagnosis is not None
    table = Table(
        title="Why", title_style="bold", title_justify="left", box=None,
        pad_edge=False, show_header=False,
    )  # fmt: skip
    table.add_column("")
    table.add_column("cause", no_wrap=True)
    table.add_column("about", overflow="fold")
    for name, one, about in causes(report.diagnosis):
        sign = Text("✓", "green") if one.verdict == "confirmed" else Text("?", "yellow")
        proof = ""
        if one.verdict == "confirmed" and one.repaired:
            of = numbers.rows(one.repaired.of)
            proof = f"\nundone, {numbers.count(one.repaired.rows)} of {of} agree"
        table.add_row(sign, Text(name, "bold"), _marked(f"{about}{proof}".strip() or one.sentence))
    rungs = Table(
        title="The same rows, run again", title_style="bold", title_justify="left", box=None,
        pad_edge=False,
    )  # fmt: skip
    for heading in ("", "", f"as {report.left}", f"as {report.right}"):
        rungs.add_column(heading, justify="right" if heading else "left")
    for rung in ladder(report):
        rungs.add_row(*rung)
    parts: list[RenderableType] = [table]
    if len(report.swaps) > 1:
        parts += ["", _swaps(report)]
    if report.ladder:
        parts += ["", rungs]
    return Group(*parts)


def _swaps(report: Report) -> Table:
    table = Table(
        title=f"Each column alone as {report.right}", title_style="bold", title_justify="left",
        box=None, pad_edge=False,
    )  # fmt: skip
    table.add_column("", overflow="fold")
    table.add_column("rows that agree again", justify="right")
    table.add_column("answers apart by", justify="right")
    for line in swaps(report)[:_MOST_COLUMNS]:
        table.add_row(*line)
    return table


def _steps(walk: Walk, report: Report) -> Table:
    table = Table(
        title="Step by step", title_style="bold", title_justify="left", box=None, pad_edge=False
    )
    difference = f"{report.left} {numbers.MINUS} {report.right}"
    table.add_column("")
    table.add_column("step, column", overflow="fold")
    table.add_column("rows that differ", justify="right")
    table.add_column(difference, justify="right")
    for step, group in groupby(walk.columns, key=lambda column: column.place):
        columns = list(group)
        differing = [c for c in columns if c.diverged]
        total = numbers.plural(len(columns), "column")
        note = f"{len(differing)} of {total}" if differing else f"{total} equal"
        table.add_row(_sign(bool(differing)), Text(step, "bold"), Text(note, "dim"), "")
        for column in differing[:_COLUMNS_PER_STEP]:
            _add_column(table, column, first=column.name == walk.first)
        if len(differing) > _COLUMNS_PER_STEP:
            table.add_row("", Text(f"  and {len(differing) - _COLUMNS_PER_STEP} more", "dim"))
    return table


def _add_column(table: Table, column: Column, *, first: bool) -> None:
    name = Text(f"  {column.bare}")
    if first:
        name.append("  ◀ first to differ", "bold red")
    table.add_row("", name, numbers.percent(column.share), spread(column))


def _columns(report: Report) -> Table:
    table = Table(
        title=f"Over all {numbers.rows(report.coverage.compared)} compared",
        title_style="bold",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    difference = f"{report.left} {numbers.MINUS} {report.right}"
    table.add_column("")
    table.add_column("column", overflow="fold")
    for heading in ("diverge", "exact", difference):
        table.add_column(heading, justify="right")
    shown = [c for c in report.columns if c.kind == "output" or c.diverged][:_MOST_COLUMNS]
    for column in shown:
        table.add_row(
            _sign(bool(column.diverged)),
            Text(column.name),
            numbers.percent(column.share),
            numbers.percent(column.exact / column.rows if column.rows else 0.0),
            spread(column),
        )
    rest = len(report.columns) - len(shown)
    if rest:
        differing = sum(c.diverged > 0 for c in report.columns) - sum(c.diverged > 0 for c in shown)
        note = f"{differing} of them differ" if differing else "all of them agree"
        table.add_row("", Text(f"and {numbers.plural(rest, 'more column')}; {note}", "dim"))
    return table


def _sign(differs: bool) -> Text:
    return Text("≠", "bold red") if differs else Text("=", "green")


def _marked(text: str) -> Text:
    """Text with `names` in backticks set off."""
    marked = Text()
    for at, part in enumerate(text.split("`")):
        marked.append(part, "cyan" if at % 2 else "")
    return marked
