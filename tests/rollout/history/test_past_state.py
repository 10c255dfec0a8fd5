"""What answered at a time is what the decisions up to then say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gnomon.rollout.history import Kind, RolloutEvent
from gnomon.rollout.history.past_state import state_at

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def decided(hour: float, kind: Kind, artifact: str) -> RolloutEvent:
    return RolloutEvent(kind=kind, artifact=artifact, at=NOON + timedelta(hours=hour))


EVENTS = [
    decided(0, "promote", "toy:a"),
    decided(1, "shadow_start", "toy:b"),
    decided(3, "promote", "toy:b"),
    decided(2.9, "shadow_start", "toy:c"),  # by a machine whose clock is behind
    decided(5, "rollback", "toy:a"),
]


@pytest.mark.parametrize(
    ("hour", "live", "decision", "shadows"),
    [
        (-1, None, None, []),
        (0, "toy:a", 0, []),
        (2, "toy:a", 0, ["toy:b"]),
        (2.95, "toy:b", 2, ["toy:c"]),
        (4, "toy:b", 2, ["toy:c"]),
        (9, "toy:a", 4, ["toy:c"]),
    ],
)
def test_it_is_the_state_of_that_time(
    hour: float, live: str | None, decision: int | None, shadows: list[str]
) -> None:
    """Live, the decision that made it live, and the shadows; nothing before the first one."""
    state = state_at(EVENTS, NOON + timedelta(hours=hour))
    assert state.live == live
    assert state.decision == (None if decision is None else EVENTS[decision])
    assert [shadow.artifact for shadow in state.shadows] == shadows


def test_a_time_without_a_zone_is_of_this_machine() -> None:
    """As everywhere on the command line."""
    naive = (NOON + timedelta(hours=2)).astimezone().replace(tzinfo=None)
    assert state_at(EVENTS, naive).live == "toy:a"
