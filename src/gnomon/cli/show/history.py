"""Print the rollout history as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from gnomon.cli.console import columns, local
from gnomon.rollout.history import RolloutEvent

__all__ = ["show_history"]


def show_history(events: Sequence[RolloutEvent]) -> Table:
    """Return a table with a row for each decision, oldest first."""
    table = columns(
        "#", "when", "decision", "artifact", "who", "why", whole=("when", "decision", "artifact")
    )
    for number, event in enumerate(events, start=1):
        table.add_row(
            str(number),
            local(event.at),
            _decision(event),
            escape(event.artifact),
            escape(event.by or "-"),
            escape(event.why or ""),
        )
    return table


def _decision(event: RolloutEvent) -> str:
    words = event.kind.replace("_", " ")
    if event.kind == "shadow_start" and event.fraction < 1:
        words += f" {event.fraction:.3g}"
    if event.same:
        words += ", same"
    return words + ", [yellow]forced[/]" if event.forced else words
