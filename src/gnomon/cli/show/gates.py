"""Print the gates of a promotion, each with its verdict and evidence."""

from __future__ import annotations

from rich.markup import escape

from gnomon.cli.console import columns, out
from gnomon.rollout.gate import Gates

__all__ = ["show_gates"]

MARKS = {
    "pass": "[green]✓ pass[/]",
    "fail": "[red]✗ fail[/]",
    "unknown": "[yellow]? unknown[/]",
}


def show_gates(found: Gates) -> None:
    """Print a table of the gates, and the verdict."""
    table = columns("gate", "verdict", "because", whole=("gate", "verdict"))
    for gate in found.gates:
        table.add_row(gate.name, MARKS[gate.verdict], escape(gate.because))
    out.print(table)
    said = {
        "pass": f"{found.artifact} may replace {found.live}.",
        "fail": f"{found.artifact} may not replace {found.live}.",
        "unknown": f"It is not yet known whether {found.artifact} may replace {found.live}.",
    }
    out.print(said[found.verdict], markup=False, soft_wrap=True)
