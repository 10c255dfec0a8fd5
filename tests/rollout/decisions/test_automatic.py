"""When a server decides by itself, and when it does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gnomon.compare.sequential import Interval
from gnomon.rollout.decisions.automatic import (
    LOOKS,
    FailedLooks,
    because,
    promotable,
    window_over,
)
from gnomon.rollout.gate import Gate, Gates, Verdict
from gnomon.rollout.history import RolloutEvent, RolloutState, fold
from gnomon.rollout.quality.quality_gates import gate_name
from gnomon.rollout.watch_window import ReverseShadow, WatchWindow

NOW = datetime(2026, 11, 30, tzinfo=UTC)
PAST = [
    RolloutEvent(kind="promote", artifact="a"),
    RolloutEvent(kind="shadow_start", artifact="b"),
    RolloutEvent(kind="shadow_start", artifact="a", same=True),
]


def gate(name: str, verdict: Verdict, interval: Interval | None = None) -> Gate:
    return Gate(name=name, verdict=verdict, says="so", limit=1, interval=interval)


def gates(artifact: str, *found: Gate) -> Gates:
    return Gates(artifact=artifact, live="a", gates=found)


def watched_state(*more: RolloutEvent) -> RolloutState:
    window = WatchWindow(until=NOW, gates=("failed",), reverse_shadow=ReverseShadow(artifact="a"))
    return fold([*PAST, RolloutEvent(kind="promote", artifact="b", watch=window), *more])


def test_an_interval_decides_at_the_first_look() -> None:
    """It holds however often it is computed."""
    failed = gate("disagreement", "fail", Interval(0.1, 0.2))
    assert FailedLooks().deciding("b", 2, [failed, gate("rows", "pass")]) == (failed,)


def test_a_gate_without_an_interval_must_fail_repeatedly() -> None:
    """The latency and the lag may fail for a moment; a look that passes begins anew."""
    looks, slow = FailedLooks(), gate("latency", "fail")
    for _ in range(LOOKS - 1):
        assert looks.deciding("b", 2, [slow]) == ()
    assert looks.deciding("b", 2, [gate("latency", "pass")]) == ()
    for _ in range(LOOKS - 1):
        assert looks.deciding("b", 2, [slow]) == ()
    assert looks.deciding("c", 3, [slow]) == ()
    assert looks.deciding("b", 2, [slow]) == (slow,)


def test_the_reason_is_in_the_unit_of_the_gate() -> None:
    """A share is a percentage of the rows; a difference of losses is told as its gate says it."""
    share = Gate(
        name="disagreement", verdict="fail", says="so", limit=0.05, value=0.15,
        interval=Interval(0.1, 0.2),
    )  # fmt: skip
    says = "absolute_error 9, live 4, on 80 labelled rows: +2 to +8; limit +0.5"
    losses = Gate(
        name=gate_name("absolute_error"), verdict="fail", says=says, limit=0.5, value=5.0,
        interval=Interval(2.0, 8.0),
    )  # fmt: skip
    assert because([share, losses]) == (
        "gate disagreement failed: 15% (10% to 20%) of the rows; limit 5%; "
        f"gate quality_absolute_error failed: {says}"
    )


@pytest.mark.parametrize("verdict", ["pass", "unknown", "no_data"])
def test_only_a_failure_stops_a_shadow(verdict: Verdict) -> None:
    """Unknown and no data are no reason, at however many looks."""
    looks = FailedLooks()
    for _ in range(LOOKS + 1):
        assert looks.deciding("b", 2, [gate("lag", verdict)]) == ()


def test_live_itself_and_the_reverse_shadow_are_not_judged() -> None:
    """They are there to compare with, and are no candidates."""
    assert [shadow.artifact for shadow in fold(PAST).judged] == ["b"]
    assert watched_state().judged == ()


def test_what_measured_the_noise_floor_is_no_candidate_of_the_next_live_artifact() -> None:
    """Otherwise a server would promote back what a person has just replaced."""
    state = fold([*PAST, RolloutEvent(kind="promote", artifact="b")])
    assert list(state.shadows) == ["a"]
    assert state.judged == ()


def test_what_passes_is_promoted_in_one_mode_only() -> None:
    """Each other mode leaves it to a person."""
    passing = gates("b", gate("rows", "pass"))
    step, instead = promotable(fold(PAST), "auto-promote", [passing])
    assert step is not None
    assert (step.kind, step.artifact, step.gates, instead) == ("promote", "b", passing, None)
    assert promotable(fold(PAST), "auto-abort", [passing]) == (None, None)
    assert promotable(fold(PAST), "advise", [passing]) == (None, None)
    assert promotable(fold(PAST), "auto-promote", []) == (None, None)


def test_a_person_chooses_between_two_that_pass() -> None:
    """Gates say that each may replace live, not which is better."""
    step, instead = promotable(fold(PAST), "auto-promote", [gates("b"), gates("c")])
    assert step is None
    assert instead is not None
    assert "choose" in instead


def test_what_was_stopped_by_a_server_is_promoted_by_a_person() -> None:
    """Else it could go back and forth; also after a person has started it again."""
    stopped = RolloutEvent(kind="shadow_stop", artifact="b", automatic=True)
    state = fold([*PAST, stopped, RolloutEvent(kind="shadow_start", artifact="b")])
    step, instead = promotable(state, "auto-promote", [gates("b")])
    assert step is None
    assert instead is not None
    assert "only a person" in instead


def test_the_reverse_shadow_ends_with_the_window() -> None:
    """At its end and not before; once it is stopped, nothing is left to do."""
    assert window_over(watched_state(), NOW - timedelta(seconds=1)) is None
    step = window_over(watched_state(), NOW)
    assert step is not None
    assert (step.kind, step.artifact) == ("end_watch", "a")
    stopped = RolloutEvent(kind="shadow_stop", artifact="a", automatic=True)
    assert window_over(watched_state(stopped), NOW) is None
    assert window_over(fold(PAST), NOW) is None
