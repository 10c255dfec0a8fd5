"""``gnomon history``: every rollout decision, and what it rested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.cli.options import AsJson, Model, Token, Url

if TYPE_CHECKING:
    from gnomon.shadow.history import Event

__all__ = ["command"]


def command(
    model: Model = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show every rollout decision: what, when, who and why. The oldest comes first."""
    from rich.markup import escape

    from gnomon.cli.console import columns, local, out, print_json
    from gnomon.cli.target import find_target

    events = find_target(url, token, model=model).history()
    if as_json:
        print_json(events)
        return
    table = columns("#", "when", "decision", "artifact", "who", "why")
    for number, event in enumerate(events, start=1):
        table.add_row(
            str(number),
            local(event.at),
            _decision(event),
            escape(event.artifact),
            escape(event.by or "-"),
            escape(event.why or ""),
        )
    out.print(table)


def _decision(event: Event) -> str:
    words = event.kind.replace("_", " ")
    if event.kind == "shadow_start" and event.fraction < 1:
        words += f" {event.fraction:.0%}"
    if event.same:
        words += ", same"
    return words + ", [yellow]forced[/]" if event.forced else words
