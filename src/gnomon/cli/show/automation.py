"""Format what a server decides by itself, for the status."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape

from gnomon.cli.console import ago, local
from gnomon.service.status.automation_status import AutomationStatus, WatchStatus

__all__ = ["automation_lines"]

_MODES = {
    "auto-abort": "a shadow is stopped if a gate fails",
    "auto-promote": "a shadow is promoted if all gates pass, and stopped if one fails",
}


def automation_lines(automation: AutomationStatus) -> Iterator[str]:
    """Return lines of console markup; none if nothing is decided automatically."""
    if automation.watch is not None:
        yield from _watch(automation.watch)
    if automation.mode in _MODES:
        looked = "" if automation.checked is None else f", last {ago(automation.checked)} ago"
        yield f"[dim]mode    [/]  [bold]{automation.mode}[/]: {_MODES[automation.mode]}"
        yield f"          the gates are evaluated every {automation.check_seconds:g} s{looked}"
    for tag in automation.only_by_a_person:
        yield f"          {escape(tag)} is promoted only by a person: it was rolled back or stopped"
    if automation.says:
        yield f"          [yellow]{escape(automation.says)}[/]"


def _watch(watch: WatchStatus) -> Iterator[str]:
    yield f"[dim]watched [/]  {escape(watch.artifact)} until {local(watch.until)}"
    if not watch.rolls_back_if:
        yield "          no condition would roll it back: the policy has no limit for that"
        return
    yield f"          back to {escape(watch.previous)} if"
    for condition in watch.rolls_back_if:
        yield f"          - {escape(condition)}"
