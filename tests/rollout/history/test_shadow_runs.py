"""A shadow ran beside what was live in its time, and beside nothing else."""

from __future__ import annotations

import pytest

from gnomon.errors import RolloutError
from gnomon.rollout.history import RolloutEvent, fold
from gnomon.rollout.history.shadow_runs import check_ran_beside_live, has_run, ran_beside

EVENTS = [
    RolloutEvent(kind="promote", artifact="toy:1"),
    RolloutEvent(kind="shadow_start", artifact="toy:2"),
    RolloutEvent(kind="shadow_start", artifact="toy:3"),
    RolloutEvent(kind="shadow_stop", artifact="toy:3"),
    RolloutEvent(kind="promote", artifact="toy:2"),
    RolloutEvent(kind="shadow_start", artifact="toy:4"),
]


@pytest.mark.parametrize(
    ("shadow", "live", "ran"),
    [
        ("toy:2", "toy:1", True),
        ("toy:3", "toy:1", True),
        ("toy:3", "toy:2", False),
        ("toy:4", "toy:2", True),
        ("toy:4", "toy:1", False),
        ("toy:1", "toy:2", False),
    ],
)
def test_it_ran_beside_what_was_live_then(shadow: str, live: str, ran: bool) -> None:
    """A shadow that is stopped has run; one of an earlier live artifact has not run beside this."""
    assert ran_beside(EVENTS, shadow, live) is ran


def test_what_was_only_proposed_has_not_run() -> None:
    """Neither as live nor as a shadow, so it has answered nothing."""
    events = [*EVENTS, RolloutEvent(kind="propose", artifact="toy:5")]
    assert [has_run(events, f"toy:{number}") for number in range(1, 6)] == [True] * 4 + [False]


def test_others_are_refused_with_what_helps() -> None:
    """They have no row to compare: that is no result."""
    state = fold(EVENTS)
    check_ran_beside_live(EVENTS, state, "toy:4")
    with pytest.raises(RolloutError, match=r"never a shadow of toy:2.*--on-history"):
        check_ran_beside_live(EVENTS, state, "toy:3")
    with pytest.raises(RolloutError, match="is live already"):
        check_ran_beside_live(EVENTS, state, "toy:2")
