"""``gnomon status``: what is live, what is in shadow, and the books."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson, Model, Token, Url

if TYPE_CHECKING:
    from rich.console import Group, RenderableType

    from gnomon.cli.target import Target
    from gnomon.service.status import Status

__all__ = ["command"]

REFRESH_SECONDS = 1.0
HEADINGS = (
    "role",
    "artifact",
    "for",
    "state",
    "scored",
    "behind",
    "disagree",
    "flip",
    "batch p50 / p99",
)


def command(
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Keep it up to date until Ctrl-C.")
    ] = False,
    model: Model = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show what is live, what is in shadow, and the books."""
    from gnomon.cli.console import out, print_json
    from gnomon.cli.target import find_target

    target = find_target(url, token, model=model)
    if as_json:
        print_json({"place": target.place, "slices": target.status()})
    elif watch:
        _watch(target)
    else:
        out.print(_view(target.place, target.status()))


def _watch(target: Target) -> None:
    from rich.live import Live

    from gnomon.cli.console import out

    with Live(_view(target.place, target.status()), console=out, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(REFRESH_SECONDS)
                live.update(_view(target.place, target.status()), refresh=True)
        except KeyboardInterrupt:
            pass


def _view(place: str, slices: list[Status]) -> Group:
    from rich.console import Group

    parts: list[RenderableType] = []
    for status in slices:
        parts += [_head(place, status), _artifacts(status), _books(status), ""]
    return Group(*parts[:-1])


def _head(place: str, status: Status) -> str:
    from rich.markup import escape

    from gnomon.cli.console import ago

    name = f"[bold]{status.model}[/] at {escape(place)}"
    if status.slice is not None:
        name += f", slice {escape(status.slice)}"
    if status.started is not None:
        name += f", up for {ago(status.started)}"
    state = "[green]ready[/]" if status.ready else "[yellow]not ready[/]"
    reason = f": {escape(status.error)}" if status.error else ""
    return f"{name}  {state}{reason}"


def _artifacts(status: Status) -> RenderableType:
    from rich.markup import escape

    from gnomon.cli.console import ago, columns, milliseconds, share

    table = columns(*HEADINGS)
    if status.live is not None:
        live = status.live
        answers = "[green]answers[/]" if status.ready else ""
        unasked = [""] * 4
        table.add_row(
            "live",
            escape(live.artifact),
            ago(live.since),
            answers,
            *unasked,
            milliseconds(live.latency_ms),
        )
    for shadow in status.shadows:
        colour = {"running": "green", "failing": "red"}.get(shadow.state, "yellow")
        table.add_row(
            "shadow",
            escape(shadow.artifact) + (f" {shadow.fraction:.0%}" if shadow.fraction < 1 else ""),
            ago(shadow.since),
            f"[{colour}]{shadow.state}[/]",
            f"{shadow.scored:,}" + (f", [red]{shadow.failed:,} failed[/]" if shadow.failed else ""),
            f"{shadow.lagging:,}",
            share(shadow.disagreement),
            share(shadow.flips),
            milliseconds(shadow.latency_ms),
        )
    if status.previous is not None:
        table.add_row("previous", escape(status.previous))
    if not table.rows:
        return "no artifact is live yet"
    return table


def _books(status: Status) -> str:
    books = status.books
    counts = {
        "answered": books.answered,
        "rejected": books.rejected,
        "failed": books.failed,
        "timed out": books.timed_out,
        "shed": books.shed,
        "in flight": books.in_flight,
    }
    said = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    return f"{books.received:,} rows received" + (f": {said}" if said else "")
