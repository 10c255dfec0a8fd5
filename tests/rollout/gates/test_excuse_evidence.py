"""Gates judge what is not excused, say what is, and do not pass if too much is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.errors import RolloutError
from gnomon.log import InferenceLog
from gnomon.policy import GateLimits, Policy
from gnomon.rollout.evidence.excuse import RecordedExcuse, parse_excuse
from gnomon.rollout.gate import Gate
from gnomon.rollout.gates.excuse_evidence import excused_rows
from gnomon.rollout.gates.gates import evaluate
from gnomon.rollout.history import RolloutEvent, RolloutState, fold
from gnomon.settings import Settings
from tests.packing import HALF_MORE, Pack, times
from tests.shadow.evidence import LIVE, SHADOW, log_live, log_shadow

NOW = datetime.now(UTC)
LIMITS = GateLimits(min_rows=0, max_disagreement=0.05, max_flips=0.05, max_excused=0.2)


def state(*excuses: str, until: datetime = NOW + timedelta(days=1)) -> RolloutState:
    events = [
        RolloutEvent(kind="promote", artifact=LIVE),
        RolloutEvent(kind="shadow_start", artifact=SHADOW),
    ]
    for target in excuses:
        excuse = parse_excuse(target, "ann", until)
        events.append(RolloutEvent(kind="excuse", artifact=SHADOW, excuse=excuse, why="new codes"))
    return fold(events)


def judged(settings: Settings, state: RolloutState, limits: GateLimits = LIMITS) -> dict[str, Gate]:
    found = evaluate(InferenceLog(settings, "toy"), state, Policy(gates=limits), SHADOW)
    return {gate.name: gate for gate in found.gates}


@pytest.fixture
def logged(settings: Settings) -> Settings:
    """A tenth of the rows is of one customer of ten, and differs."""
    log_live(settings, 10)
    log_shadow(settings, agreed=900)
    log_shadow(settings, disagreed=100, failed=20, customers=1)
    return settings


def test_the_others_are_judged_and_the_excused_are_shown(logged: Settings) -> None:
    """Without the excuse the gate fails; failures count in any case."""
    assert judged(logged, state())["disagreement"].verdict == "fail"
    gates = judged(logged, state("customer=c0"))
    gate = gates["disagreement"]
    assert (gate.verdict, gate.count, gate.rows, gate.excused) == ("pass", 0, 900, 100)
    assert "of 100 disagreeing rows 100 are excused (customer=c0, expires in" in gate.says
    assert gate.says.endswith("owner ann: new codes)")
    assert gates["failed"].count == 20
    assert gates["rows"].value == 1_000


def test_what_is_excused_is_no_noise_of_the_others(logged: Settings) -> None:
    """Live disagrees with itself on the excused rows only, which excuses nothing of other rows."""
    log_shadow(logged, artifact=LIVE, agreed=900)
    log_shadow(logged, artifact=LIVE, disagreed=300, customers=1)
    log_shadow(logged, disagreed=120)
    assert judged(logged, state("customer=c0"))["disagreement"].verdict == "fail"


def test_after_its_end_all_rows_count_again(logged: Settings) -> None:
    """By itself, also those that arrived before."""
    assert judged(logged, state("customer=c0", until=NOW))["disagreement"].verdict == "fail"


def test_an_excuse_may_not_cover_most_rows(logged: Settings) -> None:
    """The gate then says so, and that no number of rows decides it."""
    gate = judged(logged, state("customer=c0"), msgspec.structs.replace(LIMITS, max_excused=0.05))
    assert gate["disagreement"].verdict == "unknown"
    assert "10% of the compared rows are excused; limit 5%" in gate["disagreement"].says
    assert gate["disagreement"].awaits is not None
    assert "end an excuse" in gate["disagreement"].awaits.says


def test_a_column_is_excused_only_where_another_is_left(settings: Settings, pack: Pack) -> None:
    """The model has one output, so there is nothing else to compare."""
    live, shadow = pack(times(1.0)), pack(HALF_MORE)
    parsed = parse_excuse("prediction", "ann", NOW + timedelta(days=1))
    recorded = RecordedExcuse(number=3, artifact=shadow, excuse=parsed, at=NOW)
    log_live(settings, 1)
    with InferenceLog(settings, "toy").snapshot() as log:
        rows = excused_rows(log, Policy(), [recorded], shadow=shadow, live=live, epoch=2, start=NOW)
    assert rows is not None
    assert rows.counts() == ()
    assert inspect(shadow).contract.output_schema.names == ["prediction"]


def test_an_excuse_names_what_there_is(settings: Settings, pack: Pack) -> None:
    """A running shadow, a feature and value that it has, a reason, and an end in the future."""
    live, shadow = pack(times(1.0)), pack(HALF_MORE)
    rollout.promote(settings, "toy", live)

    def add(target: str, **more: object) -> RolloutEvent:
        given = {"owner": "ann", "until": NOW + timedelta(days=1), "why": "so", **more}
        return rollout.add_excuse(settings, "toy", target, **given)  # type: ignore[arg-type]

    with pytest.raises(RolloutError, match="no artifact is given"):
        add("id=a")
    rollout.start_shadow(settings, "toy", shadow)
    with pytest.raises(RolloutError, match=f"`{live}` is neither"):
        add("id=a", artifact=live)
    with pytest.raises(RolloutError, match="no feature `origin`"):
        add("origin=JFK")
    with pytest.raises(RolloutError, match="`a` is no value of `x`, which is of type double"):
        add("x=a")
    with pytest.raises(RolloutError, match="no output column `late`"):
        add("late")
    with pytest.raises(RolloutError, match="the only output"):
        add("prediction")
    with pytest.raises(RolloutError, match="ended already"):
        add("id=a", until=NOW - timedelta(days=1))
    with pytest.raises(RolloutError, match="ends within 366 days, got 9999-12-31"):
        add("id=a", until=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))
    with pytest.raises(RolloutError, match="expected a reason"):
        add("id=a", why=None)
    event = add("id=a", by="bob")
    assert (event.kind, event.artifact, event.by) == ("excuse", shadow, "bob")
    assert rollout.end_excuse(settings, "toy", 3, why="mended").artifact == shadow
    with pytest.raises(RolloutError, match="no excuse number 3"):
        rollout.end_excuse(settings, "toy", 3)
