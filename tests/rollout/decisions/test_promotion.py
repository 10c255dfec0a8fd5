import msgspec
import pytest

from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.errors import (
    ApprovalNeeded,
    ArtifactCorrupt,
    GateRefused,
    RolloutError,
    UnknownArtifact,
)
from gnomon.policy import GateLimits, Policy, RolloutRules
from gnomon.rollout.actor import Actor
from gnomon.rollout.gate import Gates
from gnomon.rollout.history import RolloutEvent, newest_history
from gnomon.settings import Settings
from tests.packing import Pack, times
from tests.shadow.evidence import log_live, log_shadow

EASY = Policy(gates=GateLimits(min_rows=100, min_coverage=None, max_lag_rows=None))


def test_the_first_artifact_is_promoted_ungated(settings: Settings, live: str) -> None:
    """Without a live artifact there is nothing to compare with; this is not recorded as forced."""
    event = rollout.promote(settings, "toy", live, by="ann", why="first")
    assert (event.artifact, event.forced, event.by) == (live, False, "ann")
    assert event.digest == inspect(live).digest
    assert newest_history(settings, "toy").state.live == live


def test_a_promotion_needs_its_gates(settings: Settings, live: str, candidate: str) -> None:
    """Unknown is refused with each gate's reason; evidence lets it pass and is kept."""
    rollout.promote(settings, "toy", live)
    with pytest.raises(GateRefused, match="rows no data: it is not a running shadow"):
        rollout.promote(settings, "toy", candidate, policy=EASY)
    rollout.start_shadow(settings, "toy", candidate)
    log_live(settings, 100, artifact=live)
    log_shadow(settings, agreed=90, artifact=candidate, against=live)
    with pytest.raises(GateRefused, match="100 are needed; needs 10 more rows scored"):
        rollout.promote(settings, "toy", candidate, policy=EASY)
    log_shadow(settings, agreed=910, artifact=candidate, against=live)
    asked = rollout.check(settings, "toy", candidate, EASY)
    assert asked.verdict == "pass"
    event = rollout.promote(settings, "toy", candidate, policy=EASY)
    assert not event.forced
    assert event.gates == msgspec.to_builtins(asked.gates)
    after = newest_history(settings, "toy").state
    assert (after.live, after.previous, after.shadows) == (candidate, live, {})


def test_what_is_promoted_is_what_was_in_shadow(
    settings: Settings, live: str, candidate: str
) -> None:
    """A tag that has other content in this store than where the shadow was started is refused."""
    rollout.promote(settings, "toy", live)
    shadow = RolloutEvent(kind="shadow_start", artifact=candidate, digest="0" * 64)
    newest_history(settings, "toy").append(shadow)
    log_live(settings, 100, artifact=live)
    log_shadow(settings, agreed=1_000, artifact=candidate, against=live)
    with pytest.raises(GateRefused, match="the shadow was started with 000000000000") as caught:
        rollout.promote(settings, "toy", candidate, policy=EASY)
    checked = rollout.check(settings, "toy", candidate, EASY)
    assert {gate.verdict for gate in checked.gates} == {"pass"}
    assert (checked.verdict, checked.refused) == ("fail", str(caught.value))
    assert rollout.promote(settings, "toy", candidate, policy=EASY, force=True).forced


def test_force_is_recorded(settings: Settings, live: str, candidate: str) -> None:
    """A forced promotion passes, and the history shows what the gates said."""
    rollout.promote(settings, "toy", live)
    event = rollout.promote(settings, "toy", candidate, force=True, why="I know")
    assert (event.forced, event.why) == (True, "I know")
    assert event.gates[0]["verdict"] == "no_data"
    assert newest_history(settings, "toy").events[-1] == event


def test_force_that_was_not_needed_is_not_recorded(
    settings: Settings, live: str, candidate: str
) -> None:
    """If the gates pass, the history does not say that they were overridden."""
    rollout.promote(settings, "toy", live)
    rollout.start_shadow(settings, "toy", candidate)
    log_live(settings, 100, artifact=live)
    log_shadow(settings, agreed=1_000, artifact=candidate, against=live)
    event = rollout.promote(settings, "toy", candidate, policy=EASY, force=True)
    assert not event.forced
    assert {gate["verdict"] for gate in event.gates} == {"pass"}


def test_a_rollback_names_what_it_goes_back_to(
    settings: Settings, live: str, candidate: str
) -> None:
    """The previous artifact is live again; once there is none before, it is refused."""
    rollout.promote(settings, "toy", live)
    with pytest.raises(RolloutError, match="no previous artifact"):
        rollout.rollback(settings, "toy")
    rollout.promote(settings, "toy", candidate, force=True)
    event = rollout.rollback(settings, "toy", why="late flights")
    assert (event.artifact, event.digest) == (live, inspect(live).digest)
    assert newest_history(settings, "toy").state.live == live


def test_latest_is_resolved_when_decided(settings: Settings, live: str) -> None:
    """The history holds the version, not a name that moves."""
    assert rollout.promote(settings, "toy", "toy:latest").artifact == live


def test_what_cannot_be_served_is_not_decided(settings: Settings, live: str, pack: Pack) -> None:
    """Unknown, tampered, or another model's artifact: refused, and nothing is recorded."""
    other = pack(times(1.0), "other")
    with pytest.raises(RolloutError, match="is not an artifact of `toy`"):
        rollout.promote(settings, "toy", other)
    with pytest.raises(UnknownArtifact):
        rollout.promote(settings, "toy", "toy:none")
    (inspect(live).path / "contract.json").write_text("{}")
    with pytest.raises(ArtifactCorrupt):
        rollout.promote(settings, "toy", live)
    assert newest_history(settings, "toy").events == []


def test_what_is_known_before_is_refused_without_the_gates(
    settings: Settings, live: str, candidate: str
) -> None:
    """Gates take seconds: neither the proposer nor who is not proven waits for them."""

    def ask(*_: object) -> Gates:
        raise AssertionError("the gates are not evaluated")

    two = Policy(gates=EASY.gates, rollout=RolloutRules(approvals=2))
    ann, bob = (Actor(by=name, authenticated="proxy") for name in ("ann", "bob"))
    rollout.promote(settings, "toy", live)
    with pytest.raises(ApprovalNeeded, match="must be proven"):
        rollout.promote(settings, "toy", candidate, policy=two, by="ann", ask=ask)
    with pytest.raises(ApprovalNeeded, match="there is no proposal"):
        rollout.approve(settings, "toy", candidate, policy=two, by=bob, ask=ask)
    rollout.start_shadow(settings, "toy", candidate)
    log_live(settings, 1_000, artifact=live)
    log_shadow(settings, agreed=1_000, artifact=candidate, against=live)
    assert rollout.promote(settings, "toy", candidate, policy=two, by=ann).kind == "propose"
    for decide in (rollout.promote, rollout.approve):
        with pytest.raises(ApprovalNeeded, match="somebody else has to approve it"):
            decide(settings, "toy", candidate, policy=two, by=ann, ask=ask)
    with pytest.raises(ApprovalNeeded, match="somebody else has to approve it"):
        rollout.precheck_approval(settings, "toy", candidate, policy=two, by=ann)
    rollout.precheck_approval(settings, "toy", candidate, policy=two, by=bob)
    rollout.precheck_promotion(settings, "toy", candidate, policy=two, by=ann, force=True)
    assert newest_history(settings, "toy").state.live == live
    event = rollout.approve(settings, "toy", candidate, policy=two, by=bob)
    assert (event.kind, event.approves) == ("promote", 3)
