"""``gnomon history``: every rollout decision, and who took it why."""

from __future__ import annotations

from gnomon.cli.options import AsJson, Model, Token, Url

__all__ = ["command"]


def command(
    model: Model = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show every rollout decision: what, when, who and why. The oldest comes first."""
    from gnomon.cli.console import out, print_json
    from gnomon.cli.show.history import show_history
    from gnomon.cli.target import find_target

    events = find_target(url, token, model=model).history()
    if as_json:
        print_json(events)
    else:
        out.print(show_history(events))
