"""Print the result of a check of rows or of a contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gnomon.cli.console import columns, local, out, share
from gnomon.contract.check.contract_report import CheckFinding, ContractReport, Refusal
from gnomon.contract.difference import Change, worst
from gnomon.quantities import plural

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


def show_checked(checked: ContractReport, which: str) -> None:
    """Print the verdict, each finding with its rows, and what the server refused."""
    words = f"{_VERDICTS[checked.verdict]} of {which}; {plural(checked.rows, 'row')} read"
    out.print(Text(words, "bold"), soft_wrap=True)
    if checked.findings:
        out.print()
        out.print(_findings(checked.findings))
    if checked.refusals:
        out.print("\n[bold]Refused by the server[/]")
        out.print(_refusals(checked.refusals))
    if checked.unchecked:
        out.print()
    for reason in checked.unchecked:
        out.print(Text(f"not checked: {reason}", "dim"), soft_wrap=True)


def show_changes(changes: Sequence[Change], old: str, new: str) -> None:
    """Print the verdict and a line for each change."""
    sentences = {
        "compatible": f"✓ {new} accepts every request that {old} accepts",
        "warning": f"! {new} accepts the usual requests for {old}; see the warnings",
        "incompatible": f"✗ {new} cannot replace {old} for today's requests",
    }
    out.print(Text(sentences[worst(changes)], "bold"), soft_wrap=True)
    if not changes:
        return
    table = columns("", "where", "what", "was", "is", "so", whole=("", "where", "what"))
    for change in changes:
        words = (change.where, change.what, change.old, change.new, change.says)
        table.add_row(LEVELS[change.level], *map(escape, words))
    out.print()
    out.print(table)


def _findings(findings: Sequence[CheckFinding]) -> Table:
    """Return a few lines for each finding: the finding, a possible reason, and where to look."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for finding in findings:
        rows = f"{plural(finding.rows, 'row')} ({share(finding.share)})"
        head = f"`{finding.feature}` {finding.rule} in {rows}"
        values = ", ".join(
            f"{value} ({rows:,})" for value, rows in [*finding.got.items()][:MOST_SHOWN]
        )
        table.add_row(
            LEVELS[finding.level], escape(f"{head}: expected {finding.expected}, got {values}")
        )
        if finding.hint:
            table.add_row("", f"[dim]→[/] {escape(finding.hint)}")
        where = _where(finding)
        if where:
            table.add_row("", Text(where, "dim"))
    return table


def _where(finding: CheckFinding) -> str:
    rows = ", ".join(str(example.row) for example in finding.examples[:MOST_SHOWN])
    return "; ".join(
        filter(None, [f"rows {rows}" if rows else "", _span(finding.first, finding.last)])
    )


def _refusals(refusals: Sequence[Refusal]) -> Table:
    table = columns("error", "feature", "requests", "when", "such as", whole=("error", "feature"))
    for refusal in refusals:
        span = _span(refusal.first, refusal.last)
        words = (
            refusal.code,
            refusal.feature or "-",
            f"{refusal.requests:,}",
            span,
            refusal.example,
        )
        table.add_row(*map(escape, words))
    return table


def _span(first: datetime | None, last: datetime | None) -> str:
    if first is None or last is None:
        return ""
    return local(first) if first == last else f"{local(first)} to {local(last)}"
