"""Which shadows ran beside which live artifact."""

from __future__ import annotations

from collections.abc import Iterable

from gnomon.errors import RolloutError
from gnomon.rollout.history.event import RolloutEvent
from gnomon.rollout.history.state import RolloutState

__all__ = ["check_ran_beside_live", "has_run", "ran_beside"]


def ran_beside(events: Iterable[RolloutEvent], artifact: str, live: str) -> bool:
    """Return whether an artifact was ever a shadow while another one was live.

    Args:
        events: the history, oldest first.
        artifact: the tag of the shadow.
        live: the tag of the other.
    """
    state = RolloutState()
    for event in events:
        state = state.after(event)
        if state.live == live and artifact in state.shadows:
            return True
    return False


def has_run(events: Iterable[RolloutEvent], artifact: str) -> bool:
    """Return whether an artifact was ever live, or a shadow."""
    kinds = ("promote", "rollback", "shadow_start")
    return any(event.artifact == artifact and event.kind in kinds for event in events)


def check_ran_beside_live(
    events: Iterable[RolloutEvent], state: RolloutState, artifact: str
) -> None:
    """Refuse an artifact of which there can be no row that live answered too.

    Args:
        events: the history, oldest first.
        state: the state after it.
        artifact: the tag of a shadow, running or stopped.

    Raises:
        RolloutError: nothing is live, it is live itself, or it never was a shadow of what is live.
    """
    live = state.live_for(artifact)
    if ran_beside(events, artifact, live):
        return
    raise RolloutError(
        f"`{artifact}` was never a shadow of {live}, which is live, so there is no row that both "
        "answered",
        hint=f"to start it: gnomon shadow start {artifact}; to replay it over logged requests: "
        f"gnomon promote {artifact} --check --on-history ..",
    )
