"""The answer to a query: as a table for people, or as CSV."""

from __future__ import annotations

import sys

import pyarrow as pa
from rich.markup import escape

from gnomon.cli.console import columns, out
from gnomon.printable import cell, printable

__all__ = ["print_csv", "show_rows"]

MOST_ROWS = 50


def show_rows(table: pa.Table) -> None:
    """Print the first rows, and how many more there are."""
    shown = columns(*map(escape, table.column_names))
    for row in table.slice(0, MOST_ROWS).to_pylist():
        shown.add_row(*(_cell(value) for value in row.values()))
    out.print(shown)
    if table.num_rows > MOST_ROWS:
        out.print(f"[dim]{table.num_rows - MOST_ROWS:,} rows more; --csv and --json give all[/]")


def print_csv(table: pa.Table) -> None:
    """Print every row, with a header; text that a spreadsheet would run is quoted with ``'``."""
    import pyarrow.csv

    for at, column in enumerate(table.columns):
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            table = table.set_column(at, table.field(at).name, _cells(column))
    table = table.rename_columns([cell(name) for name in table.column_names])
    pyarrow.csv.write_csv(table, sys.stdout.buffer)


def _cells(column: pa.ChunkedArray) -> pa.Array:
    """Text for cells; without control characters where somebody watches."""
    watched = sys.stdout.isatty()
    texts = column.to_pylist()
    shown = [printable(text) if watched and text is not None else text for text in texts]
    return pa.array([text if text is None else cell(text) for text in shown], column.type)


def _cell(value: object) -> str:
    if value is None:
        return "[dim]null[/]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return escape(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
