"""Print the gates of a promotion, each with its verdict and evidence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rich.console import RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gnomon.cli.console import columns, local, out
from gnomon.rollout.gate import Gates

__all__ = ["gate_table", "gates_document", "gates_shown", "show_gates"]

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


def gates_document(gates: Gates) -> dict[str, Any]:
    """Return gates as JSON, with the verdict on all of them first, as a server sends them."""
    fields = {name: getattr(gates, name) for name in Gates.__struct_fields__}
    return {"verdict": gates.verdict, **fields}


def show_gates(gates: Gates) -> None:
    """Print a table of the gates, and the verdict."""
    for part in gates_shown(gates):
        out.print(part, soft_wrap=not isinstance(part, Table))


def gates_shown(gates: Gates) -> list[RenderableType]:
    """Return a table of the gates, when the last row arrived, and the verdict."""
    table = gate_table((gate.name, gate.verdict, gate.because) for gate in gates.gates)
    sentences = {
        "pass": f"{gates.artifact} may replace {gates.live}.",
        "fail": f"{gates.artifact} may not replace {gates.live}.",
        "unknown": f"It is not yet known whether {gates.artifact} may replace {gates.live}.",
        "no_data": f"It is not yet known whether {gates.artifact} may replace {gates.live}.",
    }
    shown: list[RenderableType] = [table]
    if gates.last_row is not None:
        shown.append(Text(f"The last row arrived at {local(gates.last_row)}."))
    if gates.refused is not None:
        shown.append(Text(f"Refused whatever its gates say: {gates.refused}", style="red"))
    return [*shown, Text(sentences[gates.verdict])]
