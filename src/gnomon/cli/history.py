"""``gnomon history``: show every rollout decision, with who decided and why."""

from __future__ import annotations

from gnomon.cli.options import AsJson, Model, Token, Url

__all__ = ["command"]


def command(
    model: Model = None, url: Url = None, token: Token = None, as_json: AsJson = False
) -> None:
    """Show every rollout decision: what, when, by whom and why. The oldest comes first.

    Exit code 2: the history is damaged; the decisions before the damage are shown.
    """
    from gnomon.cli.console import out, print_json
    from gnomon.cli.rollout_target import find_target
    from gnomon.cli.show.history import show_history
    from gnomon.errors import HistoryDamaged

    damage = None
    try:
        events = find_target(url, token, model=model).history()
    except HistoryDamaged as error:
        events, damage = list(error.events), error
    if as_json:
        print_json(events)
    else:
        out.print(show_history(events))
    if damage is not None:
        raise damage
