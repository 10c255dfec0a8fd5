"""How results are shown in a notebook: as a small HTML table, and as a pandas frame.

What is shown comes from clients and artifacts, so every text is escaped, control and direction
characters are made visible, and the page it is shown on loads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from gnomon.printable import printable

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NotebookTable", "Tabular"]

MOST_ROWS = 50
"""Rows that a notebook shows; the frame has them all."""
MOST_CHARACTERS = 200
"""Characters of a text that a notebook shows; a value of a client may be of any length."""

_LEFT = "text-align:left;vertical-align:top"
_RIGHT = "text-align:right;vertical-align:top;font-variant-numeric:tabular-nums"


class NotebookTable(NamedTuple):
    """A result as a table.

    Attributes:
        title: the finding in one line.
        verdict: one word, shown before the title.
        columns: their names.
        rows: a value for each column.
    """

    title: str
    verdict: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


class Tabular:
    """A result that a notebook shows as a table. Subclasses say what is in it."""

    __slots__ = ()

    def overview(self) -> NotebookTable:
        """What is shown: a title, a verdict, and a row for each thing judged or counted."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """The result as a frame: a row for each thing that was judged or counted."""
        import pandas as pd

        found = self.overview()
        rows = [tuple(row) for row in found.rows]
        return pd.DataFrame.from_records(rows, columns=list(found.columns))

    def _repr_html_(self) -> str:
        found = self.overview()
        head = "".join(f'<th style="{_LEFT}">{_text(name)}</th>' for name in found.columns)
        body = "".join(_row(row) for row in found.rows[:MOST_ROWS])
        left = len(found.rows) - MOST_ROWS
        more = f"<p>and {left:,} more rows: see <code>to_frame()</code></p>" if left > 0 else ""
        verdict = f"<strong>{_text(found.verdict)}</strong>: " if found.verdict else ""
        return (
            f"<div><p>{verdict}{_text(found.title)}</p>"
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
    """Any text, cut, without hidden characters, escaped."""
    cut = text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS]}…"
    return escape(printable(cut))
