"""``gnomon rollback``: make the previous artifact live again."""

from __future__ import annotations

from gnomon.cli.options import AsJson, Model, Token, Url, Why

__all__ = ["command"]


def command(
    why: Why = None,
    model: Model = None,
    url: Url = None,
    token: Token = None,
    as_json: AsJson = False,
) -> None:
    """Make the previous artifact live again. It is still loaded, so this takes effect at once."""
    from gnomon.cli.console import print_event
    from gnomon.cli.rollout_target import find_target

    target = find_target(url, token, model=model)
    event = target.rollback(why=why)
    print_event(event, target.place, target.pending(event), as_json)
