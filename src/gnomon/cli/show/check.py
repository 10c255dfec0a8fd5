"""What a check of rows or of a contract found, as a person reads it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape
from rich.text import Text

from gnomon.cli.console import columns, local, out, share
from gnomon.preprocessing.difference import Change, worst
from gnomon.preprocessing.findings import Checked, Finding

__all__ = ["show_changes", "show_checked"]

LEVELS = {
    "broken": "[bold red]✗ broken[/]",
    "suspected": "[bold yellow]! suspected[/]",
    "allowed": "[dim]· allowed[/]",
    "incompatible": "[bold red]✗ incompatible[/]",
    "warning": "[bold yellow]! warning[/]",
    "compatible": "[green]✓ compatible[/]",
}
_VERDICTS = {
    "kept": "✓ the rows keep to the contract",
    "broken": "✗ the contract is broken",
    "suspected": "! the contract is kept, but a unit looks wrong",
    "unknown": "? nobody can say: there are no rows",
}


def show_checked(checked: Checked, which: str) -> None:
    """Print the verdict, a line a finding with its rows, and what the server refused."""
    words = f"{_VERDICTS[checked.verdict]} of {which}; {checked.rows:,} rows read"
    out.print(Text(words, "bold"), soft_wrap=True)
    if checked.findings:
        out.print()
        _findings(checked.findings)
    if checked.refusals:
        out.print("\n[bold]Refused by the server[/]")
        _refusals(checked)
    for why in checked.unchecked:
        out.print(Text(f"not checked: {why}", "dim"), soft_wrap=True)


def show_changes(changes: Sequence[Change], old: str, new: str) -> None:
    """Print the verdict and a line a change."""
    said = {
        "compatible": f"✓ {new} takes every request that {old} takes",
        "warning": f"! {new} takes the usual requests of {old}; look at the warnings",
        "incompatible": f"✗ {new} cannot take the place of {old} for the requests of today",
    }
    out.print(Text(said[worst(changes)], "bold"), soft_wrap=True)
    if not changes:
        return
    table = columns("", "where", "what", "was", "is", "so", whole=("", "where", "what"))
    for one in changes:
        words = (one.where, one.what, one.old, one.new, one.says)
        table.add_row(LEVELS[one.level], *map(escape, words))
    out.print()
    out.print(table)


def _findings(findings: Sequence[Finding]) -> None:
    names = ("", "feature", "rule", "rows", "share", "expected", "got", "such as row", "when")
    table = columns(*names, whole=("", "rule", "rows", "share"))
    for one in findings:
        got = ", ".join(f"{value} ({rows:,})" for value, rows in [*one.got.items()][:3])
        table.add_row(
            LEVELS[one.level],
            escape(one.feature),
            one.rule,
            f"{one.rows:,}",
            share(one.share),
            escape(one.expected),
            escape(got + (f"; {one.hint}" if one.hint else "")),
            escape(str(one.examples[0].row)) if one.examples else "",
            _span(one.first, one.last),
        )
    out.print(table)


def _refusals(checked: Checked) -> None:
    table = columns("error", "feature", "requests", "when", "such as")
    for one in checked.refusals:
        table.add_row(
            one.code,
            escape(one.feature or "-"),
            f"{one.requests:,}",
            _span(one.first, one.last),
            escape(one.example),
        )
    out.print(table)


def _span(first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return ""
    return local(first) if first == last else f"{local(first)} to {local(last)}"
