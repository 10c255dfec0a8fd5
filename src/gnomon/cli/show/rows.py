"""Print the answer to a query as a table for people, or as CSV."""

from __future__ import annotations

import base64
import sys
from collections.abc import Iterator
from typing import Any

import msgspec
import pyarrow as pa
from rich.console import Group
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from gnomon.cli.console import columns, out
from gnomon.printable import cell, printable

__all__ = ["print_csv", "show_rows"]

MOST_ROWS = 50

LONGEST_SHOWN = 1_000
"""Characters of a value that are shown: the body of a request of many rows would fill hundreds of
lines, and the fields after it would not be found."""


def show_rows(table: pa.Table) -> None:
    """Print the first rows, and how many more there are.

    If the table is wider than the terminal, each field is on a separate line.
    """
    names = table.column_names
    rows = [[_cell_text(value) for value in row] for row in _rows(table.slice(0, MOST_ROWS))]
    side_by_side = _side_by_side(names, rows)
    if (
        Measurement.get(out, out.options.update_width(sys.maxsize), side_by_side).maximum
        <= out.width
    ):
        out.print(side_by_side)
    else:
        out.print(Group(*_one_below_another(names, rows)))
    if table.num_rows > MOST_ROWS:
        more = f"{table.num_rows - MOST_ROWS:,} rows more; --csv, --json and --parquet give all"
        out.print(f"[dim]{more}[/]")


def print_csv(table: pa.Table) -> None:
    """Print every row, with a header; text that a spreadsheet would execute is quoted with ``'``.

    Lists and structs are JSON.
    """
    import pyarrow.csv

    for position, column in enumerate(table.columns):
        if not _fits_csv(column.type):
            table = table.set_column(position, table.field(position).name, _cells(column))
    table = table.rename_columns([cell(name) for name in table.column_names])
    pyarrow.csv.write_csv(table, sys.stdout.buffer)


def _rows(table: pa.Table) -> Iterator[tuple[Any, ...]]:
    """Return rows by position, not by name, because SQL may return two columns with one name."""
    if not table.num_columns:
        return iter(())
    return zip(*(column.to_pylist() for column in table.columns), strict=True)


def _side_by_side(names: list[str], rows: list[list[Text]]) -> Table:
    table = columns(*names)
    for row in rows:
        table.add_row(*row)
    return table


def _one_below_another(names: list[str], rows: list[list[Text]]) -> Iterator[Text | Padding]:
    for number, row in enumerate(rows, 1):
        yield Text(f"row {number}", style="bold")
        fields = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        fields.add_column(style="dim", no_wrap=True)
        fields.add_column(overflow="fold")
        for name, value in zip(names, row, strict=True):
            fields.add_row(Text(name), value)
        yield Padding(fields, (0, 0, 0, 2))


def _cell_text(value: object) -> Text:
    if value is None:
        return Text("null", style="dim")
    text = f"{value:.6g}" if isinstance(value, float) else printable(_text(value))
    if len(text) <= LONGEST_SHOWN:
        return Text(text)
    more = (
        f"… and {len(text) - LONGEST_SHOWN:,} characters more; --csv, --json and --parquet give all"
    )
    return Text.assemble(text[:LONGEST_SHOWN], (more, "dim"))


def _text(value: object) -> str:
    """Write a value as text; lists and structs as JSON."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, list | dict | tuple | bool):
        return msgspec.json.encode(_as_json_value(value)).decode()
    return str(value)


def _as_json_value(value: object) -> object:
    """Convert a nested value to types that JSON has."""
    if isinstance(value, dict):
        return {str(name): _as_json_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json_value(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def _fits_csv(type_: pa.DataType) -> bool:
    """Whether a column can be written unchanged: it is not text, and need not become text."""
    types = pa.types
    is_time = types.is_temporal(type_) and not (
        types.is_duration(type_) or types.is_interval(type_)
    )
    is_number = types.is_integer(type_) or types.is_floating(type_) or types.is_decimal(type_)
    return bool(is_time or is_number or types.is_boolean(type_) or types.is_null(type_))


def _cells(column: pa.ChunkedArray) -> pa.Array:
    """Return text for cells, without control characters if standard output is a terminal."""
    is_terminal = sys.stdout.isatty()
    texts = [None if value is None else _text(value) for value in column.to_pylist()]
    printed = [printable(text) if is_terminal and text is not None else text for text in texts]
    return pa.array([text if text is None else cell(text) for text in printed], pa.string())
