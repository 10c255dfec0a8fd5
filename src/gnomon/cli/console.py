"""Printing for all commands: text for people, JSON for programs, errors in red."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.progress import TimeElapsedColumn as Elapsed
from rich.table import Table
from rich.text import Text

from gnomon.errors import GnomonError
from gnomon.quantities import percent, rough_duration
from gnomon.terminal import Terminal

if TYPE_CHECKING:
    from gnomon.rollout.history import RolloutEvent

__all__ = [
    "ago",
    "columns",
    "local",
    "out",
    "print_event",
    "print_json",
    "progress",
    "share",
    "show_error",
    "wait",
]

PIPED_WIDTH = 140
"""The width without a terminal and without COLUMNS: enough for a row of any table."""

out = Terminal()
err = Terminal(stderr=True)
if not out.is_terminal and "COLUMNS" not in os.environ:
    out.width = PIPED_WIDTH


def show_error(error: GnomonError) -> None:
    """Print what went wrong, where, and what to do, on standard error."""
    _show("error: ", "bold red", error.message, "red")
    if error.where:
        _show("   at: ", "dim", error.where)
    if error.hint:
        _show(" hint: ", "dim", error.hint)
    for note in getattr(error, "__notes__", ()):
        _show(" note: ", "dim", note)


def _show(label: str, style: str, text: str, of_text: str = "") -> None:
    """Print a line of an error; further lines of the text are indented below it."""
    lines = text.replace("\n", "\n" + " " * len(label))
    err.print(Text.assemble((label, style), (lines, of_text)), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as indented JSON, never coloured or wrapped."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    out.print(text, markup=False, soft_wrap=True)


_DONE = {
    "propose": ("is proposed", "is proposed"),
    "withdraw": ("is no longer proposed", "is no longer proposed"),
    "promote": ("is live", "is recorded as live"),
    "rollback": ("is live again", "is recorded as live again"),
    "shadow_start": ("is in shadow", "is recorded as a shadow"),
    "shadow_stop": ("is no longer a shadow", "is recorded as no longer a shadow"),
}


def print_event(event: RolloutEvent, place: str, pending: str | None, as_json: bool) -> None:
    """Print a rollout decision that was recorded at a place and, if it is ``pending``, why."""
    if as_json:
        print_json(event)
        return
    from gnomon.contract.difference import Change
    from gnomon.rollout.history import forced_reason
    from gnomon.rollout.proposal import PROPOSAL_HOURS

    done = _DONE[event.kind][pending is not None]
    reason = forced_reason(event)
    forced = f", though {reason}" if reason else ""
    when = "" if pending is None else f" {pending}"
    if event.kind == "propose":
        until = local(event.at + timedelta(hours=PROPOSAL_HOURS))
        when = f" Another person approves it until {until}: gnomon approve {event.artifact}"
    out.print(f"{event.artifact} {done} at {place}{forced}.{when}", markup=False)
    for change in msgspec.convert(event.changes, list[Change]):
        if change.level != "compatible":
            out.print(Text.assemble((f"{change.level}: ", "yellow"), str(change)), soft_wrap=True)


def columns(*names: str, whole: Collection[str] = ()) -> Table:
    """Return a table with these columns and no lines; those in ``whole`` are never wrapped."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in names:
        table.add_column(name, overflow="fold", no_wrap=name in whole)
    return table


@contextmanager
def wait(what: str) -> Iterator[None]:
    """Show a spinner while something takes time; nothing if there is no terminal."""
    with err.status(what) if err.is_terminal else _nothing():
        yield


@contextmanager
def progress() -> Iterator[Progress]:
    """Show a progress bar on standard error, which is removed at the end."""
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Elapsed(),
        console=err,
        transient=True,
        disable=not err.is_terminal,
    )
    with bar:
        yield bar


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def ago(time: datetime | None) -> str:
    """Write the time since then, in the largest suitable unit."""
    return "-" if time is None else rough_duration((datetime.now(UTC) - time).total_seconds())


def local(time: datetime) -> str:
    """Write a time in the local time zone."""
    return f"{time.astimezone():%Y-%m-%d %H:%M:%S}"


def share(part: float | None) -> str:
    """Write a share as a percentage; a dash if there is none."""
    return "-" if part is None else percent(part, 2)
