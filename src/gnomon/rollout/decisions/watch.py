"""The watch window that a promotion begins."""

from __future__ import annotations

from datetime import timedelta

from gnomon.artifact import inspect
from gnomon.contract.difference import difference
from gnomon.errors import GnomonError
from gnomon.policy.rollout_rules import RolloutRules
from gnomon.rollout.history import RolloutEvent, RolloutState
from gnomon.rollout.watch_window import ReverseShadow, WatchWindow, watched_gates

__all__ = ["window_of"]


def window_of(state: RolloutState, event: RolloutEvent, rules: RolloutRules) -> WatchWindow | None:
    """Return the watch window that a promotion begins; None if it is not watched.

    Without a reverse shadow only the live artifact's own failures are watched. The replaced
    artifact does not go on if it cannot be read any more, or would refuse today's requests.

    Args:
        state: the state before the promotion.
        event: the promotion, with its gates.
        rules: the policy's ``[rollout]`` table.
    """
    if rules.watch_hours is None or state.live is None:
        return None
    reverse = None
    if rules.reverse_shadow:
        reverse = _reverse_shadow(state.live, event.artifact, float(rules.reverse_shadow))
    return WatchWindow(
        until=event.at + timedelta(hours=rules.watch_hours),
        gates=watched_gates(event.forced, event.gates, reverse=reverse is not None),
        reverse_shadow=reverse,
    )


def _reverse_shadow(replaced: str, live: str, fraction: float) -> ReverseShadow | None:
    try:
        old, new = inspect(replaced), inspect(live)
    except GnomonError:
        return None
    if any(c.level == "incompatible" for c in difference(new.contract, old.contract)):
        return None
    return ReverseShadow(
        artifact=old.tag,
        digest=old.digest,
        fraction=fraction,
        entity_key=old.contract.entity_key,
    )
