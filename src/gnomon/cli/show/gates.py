"""Print the gates of a promotion, each with its verdict and evidence."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from gnomon.cli.console import columns, local, out
from gnomon.rollout.gate import Gates

__all__ = ["gate_table", "show_gates"]

MARKS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[red]✗ fail[/]",
    "unknown": "[yellow]? unknown[/]",
    "no_data": "[yellow]? no data[/]",
}


def gate_table(gates: Iterable[tuple[str, str, str]]) -> Table:
    """Return a table of gates, given the name, verdict and reason of each."""
    table = columns("gate", "verdict", "because", whole=("gate", "verdict"))
    for name, verdict, because in gates:
        table.add_row(name, MARKS.get(verdict, escape(verdict)), escape(because))
    return table


def show_gates(gates: Gates) -> None:
    """Print a table of the gates, and the verdict."""
    out.print(gate_table((gate.name, gate.verdict, gate.because) for gate in gates.gates))
    sentences = {
        "pass": f"{gates.artifact} may replace {gates.live}.",
        "fail": f"{gates.artifact} may not replace {gates.live}.",
        "unknown": f"It is not yet known whether {gates.artifact} may replace {gates.live}.",
        "no_data": f"It is not yet known whether {gates.artifact} may replace {gates.live}.",
    }
    if gates.last_row is not None:
        out.print(f"The last row arrived at {local(gates.last_row)}.")
    out.print(sentences[gates.verdict], markup=False, soft_wrap=True)
