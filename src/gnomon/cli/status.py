"""``gnomon status``: what is live, what is in shadow, and the books."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson, Model, Token, Url

if TYPE_CHECKING:
    from gnomon.cli.target import Target

__all__ = ["command"]

REFRESH_SECONDS = 1.0


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
    from gnomon.cli.show.status import show_status
    from gnomon.cli.target import find_target

    target = find_target(url, token, model=model)
    if as_json:
        print_json({"place": target.place, "slices": target.status()})
    elif watch:
        _watch(target)
    else:
        out.print(show_status(target.place, target.status()), soft_wrap=True)


def _watch(target: Target) -> None:
    """Show it every second; a server that is away for a while is waited for."""
    from rich.live import Live
    from rich.markup import escape

    from gnomon.cli.console import out
    from gnomon.cli.show.status import show_status
    from gnomon.errors import GnomonError

    with Live(console=out, auto_refresh=False) as live, contextlib.suppress(KeyboardInterrupt):
        while True:
            try:
                shown = show_status(target.place, target.status())
            except GnomonError as error:
                shown = f"[yellow]{escape(str(error))}[/]"
            live.update(shown, refresh=True)
            time.sleep(REFRESH_SECONDS)
