"""``gnomon quality``: compare shadows with live by labels."""

from __future__ import annotations

from typing import Annotated

import typer

from gnomon.cli.options import AsJson, Token, Url
from gnomon.cli.ranges import End, PolicyFile, Start

__all__ = ["command"]


def command(
    which: Annotated[
        str | None,
        typer.Argument(
            metavar="TAG",
            help="A shadow, running or stopped. Default: all running ones.",
        ),
    ] = None,
    start: Start = None,
    end: End = None,
    policy: PolicyFile = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Compare shadows with live by labels.

    Each metric is a mean loss: a negative difference is an improvement. The intervals hold however
    often you look; rows of one entity count once. `gnomon promote --check` judges the differences
    by the limits of the policy's [quality].
    """
    from gnomon.api.quality import measure_quality
    from gnomon.cli.console import print_json, wait
    from gnomon.cli.rollout_target import server_at, settings_here
    from gnomon.cli.show.quality import show_quality
    from gnomon.policy import find_policy

    server = server_at(url, token, policy=policy)
    with wait("joining labels with answers"):
        if server is not None:
            report = server.measure_quality(which, start=start, end=end)
        else:
            report = measure_quality(
                which, start=start, end=end, policy=find_policy(policy), settings=settings_here()
            )
    print_json(report) if as_json else show_quality(report)
