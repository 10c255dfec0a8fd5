"""Gates judge what is not excused, say what is, and do not pass if too much is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gnomon.artifact import inspect
from gnomon.log import InferenceLog
from gnomon.policy import GateLimits, Policy, Sampling
from gnomon.rollout.evidence.evidence import Evidence, ShadowRows
from gnomon.rollout.evidence.excuse import RecordedExcuse, parse_excuse
from gnomon.rollout.evidence.excused_rows import ExcusedCounts
from gnomon.rollout.gate import Gate
from gnomon.rollout.gates.excuse_evidence import excused_rows, with_excuses
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


def test_a_floor_of_zero_in_the_policy_subtracts_none(settings: Settings) -> None:
    """Live was scored twice before the policy said 0: that counts only where it does not."""
    begun = state()
    log_live(settings, 100)
    log_shadow(settings, agreed=900, disagreed=100)
    log_shadow(settings, agreed=900, disagreed=100, artifact=LIVE, against=LIVE)

    def judge(sampling: Sampling) -> Gate:
        policy = Policy(gates=GateLimits(min_rows=0, max_disagreement=0.05), sampling=sampling)
        found = evaluate(InferenceLog(settings, "toy"), begun, policy, SHADOW)
        return next(gate for gate in found.gates if gate.name == "disagreement")

    unset, zero = judge(Sampling()), judge(Sampling(noise_floor=0.0))
    assert "beyond the noise floor of 10%" in unset.says
    assert "noise floor" not in zero.says
    assert (zero.verdict, zero.noise_rows) == ("fail", None)


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
    says = gate["disagreement"].says
    assert "100 of 1,000 rows are excused (10%: 100 left out, 0 counted as agreeing)" in says
    assert says.endswith("; limit 5%")
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


def test_an_excuse_that_covers_nothing_says_so(logged: Settings) -> None:
    """As one whose value is misspelt."""
    gate = judged(logged, state("customer=c00"))["disagreement"]
    assert gate.verdict == "fail"
    assert "no row is excused by customer=c00, expires in" in gate.says


def test_each_gate_counts_its_own_rows() -> None:
    """30 rows are left out, 20 of them decided; 4 of the others count as agreeing, 5 as not
    flipping.
    """
    segment, column = state("customer=c0", "prediction").excuses
    excused = (
        ExcusedCounts(excuses=(segment,), rows=30, decided=20, disagreed=10, flipped=2),
        ExcusedCounts(excuses=(column,), rows=4, decided=5, disagreed=4, flipped=5, left_out=False),
    )
    shadow = ShadowRows(scored=100, compared=70, decided=60, disagreed=1, flipped=1)
    evidence = Evidence(shadow, ShadowRows(), {}, {}, excused=excused)
    for name, says in (
        ("disagreement", "of 15 disagreeing rows 14 are excused"),
        ("flips", "of 8 flipping rows 7 are excused"),
    ):
        gate = with_excuses(Gate(name=name, verdict="pass", says="", limit=0.1), evidence, 0.1)
        assert says in gate.says
        assert gate.verdict == "unknown"
    gate = with_excuses(Gate(name="flips", verdict="pass", says="", limit=0.1), evidence, 0.1)
    assert "25 of 80 rows are excused (31.25%: 20 left out, 5 counted as not flipping)" in gate.says
    assert gate.excused == 25
