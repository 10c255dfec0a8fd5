"""What the status says of gates that are not decided yet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from gnomon.rollout.history import RolloutEvent, RolloutState, fold
from gnomon.service.status.gate_outlook import GateOutlook
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.heartbeats import Heartbeat, ShadowBeat
from gnomon.shadow.shadow_counts import CountsBeside
from gnomon.storage import Storage

NOW = datetime.now(UTC)


def event(kind: str, artifact: str, same: bool = False) -> RolloutEvent:
    """A decision."""
    return RolloutEvent(kind=kind, artifact=artifact, at=NOW, digest="d", same=same)  # type: ignore[arg-type]


STATE = fold([event("promote", "toy:a"), event("shadow_start", "toy:b")])


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage root."""
    return Storage(Settings(root=str(tmp_path / "root")))


def beside(live: str, **counts: Any) -> dict[str, Any]:
    """A shadow's counts, all beside one live artifact."""
    seen = {"first": NOW, "last": NOW} if counts.get("scored") else {}
    return {**counts, "against": {live: CountsBeside(**counts, **seen)}}


def report(storage: Storage, name: str, answered: int, live: str = "toy:a", **counts: int) -> None:
    """What a slice says of the shadow."""
    run = STATE.shadows["toy:b"].since
    shadow = ShadowBeat(artifact="toy:b", epoch=run, **beside(live, **counts))
    beat = Heartbeat(
        model="toy", slice=name, host="h", pid=1, started=NOW, shadows=(shadow,),
        accounts={"answered": answered},
    )  # fmt: skip
    heartbeats.write(storage, structs.replace(beat, updated=datetime.now(UTC)))


def test_the_outlook_adds_up_the_slices(storage: Storage) -> None:
    """Their rows add up, and so does the rate at which these come."""
    seconds = 0.0
    outlook = GateOutlook(storage, "toy", None, clock=lambda: seconds)
    for name in ("one", "two"):
        report(storage, name, 10, scored=10, compared=10, decided=10)
    outlook.refresh(STATE)
    rows = {gate.gate: gate for gate in outlook.of("toy:b")}["rows"]
    assert (rows.rows, rows.seconds) == (980, None)
    seconds = 100.0
    for name in ("one", "two"):
        report(storage, name, 110, scored=110, compared=110, decided=110)
    outlook.refresh(STATE)
    gates = {gate.gate: gate for gate in outlook.of("toy:b")}
    assert (gates["rows"].rows, gates["rows"].seconds) == (780, 390)
    assert "in about 6 min at the current 2 a second" in gates["rows"].says
    assert "failed" in gates
    assert "disagreement" not in gates  # None in 220 rows: it is decided.


def test_an_open_gate_says_of_when_its_counts_are(storage: Storage) -> None:
    """Those beside it are newer, and would seem to contradict it; reports of gone slices do not."""
    outlook = GateOutlook(storage, "toy", None)
    outlook.refresh(STATE)
    assert {gate.counted for gate in outlook.of("toy:b")} == {None}
    for name, ago in (("one", 3.0), ("two", 1.0), ("gone", 3_600.0)):
        report(storage, name, 10, scored=10, compared=10, decided=10)
        beat = next(b for b in heartbeats.read(storage, "toy") if b.slice == name)
        updated = datetime.now(UTC) - timedelta(seconds=ago)
        heartbeats.write(storage, structs.replace(beat, updated=updated))
    oldest = next(b for b in heartbeats.read(storage, "toy") if b.slice == "one").updated
    outlook.refresh(STATE)
    assert {gate.counted for gate in outlook.of("toy:b")} == {oldest}


def test_the_noise_floor_is_what_slices_report_of_live(storage: Storage) -> None:
    """Its rows in the time of the shadow count, and a gate waits while it is measured."""
    counts = {"scored": 5_000, "compared": 5_000, "decided": 5_000, "disagreed": 600}
    shadow = ShadowBeat(artifact="toy:b", epoch=2, **beside("toy:a", **counts))
    noise = ShadowBeat(
        artifact="toy:a", epoch=2, **beside("toy:a", scored=500, compared=500, disagreed=50)
    )
    outlook = GateOutlook(storage, "toy", None)
    beat = Heartbeat(
        model="toy", slice="one", host="h", pid=1, started=NOW, live="toy:a",
        shadows=(shadow, noise),
    )  # fmt: skip
    heartbeats.write(storage, beat)
    outlook.refresh(STATE)
    (gate,) = outlook.of("toy:b")
    assert gate.gate == "disagreement"
    assert "beyond the noise floor of 10% of 500 rows" in gate.says
    heartbeats.write(storage, structs.replace(beat, shadows=(shadow,), noise_floor=0.05))
    outlook.refresh(STATE)
    (gate,) = outlook.of("toy:b")
    assert "beyond the noise floor, which is not measured yet" in gate.says


def test_without_a_floor_the_open_gates_are_of_the_shadow_alone(
    storage: Storage, tmp_path: Path
) -> None:
    """With `noise_floor = 0` in the policy, as for a promotion."""
    file = tmp_path / "policy.toml"
    file.write_text("[sampling]\nnoise_floor = 0\n")
    counts = {"scored": 5_000, "compared": 5_000, "decided": 5_000, "disagreed": 600}
    shadow = ShadowBeat(artifact="toy:b", epoch=2, **beside("toy:a", **counts))
    counts = {"scored": 500, "compared": 500, "disagreed": 50}
    noise = ShadowBeat(artifact="toy:a", epoch=2, **beside("toy:a", **counts))
    beat = Heartbeat(
        model="toy", slice="one", host="h", pid=1, started=NOW, live="toy:a",
        shadows=(shadow, noise), noise_floor=0.05,
    )  # fmt: skip
    heartbeats.write(storage, beat)
    outlook = GateOutlook(storage, "toy", file)
    outlook.refresh(STATE)
    assert outlook.of("toy:b") == ()  # It has failed.


def test_a_floor_over_another_time_is_left_to_the_log(storage: Storage) -> None:
    """Of a shadow that began later than the floor, or has rows of before a rollback: what slices
    count is not over the time of its rows. Where nothing measures a floor, none is waited for.
    """
    later = STATE.after(event("shadow_start", "toy:c"))
    counts = {"scored": 5_000, "compared": 5_000, "decided": 5_000, "disagreed": 600}
    shadow = ShadowBeat(artifact="toy:c", epoch=3, **beside("toy:a", **counts))
    beat = Heartbeat(
        model="toy", slice="one", host="h", pid=1, started=NOW, live="toy:a", shadows=(shadow,)
    )  # fmt: skip
    outlook = GateOutlook(storage, "toy", None)
    heartbeats.write(storage, beat)
    outlook.refresh(later)
    assert outlook.of("toy:c") == ()  # It has failed.
    heartbeats.write(storage, structs.replace(beat, noise_floor=0.05))
    outlook.refresh(later)
    (gate,) = outlook.of("toy:c")
    assert (gate.gate, gate.rows) == ("disagreement", None)
    assert "over the time of this shadow's rows" in gate.says

    back = STATE.after(event("promote", "toy:d")).after(event("rollback", "toy:a"))
    assert back.noise_run is not None
    assert back.noise_run.since > back.shadows["toy:b"].since
    earlier = NOW - timedelta(hours=1)
    before = CountsBeside(**counts, first=earlier, last=NOW)
    shadow = ShadowBeat(artifact="toy:b", epoch=2, against={"toy:a": before})
    heartbeats.write(storage, structs.replace(beat, shadows=(shadow,), noise_floor=0.05))
    outlook.refresh(back)
    (gate,) = outlook.of("toy:b")
    assert "over the time of this shadow's rows" in gate.says


def test_rows_beside_another_live_artifact_are_no_evidence(storage: Storage) -> None:
    """As for a promotion: with a new live artifact the gates are open, with the old one closed."""
    seconds = 0.0
    outlook = GateOutlook(storage, "toy", None, clock=lambda: seconds)
    promoted = STATE.after(event("promote", "toy:c"))
    report(storage, "one", 5_000, scored=5_000, compared=5_000, decided=5_000)
    outlook.refresh(STATE)
    assert outlook.of("toy:b") == ()
    outlook.follow(promoted)
    assert [gate.says for gate in outlook.of("toy:b")] == [
        "the gates beside toy:c are not evaluated yet"
    ]
    outlook.refresh(promoted)
    outlook.follow(promoted)
    gates = {gate.gate: gate for gate in outlook.of("toy:b")}
    assert set(gates) == {"rows", "disagreement", "failed", "latency", "coverage"}
    assert gates["rows"].rows == 1_000
    rolled_back = promoted.after(event("rollback", "toy:a"))
    seconds = 100.0
    outlook.refresh(rolled_back)
    assert outlook.of("toy:b") == ()
    report(storage, "one", 5_000, scored=500, compared=500, decided=500)
    seconds = 200.0
    outlook.refresh(rolled_back)
    (rows,) = (gate for gate in outlook.of("toy:b") if gate.gate == "rows")
    assert rows.seconds is None  # The rows that were counted again did not arrive just now.


def test_a_new_shadow_has_open_gates_at_once(storage: Storage) -> None:
    """Before they were evaluated, and if it was stopped and started; those of others stay."""
    outlook = GateOutlook(storage, "toy", None)
    outlook.follow(STATE)
    assert [gate.gate for gate in outlook.of("toy:b")] == ["rows"]
    report(storage, "one", 5_000, scored=5_000, compared=5_000, decided=5_000)
    outlook.refresh(STATE)
    outlook.follow(STATE.after(event("shadow_start", "toy:c")))
    assert (outlook.of("toy:b"), len(outlook.of("toy:c"))) == ((), 1)


def test_hours_are_those_beside_live(storage: Storage, tmp_path: Path) -> None:
    """From the first to the last row that arrived while this artifact was live."""
    policy = tmp_path / "policy.toml"
    policy.write_text("[gates]\nmin_rows = 1\nmin_hours = 2\n")
    outlook = GateOutlook(storage, "toy", policy)
    state = fold([
        structs.replace(decision, at=NOW - timedelta(days=1))
        for decision in (event("promote", "toy:a"), event("shadow_start", "toy:b"))
    ])  # fmt: skip
    report(storage, "one", 10, scored=10, compared=10)
    outlook.refresh(state)
    (hours,) = (gate for gate in outlook.of("toy:b") if gate.gate == "hours")
    assert "over 0 seconds; the policy requires 2 hours" in hours.says


def test_a_decided_gate_is_not_open(storage: Storage, tmp_path: Path) -> None:
    """Limits that the policy does not set have no gate; a failing gate is reported by a
    promotion.
    """
    outlook = GateOutlook(storage, "toy", None)
    counts = {"scored": 5_000, "compared": 5_000, "decided": 5_000}
    report(storage, "one", 5_000, **counts)
    outlook.refresh(STATE)
    assert outlook.of("toy:b") == ()
    policy = tmp_path / "policy.toml"
    policy.write_text("[gates]\nmin_rows = 9000\nmax_skew = 0.01\n")
    outlook = GateOutlook(storage, "toy", policy)
    outlook.refresh(STATE)
    assert [gate.gate for gate in outlook.of("toy:b")] == ["rows", "skew"]


def test_a_shadow_of_the_live_artifact_has_no_open_gates(storage: Storage) -> None:
    """A/A measures the noise floor; and nothing is kept of shadows that are gone."""
    outlook = GateOutlook(storage, "toy", None)
    report(storage, "one", 1)
    outlook.refresh(STATE)
    assert outlook.of("toy:b")
    outlook.refresh(fold([event("promote", "toy:a"), event("shadow_start", "toy:a", True)]))
    assert outlook.of("toy:a") == outlook.of("toy:b") == ()
    outlook.refresh(RolloutState())
    assert outlook.of("toy:b") == ()
