"""The watch window in the state of a rollout, and which gates it has."""

from __future__ import annotations

from datetime import UTC, datetime

from gnomon.rollout.history import Kind, RolloutEvent, fold
from gnomon.rollout.watch_window import ReverseShadow, WatchWindow, watched_gates

UNTIL = datetime(2026, 12, 1, tzinfo=UTC)
PASSED = [{"name": name, "verdict": "pass"} for name in ("failed", "latency", "disagreement")]


def event(kind: Kind, artifact: str, **more: object) -> RolloutEvent:
    return RolloutEvent(kind=kind, artifact=artifact, **more)  # type: ignore[arg-type]


def watched(old: str, new: str) -> RolloutEvent:
    """A promotion after which the old artifact goes on as the shadow of the new one."""
    reverse = ReverseShadow(artifact=old, digest="d", fraction=0.5, entity_key=("id",))
    window = WatchWindow(until=UNTIL, gates=("failed", "disagreement"), reverse_shadow=reverse)
    return event("promote", new, watch=window)


PROMOTED = [event("promote", "a"), event("shadow_start", "b"), watched("a", "b")]


def test_one_event_makes_the_replaced_artifact_the_shadow() -> None:
    """No decision lies between, so a server that is killed leaves either both or none."""
    state = fold(PROMOTED)
    (shadow,) = state.shadows.values()
    assert (shadow.artifact, shadow.reverse, shadow.since) == ("a", True, 3)
    assert (shadow.digest, shadow.fraction, shadow.entity_key) == ("d", 0.5, ("id",))
    assert state.watch is not None
    assert (state.watch.artifact, state.watch.previous) == ("b", "a")
    assert (state.watch.until, state.watch.shadow) == (UNTIL, True)


def test_a_reverse_shadow_is_no_candidate() -> None:
    """It does not take a part of the allowed error of the gates."""
    assert fold(PROMOTED).tried == ()
    assert fold([*PROMOTED, event("shadow_start", "c")]).candidates == 1


def test_the_shadow_of_live_itself_becomes_the_reverse_shadow() -> None:
    """An A/A run of the artifact that is replaced ends, and the reverse shadow begins."""
    state = fold([event("promote", "a"), event("shadow_start", "a", same=True), watched("a", "b")])
    assert (state.shadows["a"].reverse, state.shadows["a"].since) == (True, 3)


def test_a_rollback_ends_the_watch_and_the_reverse_shadow() -> None:
    """The artifact that was rolled back is not a shadow, and only a person promotes it again."""
    state = fold([*PROMOTED, event("rollback", "a", automatic=True)])
    assert (state.live, state.shadows, state.watch) == ("a", {}, None)
    assert state.distrusted == ("b",)
    assert fold([*PROMOTED, event("rollback", "a"), event("promote", "b")]).distrusted == ()


def test_the_next_promotion_ends_the_reverse_shadow_before() -> None:
    """One window at a time."""
    state = fold([*PROMOTED, event("promote", "c")])
    assert (state.shadows, state.watch) == ({}, None)
    state = fold([*PROMOTED, watched("b", "c")])
    assert [*state.shadows] == ["b"]


def test_without_its_shadow_the_window_goes_on() -> None:
    """Then only failures are watched, which need no comparison."""
    state = fold([*PROMOTED, event("shadow_stop", "a")])
    assert state.watch is not None
    assert not state.watch.shadow
    assert state.distrusted == ()


def test_what_a_server_stopped_only_a_person_promotes() -> None:
    """A shadow that a person stopped is not distrusted."""
    past = [event("promote", "a"), event("shadow_start", "b")]
    assert fold([*past, event("shadow_stop", "b", automatic=True)]).distrusted == ("b",)
    assert fold([*past, event("shadow_stop", "b")]).distrusted == ()


def test_what_was_forced_does_not_undo_the_promotion() -> None:
    """A gate that did not pass was overridden by a person; failures are watched unless they were
    the reason."""
    assert watched_gates(False, (), reverse=True) == ("failed", "latency", "disagreement", "flips")
    assert watched_gates(False, (), reverse=False) == ("failed",)
    assert watched_gates(True, (), reverse=True) == ("failed",)
    assert watched_gates(True, PASSED, reverse=True) == ("failed", "latency", "disagreement")
    disagrees = [*PASSED[:2], {"name": "disagreement", "verdict": "fail"}]
    assert watched_gates(True, disagrees, reverse=True) == ("failed", "latency")
    assert watched_gates(True, [{"name": "failed", "verdict": "fail"}], reverse=True) == ()
