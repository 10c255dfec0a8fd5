"""Files of every format version that was ever written can still be read; newer ones are refused.

A newer or damaged file is never taken for one that is not there. Log segments have tests of their
own, in ``tests/log``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

import gnomon
from gnomon.artifact.manifest import Manifest, sha256
from gnomon.contract import Contract
from gnomon.drift.drift_report import DriftReport
from gnomon.errors import GnomonError, NewerFormat
from gnomon.leakage import LeakageReport
from gnomon.log.ledger import read_ledgers
from gnomon.log.lost_ranges import lost_ranges
from gnomon.log.segments.closed_segments import closed_segments
from gnomon.log.spool_owner import claim_spool
from gnomon.policy import Policy
from gnomon.report import Report
from gnomon.rollout.history import History, RolloutEvent
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.feed.attempt import Attempts
from gnomon.shadow.feed.run import Run
from gnomon.skew import skew_record
from gnomon.storage import Storage

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


@pytest.mark.parametrize(("name", "digest"), [("1", "ecc4aa066168"), ("2", "b27279ebb28e")])
def test_an_older_contract_has_the_digest_that_it_had(
    name: str, digest: str, tmp_path: Path
) -> None:
    """Written again it is the same file, which the releases of its format read."""
    contract = Contract.read(DATA / f"contract-{name}.json")
    assert contract.digest == digest
    assert [output.role for output in contract.outputs] == [
        "prediction",
        "probability",
        "probability",
    ]
    assert (contract.layout, contract.targets) == ("columns", ())
    contract.write(tmp_path / "contract.json")
    again, before = tmp_path / "contract.json", DATA / f"contract-{name}.json"
    assert json.loads(again.read_bytes()) == json.loads(before.read_bytes())


def test_a_rollout_event_of_format_1_is_read(tmp_path: Path) -> None:
    """A promotion with its gates, as the first release recorded it."""
    settings = Settings(root=str(tmp_path))
    folder = tmp_path / "rollout/flights"
    folder.mkdir(parents=True)
    (folder / "000000.json").write_text(
        '{"format": 1, "kind": "promote", "artifact": "flights:logistic-1",'
        ' "at": "2026-11-23T17:19:00Z"}'
    )
    (folder / "000001.json").write_bytes((DATA / "event-1.json").read_bytes())
    history = History(Storage(settings), "flights")
    history.refresh()
    event = history.events[-1]
    assert (event.kind, event.artifact) == ("promote", "flights:boosting-1")
    assert history.state.previous == "flights:logistic-1"
    assert {gate["verdict"] for gate in event.gates} == {"pass"}


def test_rollout_events_of_format_2_come_before_those_of_format_3(tmp_path: Path) -> None:
    """The chain of hashes goes on; the next decision is recorded in the newest format."""
    storage = stored(tmp_path, "rollout/flights/000000.json", "event-2.json")
    history = History(storage, "flights")
    history.refresh()
    assert history.events[-1].format == 2
    history.append(RolloutEvent(kind="promote", artifact="flights:two"))
    assert history.events[-1].format == 3
    assert History(storage, "flights").refresh()


def test_checks_of_format_1_are_read() -> None:
    """What packing found in training data, as the first release with checks recorded it."""
    report = LeakageReport.from_json((DATA / "checks-1.json").read_bytes())
    assert [finding.check for finding in report.alarms] == ["clock", "label"]
    clock, label = report.alarms
    assert (clock.severity, clock.features) == ("leak", ("dep_delay",))
    assert (clock.evidence.hits, clock.evidence.rows) == (7493, 50009)
    assert label.evidence.measure == "AUC"
    assert report.skipped["domain"] == "no artifact was given"


def test_a_heartbeat_of_format_1_is_read(tmp_path: Path) -> None:
    """It lacks the hash of the last decision, which is a later addition."""
    storage = stored(tmp_path, "slices/flights/host-1.json", "heartbeat-1.json")
    (beat,) = heartbeats.read(storage, "flights")
    assert (beat.epoch, beat.live, beat.recorded) == (3, "flights:boosting-1", None)
    assert beat.shadows[0].lagging == 2


def test_a_skew_verdict_of_format_1_is_read(tmp_path: Path) -> None:
    """What a replay found, for the gate."""
    storage = stored(tmp_path, "skew/flights/boosting-1.json", "skew-1.json")
    found = skew_record.read(storage, "flights:boosting-1")
    assert found is not None
    assert (found.rows, found.disagreed) == (1000, 3)


def test_a_shadows_attempt_of_format_1_is_read(tmp_path: Path) -> None:
    """It was written without a version, which means 1."""
    (tmp_path / "attempt.json").write_bytes((DATA / "attempt-1.json").read_bytes())
    attempt = Attempts(tmp_path)._last(3)
    assert (attempt.position, attempt.tries, attempt.totals.scored) == ("0:120", 1, 5)


def test_reports_of_format_1_are_read() -> None:
    """Reports of a comparison and of drift are read."""
    report = Report.from_json((DATA / "report-1.json").read_bytes())
    assert report.verdict == "diverged"
    drift = DriftReport.from_json((DATA / "drift-1.json").read_bytes())
    assert (drift.verdict, drift.rows) == ("ok", 1000)


def test_a_policy_of_format_1_is_read() -> None:
    """It need not say so."""
    text = (DATA / "policy-1.toml").read_text()
    assert "format" not in text
    assert Policy.read(DATA / "policy-1.toml").gates.min_rows > 0


def test_a_policy_may_say_its_format(tmp_path: Path) -> None:
    """It is the same policy, with the same digest."""
    path = tmp_path / "policy.toml"
    path.write_text("format = 1\n" + (DATA / "policy-1.toml").read_text())
    assert Policy.read(path).digest == Policy.read(DATA / "policy-1.toml").digest


def stored(root: Path, name: str, data: str) -> Storage:
    """A storage root that holds one file."""
    storage = Storage(Settings(root=str(root)))
    storage.write(name, (DATA / data).read_bytes())
    return storage


def read_event(path: Path) -> object:
    return History(Storage(Settings(root=str(path.parents[2]))), path.parent.name).refresh()


def read_head(path: Path) -> object:
    return History(Storage(Settings(root=str(path.parents[1]))), path.stem).refresh()


def read_heartbeat(path: Path) -> object:
    found = heartbeats.find(Storage(Settings(root=str(path.parents[2]))), path.parent.name)
    raise found.unreadable[path.stem]


def read_end_in_spool(path: Path) -> object:
    root = str(path.parents[2])
    return History(Storage(Settings(root=root)), path.parent.name, path.parent).refresh()


def read_ledger_in_spool(path: Path) -> object:
    storage = Storage(Settings(root=str(path.parents[2])))
    return read_ledgers(storage, path.parent.name, path.parent)


def read_skew(path: Path) -> object:
    storage = Storage(Settings(root=str(path.parents[2])))
    return skew_record.read(storage, f"{path.parent.name}:{path.stem}")


def read_attempt(path: Path) -> object:
    return Attempts(path.parent)._last(3)


def read_run(path: Path) -> object:
    return Run.last(path.parent)


def read_manifest(path: Path) -> object:
    path.with_name("manifest.sha256").write_text(f"{sha256(path.read_bytes())}  manifest.json\n")
    return Manifest.read(path.parent)


def read_report(path: Path) -> object:
    return Report.from_json(path.read_bytes(), str(path))


def read_drift(path: Path) -> object:
    return DriftReport.from_json(path.read_bytes(), str(path))


def read_checks(path: Path) -> object:
    return LeakageReport.from_json(path.read_bytes(), str(path))


def read_closed(path: Path) -> object:
    return closed_segments(path.parent)


def read_lost(path: Path) -> object:
    return lost_ranges(path.parent)


def read_ledger(path: Path) -> object:
    return read_ledgers(Storage(Settings(root=str(path.parents[2]))), path.parent.name, None)


def read_identity(path: Path) -> object:
    claim_spool(Settings(root=str(path.parent), spool=str(path.parent / "spool")), "flights")
    return None


def read_owner(path: Path) -> object:
    spool = path.parents[1]
    claim_spool(Settings(root=str(spool.parent), spool=str(spool)), path.parent.name)
    return None


Reader = Callable[[Path], object]

FILES: list[tuple[str, int, Reader]] = [
    ("rollout/flights/000000.json", 3, read_event),
    ("heads/flights.json", 1, read_head),
    ("slices/flights/host-1.json", 1, read_heartbeat),
    ("skew/flights/boosting-1.json", 1, read_skew),
    ("spool/shadow-2/attempt.json", 1, read_attempt),
    ("spool/shadow-2/run.json", 1, read_run),
    ("root/root.json", 1, read_identity),
    ("spool/flights/root.json", 1, read_owner),
    ("spool/flights/rollout.json", 1, read_end_in_spool),
    ("spool/flights/sealed-0a1b.json", 1, read_ledger_in_spool),
    ("spool/flights/a/requests/closed.json", 1, read_closed),
    ("spool/flights/a/requests/lost.json", 1, read_lost),
    ("sealed/flights/0a1b.json", 1, read_ledger),
    ("models/flights/1/manifest.json", 2, read_manifest),
    ("models/flights/1/contract.json", 3, Contract.read),
    ("models/flights/1/checks.json", 1, read_checks),
    ("reports/flights/replay.json", 1, read_report),
    ("reports/flights/drift.json", 1, read_drift),
]
"""Each kind of JSON file, the newest format that is read, and how it is read."""


@pytest.mark.parametrize(("name", "newest", "read"), FILES)
def test_a_newer_file_is_refused_by_name(
    tmp_path: Path, name: str, newest: int, read: Reader
) -> None:
    """The error has its format, the newest that is read, and what to do, whatever else is in the
    file.
    """
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text(f'{{"format": {newest + 1}, "novelty": ["x"]}}')
    with pytest.raises(GnomonError) as caught:
        read(path)
    said = str(caught.value)
    assert f"has format {newest + 1}; " in said
    assert f"reads up to {newest}" in said
    assert name in said
    assert "upgrade gnomon" in said


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 300, b"{", b"[]", b"\xff\xfe{}", b'{"format": "new"}', b"{}"]
)
@pytest.mark.parametrize(
    ("name", "newest", "read"), [one for one in FILES if one[2] is not read_attempt]
)
def test_a_damaged_file_is_refused_by_name(
    tmp_path: Path, name: str, newest: int, read: Reader, content: bytes
) -> None:
    """Empty, zeroed, cut off, not JSON, without a version: never as if it were not there."""
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(GnomonError) as caught:
        read(path)
    assert name in str(caught.value)


def test_a_newer_policy_is_refused_by_name(tmp_path: Path) -> None:
    """It is refused even if its keys are those of today."""
    path = tmp_path / "policy.toml"
    path.write_text("format = 2\n[gates]\nmin_rows = 5\n")
    with pytest.raises(NewerFormat, match=r"policy has format 2; .* reads up to 1 .*policy\.toml"):
        Policy.read(path)


def test_every_json_format_is_listed() -> None:
    """`docs/formats.md` names each module that has a ``FORMAT``."""
    source = Path(gnomon.__file__).parent
    modules = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if re.search(r"^FORMAT = ", path.read_text(), re.MULTILINE)
    }
    text = (Path(__file__).parents[1] / "docs/formats.md").read_text()
    assert {name for name in modules if f"`{name}`" not in text} == set()
