"""The standing run of live against itself, as it follows from the decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gnomon.errors import RolloutError
from gnomon.rollout.history import Kind, NoiseRun, RolloutEvent, RolloutState, fold
from gnomon.rollout.watch_window import ReverseShadow, WatchWindow

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def after(*events: tuple[Kind, str] | RolloutEvent) -> RolloutState:
    """Return the state after decisions that were taken a minute apart."""
    made = [
        event if isinstance(event, RolloutEvent) else decision(*event, minute=minute)
        for minute, event in enumerate(events)
    ]
    return fold(made)


def decision(kind: Kind, artifact: str, *, minute: int = 0, **more: Any) -> RolloutEvent:
    return RolloutEvent(kind=kind, artifact=artifact, at=NOW + timedelta(minutes=minute), **more)


def test_it_runs_from_the_first_shadow_to_the_last() -> None:
    """A second shadow is judged against the same run; later ones against a new one."""
    assert after(("promote", "a")).noise_run is None
    started = after(("promote", "a"), ("shadow_start", "b"))
    run = NoiseRun(artifact="a", since=2, at=NOW + timedelta(minutes=1))
    assert started.noise_run == run
    two = after(("promote", "a"), ("shadow_start", "b"), ("shadow_start", "c"))
    assert two.noise_run == run
    past: list[tuple[Kind, str]] = [
        ("promote", "a"), ("shadow_start", "b"), ("shadow_start", "c"), ("shadow_stop", "b"),
    ]  # fmt: skip
    assert after(*past).noise_run == run
    assert after(*past, ("shadow_stop", "c")).noise_run is None
    again = after(*past, ("shadow_stop", "c"), ("shadow_start", "b")).noise_run
    assert again is not None
    assert again.since == 6


def test_it_follows_the_live_artifact() -> None:
    """What was measured of another artifact says nothing; a promotion and a rollback begin anew."""
    past: list[tuple[Kind, str]] = [("promote", "a"), ("shadow_start", "b"), ("shadow_start", "c")]
    promoted = after(*past, ("promote", "b"))
    assert promoted.noise_run is not None
    assert (promoted.noise_run.artifact, promoted.noise_run.since) == ("b", 4)
    assert promoted.live_since == 4
    back = after(*past, ("promote", "b"), ("rollback", "a"))
    assert back.noise_run is not None
    assert (back.noise_run.artifact, back.noise_run.since) == ("a", 5)
    assert after(("promote", "a"), ("shadow_start", "b"), ("promote", "b")).noise_run is None


def test_it_is_no_candidate() -> None:
    """It is not among the shadows, and does not share the allowed error."""
    state = after(("promote", "a"), ("shadow_start", "b"))
    assert list(state.shadows) == ["b"]
    assert state.candidates == 1


def test_stopping_it_is_refused_with_what_would() -> None:
    """No decision started it."""
    past: list[tuple[Kind, str]] = [("promote", "a"), ("shadow_start", "b"), ("shadow_stop", "a")]
    with pytest.raises(RolloutError, match="noise_floor = 0"):
        after(*past)


def test_one_that_a_person_started_takes_its_place() -> None:
    """Both would write to one stream; and live's own run alone asks for no floor."""
    same = decision("shadow_start", "a", same=True)
    assert after(decision("promote", "a"), same).noise_run is None
    both = [decision("promote", "a"), decision("shadow_start", "b"), same]
    assert fold(both).noise_run is None
    stopped = fold([*both, decision("shadow_stop", "a")])
    assert stopped.noise_run is not None
    assert stopped.noise_run.since == 4


def test_it_runs_in_a_watch_window() -> None:
    """The promoted artifact is judged against the one before, beyond its own noise."""
    window = WatchWindow(
        until=NOW + timedelta(hours=1),
        gates=("disagreement",),
        reverse_shadow=ReverseShadow(artifact="a", digest="d", fraction=1.0),
    )
    watched = fold(
        [
            decision("promote", "a"),
            decision("shadow_start", "b"),
            decision("promote", "b", watch=window),
        ]
    )
    assert watched.noise_run is not None
    assert (watched.noise_run.artifact, watched.noise_run.since) == ("b", 3)
