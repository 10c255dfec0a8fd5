"""The answer to a query: as a table for people, or as CSV."""

from __future__ import annotations

import sys

import pyarrow as pa
from rich.markup import escape

from gnomon.cli.console import columns, out

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
    """Print every row, with a header."""
    import pyarrow.csv

    pyarrow.csv.write_csv(table, sys.stdout.buffer)


def _cell(value: object) -> str:
    if value is None:
        return "[dim]null[/]"
    if isinstance(value, float):
        return f"{value:.6g}"
    return escape(value.decode(errors="replace") if isinstance(value, bytes) else str(value))
