"""A report in the terminal: what a person grasps in ten seconds, then the evidence."""

from __future__ import annotations

import math

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table as Grid
from rich.text import Text

from gnomon.report.document import (
    Document,
    Spark,
    Sparkline,
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
    """The report as something rich can print."""
    evidence = (Padding(_block(block), (1, 2, 0, 2)) for block in document.brief)
    return Group(_head(document), *evidence)


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


def _block(block: Table | Sparkline) -> RenderableType:
    if isinstance(block, Table):
        return _table(block)
    return Group(Text(block.title, "bold"), _sparks(block.sparks), Text(block.caption, "dim"))


def _table(table: Table) -> Grid:
    grid = Grid(
        title=table.title,
        title_style="bold",
        title_justify="left",
        box=None,
        pad_edge=False,
        show_header=any(column.title for column in table.columns),
    )
    for column in table.columns:
        grid.add_column(
            column.title,
            justify="right" if column.kind == "number" else "left",
            overflow="fold",
            no_wrap=column.kind == "bars",
        )
    has_signs = table.columns[0].kind == "sign"
    for row in table.rows:
        cells = [_cell(c, k, row) for c, k in zip(row.cells, _kinds(table), strict=False)]
        grid.add_row(*([_sign(row)] if has_signs else []), *cells)
    if table.rest:
        grid.add_row(*([""] if has_signs else []), Text(table.rest, "dim"))
    return grid


def _kinds(table: Table) -> tuple[TableColumn, ...]:
    return table.columns[1:] if table.columns[0].kind == "sign" else table.columns


def _sign(row: TableRow) -> Text:
    if row.sign is None:
        return Text("")
    style = _STYLES[row.sign.tone]
    return Text(row.sign.text, f"bold {style}" if row.sign.tone == "bad" else style)


def _cell(cell: TableCell, column: TableColumn, row: TableRow) -> Text:
    if cell.sparks:
        return _sparks(cell.sparks)
    text = _marked(cell.text) if column.kind == "prose" else Text(cell.text)
    if column.kind == "name":
        text.pad_left(2 if row.level in ("member", "first") else 0)
        text.stylize("bold" if row.level == "group" else "")
    text.stylize(_STYLES[cell.tone])
    if cell.note:
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
    """Text with `names` in backticks set off."""
    marked = Text()
    for at, part in enumerate(text.split("`")):
        marked.append(part, "cyan" if at % 2 else "")
    return marked
