"""Print the rollout history: what was done, by whom, why, on what evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape

from gnomon.cli.console import columns, local, out
from gnomon.cli.show.gates import gate_table
from gnomon.quantities import percent, plural
from gnomon.rollout.actor import signature
from gnomon.rollout.history import RolloutEvent, forced_reason
from gnomon.rollout.history.past_state import PastState

__all__ = ["show_history", "show_state"]

_DONE = {
    "propose": "proposed to make {} live",
    "withdraw": "withdrew the proposal to make {} live",
    "promote": "made {} live",
    "rollback": "rolled back to {}",
    "shadow_start": "started {} in shadow",
    "shadow_stop": "stopped the shadow {}",
    "excuse": "excused differences of {}",
    "excuse_end": "ended an excuse of {}",
}

SHOWN_CHANGES = 5
"""A shadow with another set of features has dozens."""


def show_history(events: Sequence[RolloutEvent], last: int | None = None) -> None:
    """Print the newest decisions, the oldest of them first.

    Args:
        events: all decisions.
        last: how many to print; all without it.
    """
    first = 0 if last is None else max(len(events) - last, 0)
    if first:
        earlier = plural(first, "earlier decision")
        out.print(f"[dim]{earlier}: gnomon history --last {len(events)}[/]")
    table = columns("#", "when", "decision", whole=("#", "when"))
    for number, event in enumerate(events[first:], start=first + 1):
        table.add_row(str(number), local(event.at), _entry(event))
    out.print(table)


def show_state(state: PastState, events: Sequence[RolloutEvent]) -> None:
    """Print what answered, the decision that made it live with its gates, and the shadows."""
    decision = state.decision
    if decision is None or state.live is None:
        first = f"; the first decision was at {local(events[0].at)}" if events else ""
        out.print(f"Nothing was live at {local(state.at)}{first}.")
        return
    if state.at > datetime.now(UTC):
        out.print(f"[yellow]{local(state.at)} is in the future:[/] this is as decided so far.")
    out.print(f"[bold]{escape(state.live)}[/] answered at {local(state.at)}.")
    out.print(f"It had been live since {local(decision.at)}: {_entry(decision)}")
    if decision.gates:
        names = ("name", "verdict", "says")
        rows = [[str(gate.get(name, "")) for name in names] for gate in decision.gates]
        out.print(gate_table((name, verdict, says) for name, verdict, says in rows))
    for shadow in state.shadows:
        share = "" if shadow.fraction == 1 else f", {shadow.fraction:.3g} of the requests"
        out.print(f"In shadow: {escape(shadow.artifact)} since {local(shadow.at)}{share}")


def _entry(event: RolloutEvent) -> str:
    """Return a decision in a sentence: who, what, why and on what evidence."""
    done = _DONE.get(event.kind, event.kind.replace("_", " ") + " {}")
    text = f"{escape(_who(event))} {done.format(f'[bold]{escape(event.artifact)}[/]')}"
    if event.kind == "shadow_start" and event.fraction < 1:
        text += f" for {percent(event.fraction)} of the requests"
    if (halves := event.combination) is not None:
        text += (
            f", the model of {escape(halves.model.tag)} with the preprocessing of "
            f"{escape(halves.preprocessing.tag)}"
        )
    if event.approves is not None:
        text += f", as proposed in #{event.approves}"
    if event.same:
        text += ", against itself"
    if event.forced:
        text += ", [yellow]forced[/]"
        if event.kind != "shadow_start" and not event.gates:
            text += f" though {forced_reason(event)}"
    if event.excuse is not None:
        excuse = event.excuse
        until = local(excuse.until)
        place = "in" if excuse.feature is None else "where"
        text += f" {place} {escape(excuse.target)}, until {until}, owner {escape(excuse.owner)}"
    if event.ends is not None:
        text += f", number {event.ends}"
    if event.watch is not None:
        text += f", watched until {local(event.watch.until)}"
    text += f": {escape(event.why)}" if event.why else ""
    evidence = _evidence(event)
    return f"{text}\n[dim]{escape(evidence)}[/]" if evidence else text


def _who(event: RolloutEvent) -> str:
    return signature(event.by or "somebody", event.authenticated, event.on_behalf_of)


def _evidence(event: RolloutEvent) -> str:
    """Return what a decision rests on: its gates and the rows, and changes of the contract."""
    parts = []
    if event.gates:
        parts.append(_gates(event.gates))
    if event.evidence is not None and (since := event.evidence.get("since")) is not None:
        read_at = str(event.evidence.get("read_at", ""))
        parts.append(f"rows since epoch {since}, read {_local(read_at)}")
    if event.changes:
        parts.append(f"changes of the contract: {_changes(event.changes)}")
    return "; ".join(parts)


def _changes(changes: Sequence[dict[str, object]]) -> str:
    """Name the first changes, which are the most severe ones."""
    named = [
        f"{change.get('level')}: `{change.get('where')}` {change.get('what')} "
        f"{change.get('old')} -> {change.get('new')}"
        for change in changes
    ]
    more = len(named) - SHOWN_CHANGES
    text = "; ".join(named[:SHOWN_CHANGES])
    return f"{text}; and {more:,} more, in `gnomon history --json`" if more > 0 else text


def _gates(gates: Sequence[dict[str, Any]]) -> str:
    unmet = [g for g in gates if g.get("verdict") != "pass"]
    named = ", ".join(f"{g.get('name')}: {str(g.get('verdict')).replace('_', ' ')}" for g in unmet)
    rows = max((int(g.get("rows") or 0) for g in gates), default=0)
    text = (
        f"{len(gates) - len(unmet)} of {plural(len(gates), 'gate')} passed on {plural(rows, 'row')}"
    )
    return f"{text}; {named}" if named else text


def _local(time: str) -> str:
    try:
        return local(datetime.fromisoformat(time))
    except ValueError:
        return time
