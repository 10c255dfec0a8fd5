"""``gnomon approve``: promote an artifact that another person has proposed."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson, Token, Url, Why

__all__ = ["command"]


def command(
    artifact: Annotated[str, typer.Argument(metavar="TAG", help="The proposed artifact.")],
    why: Why = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Promote an artifact that another person has proposed.

    Its gates are evaluated again.
    """
    from gnomon.cli.console import print_event, wait
    from gnomon.cli.rollout_target import find_target

    target = find_target(url, token, artifact=artifact)
    with wait(f"loading and verifying {artifact}, and evaluating its gates"):
        event = target.approve(artifact, why=why)
    print_event(event, target.place, target.pending(event), as_json)
