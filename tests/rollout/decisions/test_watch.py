"""The gates that undo a promotion, on rows of the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gnomon import rollout
from gnomon.errors import RolloutConflict, RolloutError
from gnomon.log import InferenceLog
from gnomon.policy import GateLimits, Policy
from gnomon.policy.rollout_rules import RolloutRules
from gnomon.rollout.decisions.automatic import Automatic
from gnomon.rollout.decisions.watch import evaluate_watch, would_roll_back
from gnomon.rollout.history import History, RolloutEvent, RolloutState, fold
from gnomon.rollout.watch_window import ReverseShadow, WatchWindow
from gnomon.settings import Settings
from gnomon.storage import Storage
from tests.packing import HALF_MORE, PAID, Pack, times
from tests.shadow.evidence import log_live, log_shadow

NEW, OLD = "toy:new", "toy:old"
POLICY = Policy(gates=GateLimits(max_failed=0.01, max_disagreement=0.05, max_latency_ratio=2.0))


def state(*gates: str) -> RolloutState:
    """The new artifact is live since the third decision, and the old one its reverse shadow."""
    window = WatchWindow(
        until=datetime.now(UTC) + timedelta(hours=1),
        gates=gates or ("failed", "latency", "disagreement"),
        reverse_shadow=ReverseShadow(artifact=OLD),
    )
    return fold(
        [
            RolloutEvent(kind="promote", artifact=OLD),
            RolloutEvent(kind="shadow_start", artifact=NEW),
            RolloutEvent(kind="promote", artifact=NEW, watch=window),
        ]
    )


def verdicts(settings: Settings, state: RolloutState) -> dict[str, str]:
    found = evaluate_watch(InferenceLog(settings, "toy"), state, POLICY)
    return {gate.name: gate.verdict for gate in found.gates}


def test_the_new_live_artifact_may_stay(settings: Settings) -> None:
    """It answers as the old one does, and no slower."""
    log_live(settings, 1_000, artifact=NEW, epoch=3)
    log_shadow(settings, agreed=1_000, artifact=OLD, against=NEW, epoch=3)
    found = verdicts(settings, state())
    assert found == {"failed": "pass", "latency": "pass", "disagreement": "pass"}


def test_its_own_failures_undo_the_promotion(settings: Settings) -> None:
    """Failed and timed out rows count; rejected and shed ones, and those of a time before, do
    not."""
    log_live(settings, 500, artifact=NEW, epoch=3)
    log_live(settings, 500, artifact=NEW, epoch=1, outcome="failed")
    log_live(settings, 500, artifact=NEW, epoch=3, outcome="shed")
    assert verdicts(settings, state("failed")) == {"failed": "unknown"}
    log_live(settings, 30, artifact=NEW, epoch=3, outcome="failed", error_code="worker_crashed")
    log_live(settings, 10, artifact=NEW, epoch=3, outcome="timed_out", error_code="deadline")
    (gate,) = evaluate_watch(InferenceLog(settings, "toy"), state("failed"), POLICY).gates
    assert gate.verdict == "fail"
    assert "40 of 540 rows failed (30 worker_crashed, 10 deadline)" in gate.says


def test_disagreement_with_the_old_artifact_undoes_it(settings: Settings) -> None:
    """Only where it is proven: a few rows decide nothing."""
    log_live(settings, 100, artifact=NEW, epoch=3)
    log_shadow(settings, agreed=5, disagreed=1, artifact=OLD, against=NEW, epoch=3)
    assert verdicts(settings, state())["disagreement"] == "unknown"
    log_shadow(settings, agreed=300, disagreed=100, artifact=OLD, against=NEW, epoch=3)
    assert verdicts(settings, state())["disagreement"] == "fail"


def test_a_slow_new_artifact_is_named_as_the_slow_one(settings: Settings) -> None:
    """The ratio is of the new artifact's time to the old one's."""
    log_live(settings, 100, artifact=NEW, epoch=3, scored_us=5_000)
    log_shadow(settings, agreed=100, artifact=OLD, against=NEW, epoch=3)
    found = evaluate_watch(InferenceLog(settings, "toy"), state("latency"), POLICY)
    (gate,) = found.gates
    assert gate.verdict == "fail"
    assert f"{NEW} takes 5.00 times {OLD}'s time" in gate.says


def test_a_gate_that_is_not_watched_is_not_evaluated(settings: Settings) -> None:
    """The event says which are: what was overridden does not undo a forced promotion."""
    log_live(settings, 100, artifact=NEW, epoch=3)
    log_shadow(settings, disagreed=400, artifact=OLD, against=NEW, epoch=3)
    assert verdicts(settings, state("failed")) == {"failed": "unknown"}
    watch = state("failed").watch
    assert watch is not None
    assert would_roll_back(watch, POLICY.gates) == ("more than 1% of its rows fail",)


def test_the_conditions_are_said_in_words() -> None:
    """They name the limits of the policy, and the artifact that it is compared with."""
    watch = state().watch
    assert watch is not None
    assert would_roll_back(watch, POLICY.gates) == (
        "more than 1% of its rows fail",
        f"it takes more than 2 times as long as {OLD}",
        f"more than 5% of its rows disagree with {OLD}",
    )
    assert would_roll_back(watch, GateLimits(max_failed=None, max_latency_ratio=None))[0].endswith(
        f"disagree with {OLD}"
    )


def test_nothing_is_watched_without_a_window(settings: Settings) -> None:
    """There is nothing to evaluate, and the error says so."""
    past = fold([RolloutEvent(kind="promote", artifact=OLD)])
    with pytest.raises(RolloutError, match="not in a watch window"):
        evaluate_watch(InferenceLog(settings, "toy"), past, POLICY)


WATCHED = Policy(rollout=RolloutRules(watch_hours=2, reverse_shadow=0.25))


@pytest.mark.slow
def test_a_promotion_begins_its_window(settings: Settings, pack: Pack) -> None:
    """The event has its end, its gates and the reverse shadow; the first promotion has none."""
    old, new = pack(times(1.0)), pack(HALF_MORE)
    assert rollout.promote(settings, "toy", old, policy=WATCHED).watch is None
    event = rollout.promote(settings, "toy", new, policy=WATCHED, force=True)
    assert event.watch is not None
    assert event.watch.until == event.at + timedelta(hours=2)
    assert event.watch.gates == ("failed",)
    assert event.watch.reverse_shadow is not None
    assert event.watch.reverse_shadow.artifact == old
    assert (event.watch.reverse_shadow.fraction, event.watch.reverse_shadow.entity_key) == (
        0.25, ("id",)
    )  # fmt: skip
    history = History(Storage(settings), "toy")
    history.refresh()
    assert history.events[-1] == event
    with pytest.raises(RolloutConflict, match="while the gates were evaluated"):
        rollout.rollback(settings, "toy", automatic=Automatic(history.state.epoch - 1))
    undone = rollout.rollback(settings, "toy", automatic=Automatic(history.state.epoch))
    assert (undone.automatic, undone.artifact) == (True, old)


@pytest.mark.slow
def test_a_replaced_artifact_that_cannot_read_the_requests_does_not_go_on(
    settings: Settings, pack: Pack
) -> None:
    """It would only fail; the live artifact's own failures are watched still."""
    old, new = pack(times(1.0), script=PAID), pack(times(1.0))
    rollout.promote(settings, "toy", old)
    event = rollout.promote(settings, "toy", new, policy=WATCHED, force=True)
    assert event.watch is not None
    assert (event.watch.gates, event.watch.reverse_shadow) == (("failed",), None)
