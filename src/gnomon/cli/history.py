"""``gnomon history``: show every rollout decision, with who decided and why."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from gnomon.cli.options import AsJson, Model, Token, Url
from gnomon.cli.ranges import parse_time

__all__ = ["command"]

SHOWN = 50


def command(
    at: Annotated[
        datetime | None,
        typer.Option(
            "--at",
            parser=parse_time,
            metavar="TIME",
            help="Instead, what answered at this time, and on what evidence; in this machine's "
            "time zone, if it has no offset.",
        ),
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(
            "--last",
            min=1,
            metavar="N",
            help=f"Show only the newest N. Default: {SHOWN}, with --json all.",
        ),
    ] = None,
    model: Model = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Show who decided what, when and why.

    Each decision has its time, who took it, why, and on what evidence; the newest comes last.

    Exit code 2: the history is damaged; the decisions before the damage are shown.
    """
    from gnomon.cli.console import print_json
    from gnomon.cli.rollout_target import find_target
    from gnomon.cli.show.history import show_history, show_state
    from gnomon.errors import HistoryDamaged
    from gnomon.rollout.history.past_state import state_at

    damage = None
    try:
        events = find_target(url, token, model=model).history()
    except HistoryDamaged as error:
        events, damage = list(error.events), error
    if at is not None:
        state = state_at(events, at)
        print_json(state) if as_json else show_state(state, events)
    elif as_json:
        print_json(events if last is None else events[-last:])
    else:
        show_history(events, last or SHOWN)
    if damage is not None:
        raise damage
