"""Render a report in the terminal: a summary to read in ten seconds, then the evidence."""

from __future__ import annotations

import math
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from gnomon.report.document import (
    Chart,
    Document,
    Figure,
    FindingCard,
    Section,
    Spark,
    Table,
    TableCell,
    TableColumn,
    TableRow,
    Tone,
)

__all__ = ["render_document"]

_BLOCKS = " ▁▂▃▄▅▆▇█"
_STYLES: dict[Tone, str] = {
    "good": "green",
    "bad": "red",
    "unsure": "yellow",
    "plain": "",
    "muted": "dim",
}


def render_document(document: Document) -> RenderableType:
    """Return the report as an object that rich can print."""
    sections = [section for section in document.sections if section.where != "page"]
    return Group(_head(document), *map(_section, sections))


def _head(document: Document) -> Panel:
    sign, word = document.verdict.sign, document.verdict.word
    colour = _STYLES[sign.tone]
    lines = Grid.grid(padding=(0, 2))
    lines.add_column(style="dim", no_wrap=True)
    lines.add_column()
    for label, text in document.summary:
        lines.add_row(label, _marked(text))
    title = _marked(document.title)
    title.stylize("bold")
    return Panel(
        Group(title, "", lines),
        title=Text(f" {sign.text} {word.upper()} ", f"bold {colour}"),
        title_align="left",
        subtitle=Text(f" {document.about} ", "dim"),
        subtitle_align="right",
        border_style=colour,
        padding=(1, 2),
    )


def _section(section: Section) -> Padding:
    parts: list[RenderableType] = [Text(section.title, "bold")] if section.title else []
    for block in section.blocks:
        if isinstance(block, Table):
            parts.append(_table(block))
        elif isinstance(block, FindingCard):
            parts += _finding(block)
        elif isinstance(block, Figure) and block.charts:
            parts += _chart(block.charts[0])
    return Padding(Group(*parts), (1, 2, 0, 2))


def _finding(card: FindingCard) -> Iterator[RenderableType]:
    yield Text(card.title, f"bold {_STYLES[card.severity]}")
    yield Padding(_marked(card.about or card.says), (0, 0, 0, 2))


def _chart(chart: Chart) -> Iterator[RenderableType]:
    """Draw one character for each position that a bar can have."""
    bars, plot = chart.plot.bars, chart.plot
    heights = {round(bar.x / bar.width): bar.height / 100 for bar in bars}
    places = range(round(100 / bars[0].width))
    yield _sparks(tuple(Spark(heights.get(place, 0.0), "bad") for place in places))
    ends = f"{plot.x[0].text} to {plot.x[-1].text}, {chart.x_label}"
    yield Text(f"{chart.y_label}; {ends}; full height is {plot.y[-1].text}", "dim")


def _table(table: Table) -> Grid:
    columns = [column for column in table.columns if column.where != "page"]
    shown = [column.where != "page" for column in table.columns]
    has_signs = table.columns[0].kind == "sign"
    grid = Grid(box=None, pad_edge=False, show_header=any(column.title for column in columns))
    for column in columns:
        grid.add_column(
            column.title,
            justify="right" if column.kind == "number" else "left",
            overflow="fold",
            no_wrap=column.kind == "bars",
        )
    for row in table.rows:
        if row.where == "page":
            continue
        cells = zip(row.cells, table.columns[has_signs:], shown[has_signs:], strict=False)
        texts = [_cell(cell, column, row) for cell, column, is_shown in cells if is_shown]
        if row.level == "group" and len(row.cells) == 1:
            texts.append(Text(row.cells[0].note, "dim"))
        grid.add_row(*([_sign(row)] if has_signs else []), *texts)
    if table.rest:
        grid.add_row(*([""] if has_signs else []), Text(table.rest, "dim"))
    return grid


def _sign(row: TableRow) -> Text:
    if row.sign is None:
        return Text("")
    style = _STYLES[row.sign.tone]
    return Text(row.sign.text, f"bold {style}" if row.sign.tone == "bad" else style)


def _cell(cell: TableCell, column: TableColumn, row: TableRow) -> Text:
    if cell.sparks:
        return _sparks(cell.sparks)
    text = Text(cell.text)
    if column.kind == "name":
        text.pad_left(2 if row.level in ("member", "first") else 0)
        text.stylize("bold" if row.level == "group" else "")
    text.stylize(_STYLES[cell.tone])
    if cell.note and not (row.level == "group" and len(row.cells) == 1):  # It has a separate cell.
        text.append(f" {cell.note}", "dim")
    if cell.tag:
        text.append(f"  ◀ {cell.tag}", "bold red")
    for line in cell.below:
        text.append(f"\n{line}")
    return text


def _sparks(sparks: tuple[Spark, ...]) -> Text:
    line = Text()
    for spark in sparks:
        height = min(math.ceil(spark.height * 8), 8)
        line.append(_BLOCKS[height], _STYLES[spark.tone])
    return line


def _marked(text: str) -> Text:
    """Highlight `names` in backticks."""
    marked = Text()
    for index, part in enumerate(text.split("`")):
        marked.append(part, "cyan" if index % 2 else "")
    return marked
