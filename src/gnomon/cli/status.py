"""``gnomon status``: show what is live, what is in shadow, and the accounts, over all slices."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from gnomon.cli.options import AsJson, Model, Token, Url

if TYPE_CHECKING:
    from gnomon.service.status.deployment_overview import Overview

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
    """Show what is live, what is in shadow, and the accounts."""
    from gnomon.cli.console import out, print_json
    from gnomon.cli.show.status import show_status
    from gnomon.service.status.totals import total

    def look() -> Overview:
        return _find(url, token, model)

    if watch:
        _watch(look)
    elif as_json:
        current = look()
        print_json({**msgspec.structs.asdict(current), "total": total(current.slices)})
    else:
        out.print(show_status(look()), soft_wrap=True)


def _find(url: str | None, token: str | None, model: str | None) -> Overview:
    """Find the deployment under the storage root, or the one slice at another ``url``."""
    from gnomon.cli.rollout_target import find_target
    from gnomon.errors import SettingsError
    from gnomon.rollout.defaults import find_model
    from gnomon.service.status.deployment_overview import Overview, overview
    from gnomon.settings import Settings

    target = find_target(url, token, model=model)
    settings = Settings.read()
    with contextlib.suppress(SettingsError):  # The storage root has no such model.
        name = find_model(settings, model)
        return overview(settings, name, place=target.place, ask=target.status, url=url)
    return Overview(place=target.place, slices=target.status())


def _watch(look: Callable[[], Overview]) -> None:
    """Show the status every second; while a server does not answer, show the error and retry."""
    from rich.live import Live
    from rich.markup import escape

    from gnomon.cli.console import out
    from gnomon.cli.show.status import show_status
    from gnomon.errors import GnomonError

    with Live(console=out, auto_refresh=False) as live, contextlib.suppress(KeyboardInterrupt):
        while not out.quiet:  # Until the reader is gone.
            try:
                content = show_status(look())
            except GnomonError as error:
                content = f"[yellow]{escape(str(error))}[/]"
            live.update(content, refresh=True)
            time.sleep(REFRESH_SECONDS)
