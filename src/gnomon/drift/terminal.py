"""A drift report in the terminal: what a person grasps in ten seconds, then the evidence."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gnomon.drift.findings import amount, ranked
from gnomon.drift.judging import NEVER
from gnomon.drift.model import Alert, Column, DriftReport
from gnomon.report import numbers

__all__ = ["SIGNS", "render"]

SIGNS = {"drifted": ("≠", "DRIFTED"), "ok": ("=", "NO DRIFT"), "unknown": ("?", "UNKNOWN")}
"""The sign and the word of each verdict."""

_COLOURS = {"drifted": "red", "ok": "green", "unknown": "yellow"}
_BLOCKS = " ▁▂▃▄▅▆▇█"
_MOST_COLUMNS = 10
_MOST_ALERTS = 6


def render(report: DriftReport) -> RenderableType:
    """The report as something rich can print."""
    parts: list[RenderableType] = [_head(report)]
    if report.columns:
        parts.append(Padding(_columns(report), (1, 2, 0, 2)))
    if report.alerts:
        parts.append(Padding(_alerts(report), (1, 2, 0, 2)))
    return Group(*parts)


def _head(report: DriftReport) -> Panel:
    (sign, word), colour = SIGNS[report.verdict], _COLOURS[report.verdict]
    lines = Table.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column()
    for label, text in report.summary.lines:
        lines.add_row(label, _marked(text))
    title = _marked(report.title)
    title.stylize("bold")
    return Panel(
        Group(title, "", lines),
        title=Text(f" {sign} {word} ", f"bold {colour}"),
        title_align="left",
        subtitle=Text(f" {report.subject.artifact}, {report.subject.role} ", "dim"),
        subtitle_align="right",
        border_style=colour,
        padding=(1, 2),
    )


def _columns(report: DriftReport) -> Table:
    """The columns that matter: those that have drifted, else the outputs."""
    drifted = ranked(report.columns)
    unsure = [c for c in report.columns if c.judged and c.verdict == "unknown"]
    outputs = [c for c in report.columns if c.kind == "output" and c.verdict == "ok"]
    shown = [*drifted, *unsure, *outputs][:_MOST_COLUMNS]
    table = _table("Against training", "", "column", "worst")
    for heading in ("nulls", "outside or new"):
        table.add_column(heading, justify="right")
    table.add_column(
        f"by {numbers.duration(report.seconds)}; half height is the limit", no_wrap=True
    )
    for column in shown:
        table.add_row(
            Text(SIGNS[column.verdict][0], _COLOURS[column.verdict]),
            Text(f"{column.name} ").append(column.kind, "dim"),
            amount(column.worst, column.effects[column.worst]),
            numbers.percent(column.nulls[1]),
            _beyond(column),
            _over_time(column),
        )
    rest = len(report.columns) - len(shown)
    if rest:
        table.add_row("", Text(f"and {numbers.plural(rest, 'more column')}", "dim"))
    return table


def _beyond(column: Column) -> str:
    if column.tails is not None:
        return numbers.percent(sum(column.tails))
    return numbers.percent(column.effects["new"].value) if "new" in column.effects else ""


def _over_time(column: Column) -> Text:
    """One character a bucket that has rows; half height is the limit."""
    limit, line = column.effects[column.worst].limit, Text()
    for moment in column.timeline:
        value = moment.values.get(column.worst, 0.0)
        height = min(math.ceil(value / limit * 4), 8) if limit < NEVER else 0
        line.append(_BLOCKS[height], "red" if value > limit else "dim")
    return line


def _alerts(report: DriftReport) -> Table:
    table = _table("Changes within the range", "", "column", "since (UTC)", "by how much", "rows")
    for alert in report.alerts[:_MOST_ALERTS]:
        table.add_row(
            Text("↯" if alert.change == "sudden" else "↗", "bold red"),
            Text(alert.name + (f", {report.by} {alert.segment}" if alert.segment else "")),
            f"{numbers.moment(alert.since, report.seconds)}, {alert.change}",
            _grown(alert),
            "\n".join(alert.rows_that_show[:2]),
        )
    rest = len(report.alerts) - _MOST_ALERTS
    if rest > 0:
        table.add_row("", Text(f"and {numbers.plural(rest, 'more change')}", "dim"))
    return table


def _grown(alert: Alert) -> str:
    return f"{amount(alert.metric, alert.effect)}\n{alert.grown}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_style="bold", title_justify="left", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _marked(said: str) -> Text:
    """Text with `names` in backticks set off."""
    text = Text(said.replace("`", ""))
    text.highlight_words(said.split("`")[1::2], "cyan")
    return text
