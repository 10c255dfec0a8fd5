"""The gates that undo a promotion, on rows of the log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gnomon.errors import RolloutError
from gnomon.log import InferenceLog
from gnomon.policy import GateLimits, Policy
from gnomon.rollout.gates.watch_gates import evaluate_watch, would_roll_back
from gnomon.rollout.history import RolloutEvent, RolloutState, fold
from gnomon.rollout.watch_window import ReverseShadow, WatchWindow
from gnomon.settings import Settings
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
