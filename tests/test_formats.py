"""Files of every format version that was ever written can still be read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from gnomon.preprocessing import Contract
from gnomon.preprocessing.leakage import LeakageReport
from gnomon.settings import Settings
from gnomon.shadow.rollout.history import Event, History
from gnomon.shadow.storage import Storage

DATA = Path(__file__).parent / "data"


def test_a_contract_of_format_1_is_read() -> None:
    """The flights contract as the first release wrote it."""
    contract = Contract.read(DATA / "contract-1.json")
    assert contract.entity_key == ("flight_id",)
    assert contract.feature("time_hour").timezone == "UTC"
    assert contract.probability_columns == ("probability_late", "probability_on_time")
    assert contract.feature("temp").unit == "°F"


def test_a_contract_of_format_2_is_read() -> None:
    """The same, with an age that a timestamp may not exceed."""
    contract = Contract.read(DATA / "contract-2.json")
    assert contract.format == 2
    assert contract.feature("time_hour").max_age == timedelta(hours=6)
    older = Contract.read(DATA / "contract-1.json")
    assert older.format == 1
    assert older.feature("time_hour").max_age is None


def test_a_rollout_event_of_format_1_is_read(tmp_path: Path) -> None:
    """A promotion with its gates, as the first release recorded it."""
    settings = Settings(root=str(tmp_path))
    history = History(Storage(settings), "flights")
    history.append(Event(kind="promote", artifact="flights:logistic-1"))
    (tmp_path / "rollout/flights/000001.json").write_bytes((DATA / "event-1.json").read_bytes())
    history.refresh()
    event = history.events[-1]
    assert (event.kind, event.artifact) == ("promote", "flights:boosting-1")
    assert history.state.previous == "flights:logistic-1"
    assert {gate["verdict"] for gate in event.gates} == {"pass"}


def test_checks_of_format_1_are_read() -> None:
    """What packing found in training data, as the first release with checks recorded it."""
    report = LeakageReport.from_json((DATA / "checks-1.json").read_bytes())
    assert [finding.check for finding in report.alarms] == ["clock", "label"]
    clock, label = report.alarms
    assert (clock.severity, clock.features) == ("leak", ("dep_delay",))
    assert (clock.evidence.hits, clock.evidence.rows) == (7493, 50009)
    assert label.evidence.measure == "AUC"
    assert report.skipped["domain"] == "no artifact was given"
