"""``gnomon withdraw``: withdraw a proposed promotion."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson, Model, Token, Url, Why

__all__ = ["command"]


def command(
    artifact: Annotated[
        str | None,
        typer.Argument(metavar="TAG", help="The proposed artifact. Default: the only one."),
    ] = None,
    why: Why = None,
    model: Model = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Withdraw a proposed promotion: nobody can approve it any more."""
    from gnomon.cli.console import print_event
    from gnomon.cli.rollout_target import find_target

    target = find_target(url, token, model=model, artifact=artifact)
    print_event(target.withdraw(artifact, why=why), target.place, None, as_json)
