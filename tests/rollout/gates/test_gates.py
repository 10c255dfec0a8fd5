from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from msgspec import structs

from gnomon.compare.mean_interval import mean_interval
from gnomon.compare.sequential import Interval
from gnomon.compare.units import UnitGroups, UnitTotals
from gnomon.errors import NewerFormat, RolloutError, UnreadableFile
from gnomon.log import InferenceLog
from gnomon.policy import GateLimits, Policy
from gnomon.rollout.evidence.evidence import Evidence, ShadowRows
from gnomon.rollout.evidence.outlook import Traffic
from gnomon.rollout.evidence.settling import settling_at
from gnomon.rollout.evidence.unit_counts import UnitCounts
from gnomon.rollout.gate import Gate
from gnomon.rollout.gates.gates import evaluate, judge
from gnomon.rollout.history import RolloutEvent, RolloutState, Shadow, fold
from gnomon.settings import Settings
from gnomon.shadow.heartbeats import Heartbeat, Heartbeats, ShadowBeat
from gnomon.skew.skew_record import SkewRecord
from tests.rollout.batch_times import times
from tests.shadow.evidence import LIVE, SHADOW, log_live, log_shadow

NOW = datetime.now(UTC)
RUN = Shadow(artifact=SHADOW, digest="d", fraction=1.0, since=2, at=NOW - timedelta(minutes=5))
LIMITS = GateLimits(
    min_rows=1_000, max_disagreement=0.05, max_flips=0.01, max_failed=0.01, max_latency_ratio=2.0,
    min_coverage=0.99, max_lag_rows=100, max_skew=0.01,
)  # fmt: skip
SKEW = SkewRecord(artifact=SHADOW, digest="d", rows=5_000, disagreed=0)


def rate_of(bad: int, rows: int) -> Interval:
    """The interval of independent rows."""
    return mean_interval([0, 1], 0.95, counts=[rows - bad, bad])


def rows(scored: int = 10_000, units: UnitCounts | None = None, **counts: int) -> ShadowRows:
    return ShadowRows(scored=scored, compared=scored, decided=scored, units=units, **counts)


GOOD = Evidence(rows(disagreed=100), ShadowRows(), times({0: 1_500}), times({0: 1_000}))


def beat(lagging: int = 0, *, name: str = "here", **more: object) -> Heartbeat:
    shadow = ShadowBeat(artifact=SHADOW, epoch=2, lagging=lagging, **more)  # type: ignore[arg-type]
    return Heartbeat(
        model="toy", slice=name, host="h", pid=1, started=NOW, updated=NOW, shadows=(shadow,)
    )


def judged(
    evidence: Evidence = GOOD,
    *,
    limits: GateLimits = LIMITS,
    slices: tuple[Heartbeat, ...] = (beat(),),
    slices_at: datetime | None = None,
    skew: SkewRecord | None = SKEW,
) -> dict[str, Gate]:
    since = datetime.now(UTC) - NOW  # The whole scene moves to the present.
    run = structs.replace(RUN, at=RUN.at + since)
    present = [structs.replace(b, updated=b.updated + since) for b in slices]
    found = judge(
        limits, run, evidence, 0.95, reports=Heartbeats(present, {}, slices_at), skew=skew
    )
    gates = {gate.name: gate for gate in found}
    for gate in gates.values():  # Whatever a test is about.
        assert (gate.awaits is not None) == (gate.verdict in ("unknown", "no_data")), gate
    return gates


def test_good_evidence_passes_every_gate() -> None:
    """Each gate of the policy is asked and passes, with the rows it rests on."""
    gates = judged()
    assert list(gates) == [
        "rows", "disagreement", "flips", "failed", "latency", "coverage", "lag", "skew",
    ]  # fmt: skip
    assert {gate.verdict for gate in gates.values()} == {"pass"}
    disagreement = gates["disagreement"]
    assert (disagreement.count, disagreement.rows, disagreement.value) == (100, 10_000, 0.01)
    assert disagreement.interval == rate_of(100, 10_000)


def test_an_unset_limit_is_not_asked() -> None:
    """A policy without a limit does not have its gate."""
    unset = GateLimits(
        min_rows=1, max_disagreement=None, max_flips=None, max_failed=None,
        max_latency_ratio=None, min_coverage=None, max_lag_rows=None, max_skew=None,
    )  # fmt: skip
    assert list(judged(limits=unset)) == ["rows"]


@pytest.mark.parametrize(
    ("disagreed", "compared", "verdict"),
    [(600, 10_000, "fail"), (480, 10_000, "unknown"), (0, 0, "no_data"), (3, 20, "unknown")],
)
def test_a_rate_near_its_limit_is_unknown(disagreed: int, compared: int, verdict: str) -> None:
    """Only an interval wholly on one side of the limit passes or fails."""
    evidence = replace(GOOD, shadow=rows(compared, disagreed=disagreed))
    assert judged(evidence)["disagreement"].verdict == verdict


def by_entity(*shares: tuple[int, int]) -> Evidence:
    """Evidence of entities, each with its bad rows and all its rows."""
    bad, of = np.array(shares, np.int64).T
    counts = {"disagreed": bad, "compared": of, "flipped": bad, "decided": of}
    totals = UnitTotals({**counts, "failed": 0 * bad, "done": of}, np.ones_like(of))
    units = UnitCounts(totals, "entity")
    total, found = int(of.sum()), int(bad.sum())
    return replace(GOOD, shadow=rows(total, disagreed=found, flipped=found, units=units))


def test_rows_of_few_entities_are_little_evidence() -> None:
    """1,000 good rows pass; of ten entities they are ten units, and it says so."""
    assert judged(by_entity(*[(0, 1)] * 1_000))["disagreement"].verdict == "pass"
    gate = judged(by_entity(*[(0, 100)] * 10))["disagreement"]
    assert (gate.verdict, gate.rows, gate.units) == ("unknown", 1_000, 10)
    assert gate.says.startswith("0 of 1,000 rows (10 entities) disagree with live: 0% to 36.65%")
    assert gate.awaits is not None
    assert gate.awaits.rows == 8_200  # 92 entities, as 92 independent rows
    assert gate.awaits.says.startswith("needs about 8,200 more rows of other entities")


def test_bad_rows_of_few_entities_fail_nothing() -> None:
    """One bad entity of 50 is no evidence that more than 1% of entities flip."""
    gates = judged(by_entity((100, 100), *[(0, 20)] * 49))
    assert gates["flips"].verdict == "unknown"
    assert judged(replace(GOOD, shadow=rows(1_080, flipped=100)))["flips"].verdict == "fail"


def test_heavy_entities_that_differ_from_the_others_decide_nothing() -> None:
    """The mean over entities is below the limit and the share of rows above: no number of rows
    tells, so it names what to look at.
    """
    gate = judged(by_entity((4_000, 4_000), *[(0, 1)] * 2_000))["disagreement"]
    assert gate.verdict == "unknown"
    assert gate.awaits is not None
    assert "entities with many rows" in gate.awaits.says


def test_the_noise_floor_is_of_entities_too() -> None:
    """What live disagrees with itself is less known if it is of few entities."""
    noisy = replace(GOOD, shadow=rows(4_000, disagreed=240))
    by_rows = judged(replace(noisy, noise=rows(2_000, disagreed=40)))["disagreement"].interval
    few = by_entity(*[(20, 100)] * 2, *[(0, 100)] * 18).shadow
    gate = judged(replace(noisy, noise=few))["disagreement"]
    assert gate.verdict == "unknown"
    assert gate.awaits is not None
    assert gate.interval is not None
    assert by_rows is not None
    assert gate.interval.low < by_rows.low < by_rows.high < gate.interval.high


def test_the_noise_floor_is_forgiven_and_no_more() -> None:
    """Disagreement that live has with itself does not count; its uncertainty does."""
    noisy = replace(GOOD, shadow=rows(20_000, disagreed=2_400))
    refused = judged(noisy)["disagreement"]
    assert refused.verdict == "fail"
    assert refused.says.endswith("after a change of it, stop and start the shadow")
    [*_, replayed] = [
        gate for gate in judge(LIMITS, RUN, noisy, 0.95, replayed=True) if "[compare]" in gate.says
    ]
    assert replayed.says.endswith("how close two answers must be to agree")
    measured = replace(noisy, noise=rows(20_000, disagreed=2_000))
    gate = judged(measured)["disagreement"]
    assert gate.verdict == "pass"
    assert gate.value == pytest.approx(0.02)
    assert "noise floor of 10%" in gate.says
    hardly = replace(noisy, noise=rows(30, disagreed=3))
    assert judged(hardly)["disagreement"].verdict == "unknown"


def test_decisions_that_live_flips_itself_are_forgiven_too() -> None:
    """The floor of flips is that of the rows whose decision is known."""
    noisy = replace(GOOD, shadow=rows(20_000, flipped=2_400))
    assert judged(noisy)["flips"].verdict == "fail"
    measured = replace(noisy, noise=rows(20_000, flipped=2_390))
    gate = judged(measured, limits=structs.replace(LIMITS, max_flips=0.05))["flips"]
    assert gate.verdict == "pass"
    assert "beyond the noise floor of 11.95% of 20,000 rows; limit 5%" in gate.says
    assert (gate.noise, gate.noise_rows) == (0.1195, 20_000)
    unmeasured = judged(noisy)["flips"]
    assert (unmeasured.noise, unmeasured.noise_rows) == (None, None)


def test_a_floor_that_is_being_measured_is_waited_for() -> None:
    """Until it is known a bad shadow does not fail, because it may be no worse than live is with
    itself; a good one passes.
    """
    bad = replace(GOOD, shadow=rows(20_000, disagreed=2_400), noise_awaited=True)
    gate = judged(bad)["disagreement"]
    assert gate.verdict == "unknown"
    assert "beyond the noise floor, which is not measured yet" in gate.says
    assert "rows of live against itself" in gate.because
    assert judged(replace(bad, noise=rows(2_000)))["disagreement"].verdict == "fail"
    assert judged(replace(GOOD, noise_awaited=True))["disagreement"].verdict == "pass"


def test_a_floor_that_cannot_be_measured_is_not_waited_for() -> None:
    """Where every row of live against itself fails, and where no server scores any, the gate says
    so and what to do; how soon more rows come has nothing to do with it.
    """
    bad = replace(GOOD, shadow=rows(20_000, disagreed=2_400), noise_awaited=True, noise_share=0.5)
    failed = structs.replace(rows(0, failed=516), errors={"prediction_failed": 516})
    gate = judged(replace(bad, noise=failed, noise_error="no file"))["disagreement"]
    assert gate.verdict == "unknown"
    assert (
        "which cannot be measured: of live against itself 516 rows failed and none was compared "
        "(516 prediction_failed: no file)"
    ) in gate.says
    assert gate.awaits is not None
    assert (gate.awaits.rows, gate.awaits.seconds) == (None, None)
    assert "`noise_floor = 0`" in gate.awaits.says
    unmeasured = judged(replace(bad, noise_share=None))["disagreement"]
    assert "no running server scores any: give `noise_floor`" in unmeasured.because
    assert judged(replace(GOOD, noise_awaited=True, noise=failed))["disagreement"].verdict == "pass"


def test_a_slice_that_runs_and_does_not_report_on_the_shadow_says_why() -> None:
    """It is not gone: it cannot make the live artifact live, or its feed fails."""
    refused = structs.replace(beat(), shadows=(), error="toy:live: golden rows differ")
    for slices in ((refused,), (beat(error="golden rows differ"),)):
        gates = judged(slices=slices)
        for name in ("coverage", "lag"):
            assert gates[name].verdict == "unknown"
            assert "slice here does not report on it: " in gates[name].says
            assert "golden rows differ" in gates[name].says
            assert "no report from" not in gates[name].says
            assert "mend what is said" in gates[name].because
    gone = structs.replace(beat(name="gone"), updated=NOW - timedelta(minutes=1))
    both = judged(slices=(structs.replace(beat(), shadows=()), gone))["lag"]
    assert "it has not started the shadow yet; no report from slice gone" in both.says


def test_a_server_sends_the_numbers_of_a_gate_as_they_are() -> None:
    """A number of rows stays whole, and a share a fraction."""
    for gate in judged(GOOD).values():
        sent = msgspec.json.decode(msgspec.json.encode(gate), type=Gate)
        assert repr((sent.limit, sent.value)) == repr((gate.limit, gate.value))


def test_too_few_rows_are_unknown() -> None:
    """Fewer rows than required decide nothing, however good they are."""
    assert judged(replace(GOOD, shadow=rows(999)))["rows"].verdict == "unknown"


def test_failures_fail_with_their_reasons() -> None:
    """The failed share is of all eligible rows read, and the sentence names the codes."""
    errors = {"prediction_failed": 49, "invalid_request": 1}
    shadow = structs.replace(rows(1_000, failed=50), errors=errors)
    gate = judged(replace(GOOD, shadow=shadow))["failed"]
    assert (gate.verdict, gate.count, gate.rows) == ("fail", 50, 1_050)
    assert "49 prediction_failed, 1 invalid_request" in gate.says


def test_rows_still_lagging_may_yet_be_scored() -> None:
    """Coverage fails on failures, waits for lag; lag has a limit of its own."""
    waiting = judged(slices=(beat(90), beat(60, name="two")))
    assert (waiting["coverage"].verdict, waiting["lag"].verdict) == ("unknown", "fail")
    assert waiting["coverage"].rows == 10_150
    shadow = rows(10_000, failed=200)
    assert judged(replace(GOOD, shadow=shadow))["coverage"].verdict == "fail"


@pytest.mark.parametrize(
    ("slices", "says"),
    [
        ((), "no slice has reported"),
        ((beat(), structs.replace(beat(name="two"), shadows=())), "slice two"),
        ((beat(), beat(name="old", error="the worker died")), "slice old"),
        ((structs.replace(beat(), updated=NOW - timedelta(minutes=1)),), "slice here"),
    ],
)
def test_a_slice_that_does_not_report_leaves_coverage_unknown(
    slices: tuple[Heartbeat, ...], says: str
) -> None:
    """The lag of a silent slice is unknown, and is not assumed to be zero."""
    gates = judged(slices=slices)
    for name in ("coverage", "lag"):
        assert gates[name].verdict == "unknown"
        assert says in gates[name].says


def test_a_slice_gone_before_the_shadow_began_does_not_count() -> None:
    """The file of a machine that ended last week blocks nothing."""
    gone = structs.replace(beat(name="gone"), updated=NOW - timedelta(days=7))
    assert judged(slices=(beat(), gone))["coverage"].verdict == "pass"


def test_a_report_is_as_old_as_when_it_was_read() -> None:
    """The evidence of a large log takes longer to read than a report is good for."""
    reported = structs.replace(beat(), updated=NOW - timedelta(minutes=5))
    gates = {
        slices_at: judged(slices=(reported,), slices_at=slices_at)["coverage"].verdict
        for slices_at in (NOW - timedelta(minutes=5), None)
    }
    assert [*gates.values()] == ["pass", "unknown"]


@pytest.mark.parametrize(
    ("skew", "verdict"),
    [
        (None, "no_data"),
        (structs.replace(SKEW, digest="other"), "no_data"),
        (structs.replace(SKEW, disagreed=500), "fail"),
    ],
)
def test_skew_is_what_replay_found_of_these_very_bytes(
    skew: SkewRecord | None, verdict: str
) -> None:
    """A replay of another artifact under the same tag is no evidence."""
    assert judged(skew=skew)["skew"].verdict == verdict


def test_rows_of_one_entity_are_not_many_observations_of_skew() -> None:
    """10,000 rows that agree pass by themselves, and not as those of ten customers."""
    alone = UnitGroups("entity", [(0, 1, 10_000)])
    few = UnitGroups("entity", [(0, 1_000, 10)])
    record = structs.replace(SKEW, rows=10_000, disagreed=0)
    assert judged(skew=structs.replace(record, by_unit=alone))["skew"].verdict == "pass"
    gate = judged(skew=structs.replace(record, by_unit=few))["skew"]
    assert (gate.verdict, gate.units) == ("unknown", 10)
    assert gate.says.startswith("0 of 10,000 rows (10 entities) differ")
    assert "more rows of other entities" in gate.because


def state() -> RolloutState:
    return fold(
        [
            RolloutEvent(kind="promote", artifact=LIVE),
            RolloutEvent(kind="shadow_start", artifact=SHADOW),
        ]
    )


def test_a_shadow_is_judged_on_its_log(settings: Settings) -> None:
    """From rows in the log to one verdict, with examples that can be looked up."""
    log_live(settings, 100)
    log_shadow(settings, agreed=1_990, flipped=10)
    policy = Policy(gates=GateLimits(min_rows=1_000, max_flips=0.0005))
    fresh = structs.replace(beat(), updated=datetime.now(UTC))
    found = evaluate(
        InferenceLog(settings, "toy"), state(), policy, SHADOW, reports=Heartbeats([fresh])
    )
    assert found.read is not None
    assert found.read.noise_start == found.read.start
    assert found.verdict == "fail"
    assert [gate.name for gate in found.unmet] == ["flips"]
    assert len(found.unmet[0].examples) == 10
    looked_up = InferenceLog(settings, "toy").table(columns=["request_id", "flipped"])
    flipped = {r["request_id"] for r in looked_up.to_pylist() if r["flipped"]}
    assert {row.request_id for row in found.unmet[0].examples} == flipped


def test_nothing_is_known_of_an_artifact_that_is_no_shadow(settings: Settings) -> None:
    """Never shadowed: unknown, without reading the log."""
    found = evaluate(InferenceLog(settings, "toy"), state(), Policy(), "toy:other")
    assert found.verdict == "no_data"
    assert "not a running shadow" in found.gates[0].says


def test_without_live_there_is_nothing_to_judge_against(settings: Settings) -> None:
    """The first artifact is promoted without gates."""
    with pytest.raises(RolloutError, match="no live artifact"):
        evaluate(InferenceLog(settings, "toy"), RolloutState(), Policy(), SHADOW)


def test_what_cannot_be_read_is_unknown_for_its_own_reason() -> None:
    """A newer slice's report or a damaged skew verdict does not pass, and does not count as
    absent.
    """
    newer = NewerFormat("this heartbeat has format 2", where="slices/toy/new.json")
    damaged = UnreadableFile("not a skew verdict: the file is empty", where="skew/toy/b.json")
    run = structs.replace(RUN, at=datetime.now(UTC) - timedelta(minutes=5))
    present = structs.replace(beat(), updated=datetime.now(UTC))
    gates = {
        gate.name: gate
        for gate in judge(
            LIMITS, run, GOOD, 0.95, reports=Heartbeats([present], {"new": newer}), skew=damaged
        )
    }
    for name in ("coverage", "lag"):
        assert gates[name].verdict == "unknown"
        assert "slices/toy/new.json: this heartbeat has format 2" in gates[name].says
    assert gates["skew"].verdict == "unknown"
    assert "the file is empty at skew/toy/b.json" in gates["skew"].says
    assert gates["rows"].verdict == "pass"


def test_flips_that_nothing_decides_are_unknown() -> None:
    """If no output decides, no row can flip, which is no evidence."""
    undecided = ShadowRows(scored=50_000, compared=50_000)
    gate = judged(replace(GOOD, shadow=undecided))["flips"]
    assert gate.verdict == "unknown"
    assert "no output to decide on" in gate.says


def test_a_gate_says_how_many_rows_are_still_needed() -> None:
    """For a share, an estimate at the current rate; for coverage, how many of the lagging rows."""
    few = judged(replace(GOOD, shadow=rows(400, disagreed=4)), slices=(beat(100),))
    assert few["rows"].because == "400 rows scored; 1,000 are needed; needs 600 more rows scored"
    assert few["coverage"].because.endswith("needs 95 more of the lagging rows scored")
    awaits = few["failed"].awaits
    assert awaits is not None
    assert awaits.says == f"needs about {awaits.rows:,} more rows if the share stays"
    total = 400 + (awaits.rows or 0)
    assert rate_of(0, total).high <= 0.01
    assert rate_of(0, total - total // 50).high > 0.01
    on_it = judged(replace(GOOD, shadow=rows(400, disagreed=20)))
    assert "the share is at the limit" in on_it["disagreement"].because


def test_a_gate_says_about_when_it_is_decided() -> None:
    """At the rate of the last minutes; where no request comes, that none does."""
    few = replace(GOOD, shadow=rows(400, disagreed=4))
    twice_a_second = Traffic(seconds=600.0, answered=1_300, scored=1_200)
    says = judged(replace(few, traffic=twice_a_second))["rows"]
    assert says.because.endswith(
        "needs 600 more rows scored, in about 5 min at the current 2 a second"
    )
    assert says.awaits is not None
    assert says.awaits.seconds == 300
    silent = judged(replace(few, traffic=Traffic(seconds=600.0, answered=0, scored=0)))["rows"]
    assert "no request came in the last 10 min" in silent.because
    assert silent.awaits is not None
    assert silent.awaits.seconds is None
    stuck = judged(replace(few, traffic=Traffic(seconds=60.0, answered=90, scored=0)))["rows"]
    assert "live answered 90 rows in the last minute, and the shadow has scored none" in (
        stuck.because
    )


def test_what_no_number_of_rows_decides_says_what_does() -> None:
    """A replay, a setting, a report of a slice, a better noise floor: each with its command."""
    assert "gnomon replay toy:next" in judged(skew=None)["skew"].because
    assert "a replay of about " in judged(skew=structs.replace(SKEW, rows=100))["skew"].because
    undecided = ShadowRows(scored=50_000, compared=50_000)
    assert "[decision]" in judged(replace(GOOD, shadow=undecided))["flips"].because
    assert "a running server" in judged(slices=())["lag"].because
    gone = structs.replace(beat(name="x"), updated=NOW - timedelta(minutes=1))
    assert "gnomon status" in judged(slices=(beat(), gone))["lag"].because
    noise = ShadowRows(scored=30, compared=30, disagreed=1)
    floor = judged(replace(GOOD, shadow=rows(disagreed=600), noise=noise))["disagreement"]
    assert "more rows of live against itself" in floor.because


def test_a_report_of_an_earlier_run_says_nothing_of_this_one() -> None:
    """The lag of an earlier run of the same shadow is not the current one."""
    of_earlier_run = ShadowBeat(artifact=SHADOW, epoch=1, lagging=0)
    gates = judged(slices=(beat(), structs.replace(beat(name="two"), shadows=(of_earlier_run,))))
    for name in ("coverage", "lag"):
        assert gates[name].verdict == "unknown"
        assert "slice two" in gates[name].says


def test_rows_must_arrive_over_a_cycle() -> None:
    """Before that no number of rows passes, and the gate says when it may."""
    limits = structs.replace(LIMITS, min_hours=24.0)
    now = datetime.now(UTC)
    run = structs.replace(RUN, at=now - timedelta(hours=6))
    [early] = [
        g for g in judge(limits, run, replace(GOOD, last_row=now), 0.95) if g.name == "hours"
    ]
    assert early.verdict == "unknown"
    assert early.because == (
        "its rows arrived over 6 hours; the policy requires 1 day; needs rows that arrive in about "
        "18 h"
    )
    assert early.awaits is not None
    assert early.awaits.seconds == pytest.approx(18 * 3600, abs=60)
    quiet = replace(GOOD, last_row=now - timedelta(hours=5))
    run = structs.replace(RUN, at=now - timedelta(hours=25))
    [over] = [g for g in judge(limits, run, quiet, 0.95) if g.name == "hours"]
    assert over.because.endswith("needs rows that arrive from now on")
    late = replace(GOOD, last_row=now + timedelta(hours=24))
    assert judged(late, limits=limits)["hours"].verdict == "pass"
    assert judged(GOOD, limits=limits)["hours"].verdict == "no_data"
    assert "hours" not in judged()


def test_the_hours_are_those_of_the_rows_that_are_evidence(settings: Settings) -> None:
    """A shadow that ran for days without requests, or beside another artifact, saw none of them."""
    log_live(settings, 1)
    log_shadow(settings, agreed=800)
    policy = Policy(gates=structs.replace(LIMITS, min_hours=1.0))
    run = structs.replace(RUN, at=RUN.at - timedelta(days=9))
    state = RolloutState(epoch=2, lives=(LIVE,), shadows={SHADOW: run})
    gates = evaluate(InferenceLog(settings, "toy"), state, policy, SHADOW).gates
    hours = next(gate for gate in gates if gate.name == "hours")
    assert hours.value == pytest.approx(0, abs=0.5)
    assert hours.verdict == "unknown"


def test_gates_and_candidates_share_the_allowed_error(settings: Settings) -> None:
    """The interval is wider where more gates or candidates have one."""
    log_live(settings, 1)
    log_shadow(settings, agreed=800)
    one = RolloutState(epoch=2, lives=(LIVE,), shadows={SHADOW: RUN}, tried=(SHADOW,))

    def width(limits: GateLimits, state: RolloutState = one) -> float:
        gates = evaluate(InferenceLog(settings, "toy"), state, Policy(gates=limits), SHADOW).gates
        interval = next(gate.interval for gate in gates if gate.name == "disagreement")
        assert interval is not None
        return interval.high - interval.low

    alone = GateLimits(max_failed=None, min_coverage=None, max_latency_ratio=None, confidence=0.95)
    shared = structs.replace(alone, max_flips=0.1, confidence=0.9)
    assert width(alone) == width(shared)
    three = structs.replace(one, tried=(SHADOW, "toy:c", "toy:d"))
    assert width(alone, three) == width(structs.replace(alone, confidence=1 - 0.05 / 3))
    assert width(alone, three) > width(alone)


def test_the_unit_of_evidence_is_that_of_shadow_and_policy(settings: Settings) -> None:
    """The entity key with which the shadow was started, or the policy's blocks, reach the gates."""
    log_live(settings, 1)
    log_shadow(settings, agreed=800, customers=10)
    state = RolloutState(epoch=2, lives=(LIVE,), shadows={SHADOW: RUN})

    def units(shadow: Shadow, longest_burst: int | None = None) -> int | None:
        policy = Policy(gates=structs.replace(LIMITS, longest_burst=longest_burst))
        of = structs.replace(state, shadows={SHADOW: shadow})
        gates = evaluate(InferenceLog(settings, "toy"), of, policy, SHADOW).gates
        return next(gate.units for gate in gates if gate.name == "disagreement")

    assert units(RUN) is None
    assert units(structs.replace(RUN, entity_key=("customer",))) == 10
    assert units(RUN, longest_burst=50) == 16


def test_coverage_fails_only_if_it_is_proven() -> None:
    """One of 49 rows failed: too many for now, and the next rows may bring it back."""
    few = judged(replace(GOOD, shadow=rows(48, failed=1)))["coverage"]
    assert few.verdict == "unknown"
    assert few.awaits is not None
    assert judged(replace(GOOD, shadow=rows(4_800, failed=100)))["coverage"].verdict == "fail"


def test_rows_that_are_not_settled_yet_are_said_to_count_later() -> None:
    """All entities agreed in what is settled, and disagree since: the next stage decides."""
    settling = settling_at(NOW - timedelta(hours=5), NOW)
    settled = UnitTotals(
        {name: np.array([count]) for name, count in
         (("disagreed", 0), ("compared", 5), ("failed", 0), ("done", 5))},
        np.array([500]),
    )  # fmt: skip
    totals = UnitTotals(
        {name: np.array([count]) for name, count in
         (("disagreed", 5), ("compared", 10), ("failed", 0), ("done", 10))},
        np.array([500]),
    )  # fmt: skip
    units = UnitCounts(totals, "entity", settled=settled, settling=settling)
    shadow = ShadowRows(scored=5_000, compared=5_000, disagreed=2_500, units=units)
    gate = judged(replace(GOOD, shadow=shadow), limits=structs.replace(LIMITS, max_flips=None))
    found = gate["disagreement"]
    assert found.verdict == "unknown"
    assert "have sent since differ from those counted so far" in found.because
    assert found.awaits is not None
    assert found.awaits.seconds == pytest.approx(3 * 3600, abs=600)


def test_the_state_knows_since_when_the_live_artifact_is_live() -> None:
    """That of the last promotion or rollback, and not of what happened since."""
    times = [NOW - timedelta(hours=hours) for hours in (9, 6, 3)]
    kinds = (("promote", LIVE), ("shadow_start", SHADOW), ("promote", SHADOW))
    events = [
        RolloutEvent(kind=kind, artifact=tag, at=at)  # type: ignore[arg-type]
        for (kind, tag), at in zip(kinds, times, strict=True)
    ]
    assert [fold(events[:n]).live_at for n in (0, 1, 2, 3)] == [None, times[0], times[0], times[2]]
