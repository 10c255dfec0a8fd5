"""Results in a notebook: as a small HTML table or as a pandas frame.

The values come from clients and artifacts. So every text is escaped, control and direction
characters are made visible, and the table loads nothing from the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from gnomon.printable import printable
from gnomon.quantities import plural

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NotebookTable", "Tabular"]

MOST_ROWS = 50
"""The most rows that a notebook shows; the frame has all rows."""
MOST_CHARACTERS = 200
"""The most characters of a text that a notebook shows; a client's value may have any length."""

_LEFT = "text-align:left;vertical-align:top"
_RIGHT = "text-align:right;vertical-align:top;font-variant-numeric:tabular-nums"


class NotebookTable(NamedTuple):
    """A result as a table.

    Attributes:
        title: the finding in one line.
        verdict: one word, shown before the title.
        columns: the names of the columns.
        rows: each with a value for every column.
    """

    title: str
    verdict: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


class Tabular:
    """A result that a notebook shows as a table. Subclasses define its content."""

    __slots__ = ()

    def overview(self) -> NotebookTable:
        """Return what is shown: a title, a verdict, and a row for each thing judged or counted."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """Return the result as a frame: a row for each thing that was judged or counted."""
        import pandas as pd

        table = self.overview()
        rows = [tuple(row) for row in table.rows]
        return pd.DataFrame.from_records(rows, columns=list(table.columns))

    def _repr_html_(self) -> str:
        table = self.overview()
        head = "".join(f'<th style="{_LEFT}">{_text(name)}</th>' for name in table.columns)
        body = "".join(_row(row) for row in table.rows[:MOST_ROWS])
        hidden = len(table.rows) - MOST_ROWS
        more = (
            f"<p>and {plural(hidden, 'more row')}: see <code>to_frame()</code></p>"
            if hidden > 0
            else ""
        )
        verdict = f"<strong>{_text(table.verdict)}</strong>: " if table.verdict else ""
        return (
            f"<div><p>{verdict}{_text(table.title)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}</div>"
        )


def _row(row: Sequence[object]) -> str:
    cells = (f'<td style="{_RIGHT if _is_number(v) else _LEFT}">{_value(v)}</td>' for v in row)
    return f"<tr>{''.join(cells)}</tr>"


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            return f"{value:.4g}"
        case datetime():
            return value.isoformat(sep=" ", timespec="seconds")
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    """Shorten a text, make hidden characters visible and escape it."""
    shortened = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
    return escape(printable(shortened))
