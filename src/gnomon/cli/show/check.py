"""Print the result of a check of rows or of a contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gnomon.cli.console import columns, local, out, share
from gnomon.contract.check.checked import Checked, CheckFinding, Refusal
from gnomon.contract.difference import Change, worst

__all__ = ["show_changes", "show_checked"]

MOST_SHOWN = 3

LEVELS = {
    "broken": "[bold red]✗ broken[/]",
    "suspected": "[bold yellow]! suspected[/]",
    "allowed": "[dim]· allowed[/]",
    "incompatible": "[bold red]✗ incompatible[/]",
    "warning": "[bold yellow]! warning[/]",
    "compatible": "[green]✓ compatible[/]",
}
_VERDICTS = {
    "kept": "✓ the rows conform to the contract",
    "broken": "✗ the rows violate the contract",
    "suspected": "! a unit looks wrong by the training profile",
    "unknown": "? inconclusive: there are no rows to check against the contract",
}


def show_checked(checked: Checked, which: str) -> None:
    """Print the verdict, each finding with its rows, and what the server refused."""
    words = f"{_VERDICTS[checked.verdict]} of {which}; {checked.rows:,} rows read"
    out.print(Text(words, "bold"), soft_wrap=True)
    if checked.findings:
        out.print()
        out.print(_findings(checked.findings))
    if checked.refusals:
        out.print("\n[bold]Refused by the server[/]")
        out.print(_refusals(checked.refusals))
    if checked.unchecked:
        out.print()
    for why in checked.unchecked:
        out.print(Text(f"not checked: {why}", "dim"), soft_wrap=True)


def show_changes(changes: Sequence[Change], old: str, new: str) -> None:
    """Print the verdict and a line for each change."""
    said = {
        "compatible": f"✓ {new} accepts every request that {old} accepts",
        "warning": f"! {new} accepts the usual requests for {old}; see the warnings",
        "incompatible": f"✗ {new} cannot replace {old} for today's requests",
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


def _findings(findings: Sequence[CheckFinding]) -> Table:
    """Return a few lines for each finding: the finding, a possible reason, and where to look."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for one in findings:
        head = f"`{one.feature}` {one.rule} in {one.rows:,} rows ({share(one.share)})"
        got = ", ".join(f"{value} ({rows:,})" for value, rows in [*one.got.items()][:MOST_SHOWN])
        table.add_row(LEVELS[one.level], escape(f"{head}: expected {one.expected}, got {got}"))
        if one.hint:
            table.add_row("", f"[dim]→[/] {escape(one.hint)}")
        where = _where(one)
        if where:
            table.add_row("", Text(where, "dim"))
    return table


def _where(found: CheckFinding) -> str:
    rows = ", ".join(str(example.row) for example in found.examples[:MOST_SHOWN])
    return "; ".join(filter(None, [f"rows {rows}" if rows else "", _span(found.first, found.last)]))


def _refusals(refusals: Sequence[Refusal]) -> Table:
    table = columns("error", "feature", "requests", "when", "such as", whole=("error", "feature"))
    for one in refusals:
        span = _span(one.first, one.last)
        words = (one.code, one.feature or "-", f"{one.requests:,}", span, one.example)
        table.add_row(*map(escape, words))
    return table


def _span(first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return ""
    return local(first) if first == last else f"{local(first)} to {local(last)}"
