"""The rollout at an earlier time: what answered then, by which decision and on what evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from gnomon.rollout.history.event import RolloutEvent
from gnomon.rollout.history.state import Shadow, fold
from gnomon.time_range import check_time

__all__ = ["PastState", "state_at"]


class PastState(msgspec.Struct, frozen=True, kw_only=True):
    """The state by the decisions up to a time; a server applies a decision within seconds.

    Attributes:
        at: the time.
        live: the artifact that answered; None before the first promotion.
        decision: the promotion or rollback that made it live; its ``gates`` are the evidence.
        shadows: the shadows that ran.
    """

    at: datetime
    live: str | None
    decision: RolloutEvent | None
    shadows: tuple[Shadow, ...]


def state_at(events: Sequence[RolloutEvent], at: datetime) -> PastState:
    """Return the state at a time.

    Args:
        events: the history, oldest first.
        at: the time; in this machine's time zone, if it has none.

    Raises:
        InvalidRequest: the time is at the end of the calendar.
    """
    check_time(at, "time")
    at = at.astimezone()
    past = [event for event in events if event.at <= at]
    # Of decisions by machines whose clocks differ, those before the last one came before it.
    past = [*events[: events.index(past[-1]) + 1]] if past else []
    state = fold(past)
    changes = [event for event in past if event.kind in ("promote", "rollback")]
    return PastState(
        at=at,
        live=state.live,
        decision=changes[-1] if changes else None,
        shadows=tuple(state.shadows.values()),
    )
