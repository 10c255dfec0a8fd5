"""Print the rollout history as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from gnomon.cli.console import columns, local, out
from gnomon.cli.show.gates import gate_table
from gnomon.rollout.history import RolloutEvent
from gnomon.rollout.past_state import PastState

__all__ = ["show_history", "show_state"]


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
            escape(_why(event)),
        )
    return table


def show_state(state: PastState) -> None:
    """Print what answered, the decision that made it live with its gates, and the shadows."""
    decision = state.decision
    if decision is None or state.live is None:
        out.print(f"Nothing was live at {local(state.at)}.")
        return
    out.print(f"[bold]{escape(state.live)}[/] answered at {local(state.at)}.")
    why = f": {escape(decision.why)}" if decision.why else ""
    by = escape(decision.by or "unknown")
    out.print(f"It had been live since {local(decision.at)} ({_decision(decision)}, by {by}){why}")
    if decision.gates:
        names = ("name", "verdict", "says")
        rows = [[str(gate.get(name, "")) for name in names] for gate in decision.gates]
        out.print(gate_table((name, verdict, says) for name, verdict, says in rows))
    for shadow in state.shadows:
        share = "" if shadow.fraction == 1 else f", {shadow.fraction:.3g} of the requests"
        out.print(f"In shadow: {escape(shadow.artifact)} since {local(shadow.at)}{share}")


def _why(event: RolloutEvent) -> str:
    watched = "" if event.watch is None else f"watched until {local(event.watch.until)}"
    excuse = event.excuse
    until = "" if excuse is None else f"until {local(excuse.until)}, by {excuse.owner}"
    return "; ".join(filter(None, (event.why, watched, until)))


def _decision(event: RolloutEvent) -> str:
    words = event.kind.replace("_", " ")
    if event.excuse is not None:
        words += f" {escape(event.excuse.target)}"
    if event.ends is not None:
        words += f" {event.ends}"
    if event.kind == "shadow_start" and event.fraction < 1:
        words += f" {event.fraction:.3g}"
    if event.same:
        words += ", same"
    if event.automatic:
        words += ", automatic"
    return words + ", [yellow]forced[/]" if event.forced else words
