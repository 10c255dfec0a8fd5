"""``gnomon excuse``: leave a column or a segment out of the gates of disagreement, for a time."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from gnomon.cli.options import AsJson, Model, Token, Url, Why
from gnomon.cli.ranges import parse_time

if TYPE_CHECKING:
    from gnomon.rollout.evidence.excuse import RecordedExcuse
    from gnomon.rollout.history import RolloutEvent

__all__ = ["app"]

app = typer.Typer(
    name="excuse",
    help="Leave a column or segment out of two gates, for a time.",
    no_args_is_help=True,
)


@app.command("add")
def add(
    target: Annotated[
        str,
        typer.Argument(metavar="TARGET", help="An output column, or a segment such as origin=JFK."),
    ],
    owner: Annotated[
        str, typer.Option("--owner", metavar="NAME", help="Who answers for the excuse.")
    ],
    why: Annotated[
        str, typer.Option("--why", metavar="TEXT", help="The reason; the history records it.")
    ],
    until: Annotated[
        datetime,
        typer.Option(
            "--until",
            parser=parse_time,
            metavar="TIME",
            help="Its end; in this machine's time zone, if it has no offset.",
        ),
    ],
    tag: Annotated[
        str | None,
        typer.Option(
            "--tag",
            metavar="TAG",
            help="The shadow, or live in its watch window. Default: the only shadow.",
        ),
    ] = None,
    model: Model = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Excuse a column or a segment. Its rows are still counted, and shown by the gates.

    It has no effect on failures and coverage, and ends by itself.
    """
    from gnomon.cli.console import out, print_json
    from gnomon.cli.rollout_target import find_target
    from gnomon.rollout.history import fold

    target_of = find_target(url, token, model=model, artifact=tag)
    event = target_of.add_excuse(target, artifact=tag, owner=owner, until=until, why=why)
    if as_json:
        print_json(event)
        return
    state = fold(target_of.history())
    recorded = _excuse_of(event, state.excuses)
    effect = f"`gnomon promote {event.artifact} --check` shows what it leaves out."
    if event.artifact == state.live:
        effect = "The watch window leaves it out from now on."
    out.print(
        f"Excuse number {recorded.number} of {event.artifact}: {recorded}. {effect}",
        markup=False,
        soft_wrap=True,
    )


@app.command("list")
def listing(
    model: Model = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """List the excuses that were not ended, with those that have expired."""
    from rich.markup import escape

    from gnomon.cli.console import columns, local, out, print_json
    from gnomon.cli.rollout_target import find_target
    from gnomon.rollout.history import fold

    excuses = fold(find_target(url, token, model=model).history()).excuses
    if as_json:
        print_json(excuses)
        return
    table = columns(
        "#", "excused", "artifact", "until", "owner", "why", whole=("until", "artifact")
    )
    for each in excuses:
        ended = "" if each.is_active() else " (expired)"
        table.add_row(
            str(each.number),
            escape(each.excuse.target),
            escape(each.artifact),
            local(each.excuse.until) + ended,
            escape(each.excuse.owner),
            escape(each.why or ""),
        )
    out.print(table if excuses else "There are no excuses.")


@app.command("end")
def end(
    number: Annotated[
        int, typer.Argument(metavar="NUMBER", help="Its number, as `gnomon excuse list` shows it.")
    ],
    why: Why = None,
    model: Model = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """End an excuse: its rows count again from now on."""
    from gnomon.cli.console import out, print_json
    from gnomon.cli.rollout_target import find_target

    event = find_target(url, token, model=model).end_excuse(number, why=why)
    if as_json:
        print_json(event)
    else:
        out.print(f"Excuse number {number} of {event.artifact} is ended.", markup=False)


def _excuse_of(event: RolloutEvent, excuses: tuple[RecordedExcuse, ...]) -> RecordedExcuse:
    return next(each for each in reversed(excuses) if each.excuse == event.excuse)
