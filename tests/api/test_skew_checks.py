"""Replay, comparison and diagnosis from Python, on a real log, with default models and roles."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

import gnomon
from gnomon import rollout
from gnomon.artifact import inspect
from gnomon.errors import SettingsError
from gnomon.policy import Policy
from gnomon.report import Report
from gnomon.rollout.named_artifacts import find_artifact, find_model, find_role
from gnomon.settings import Settings
from gnomon.skew import skew_record
from gnomon.storage import Storage
from tests.packing import Pack
from tests.shadow.trips import ARRIVED, GREENWICH, LOCAL, OTHER, TRAINED, Trips, trips

ROWS = 60


@pytest.fixture
def deployed(
    settings: Settings, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Trips:
    """Rows that a live artifact answered; this process reads the same storage root, and is in a
    folder without a policy."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GNOMON_ROOT", settings.root)
    trained = inspect(pack(LOCAL, "trips", TRAINED))
    rollout.promote(settings, "trips", trained.tag)
    return Trips(settings, trained, trips(ROWS)).answer()


def known(deployed: Trips) -> skew_record.SkewRecord | None:
    """The record that the skew gate reads."""
    return skew_record.read(Storage(deployed.settings), deployed.artifact.tag)


def test_a_replay_from_python_keeps_its_report_and_feeds_the_gate(deployed: Trips) -> None:
    """The artifact is given by its model's name; the page and its JSON are under the
    storage root.
    """
    check = gnomon.replay("trips")
    assert check.agrees
    assert check.page.startswith(f"{deployed.settings.root}/reports/trips/replay-")
    assert Report.from_json(Path(check.page).with_suffix(".json").read_bytes()) == check.report
    told = known(deployed)
    assert told is not None
    assert (told.digest, told.rows, told.disagreed) == (deployed.artifact.digest, ROWS, 0)
    assert told.report == check.page


def test_what_says_nothing_of_the_artifact_leaves_the_gate_alone(
    deployed: Trips, pack: Pack, tmp_path: Path
) -> None:
    """A replay through another artifact and one of an empty range change no record."""
    other = pack(LOCAL, "trips", OTHER)
    through = gnomon.replay("trips", through=other, policy=Policy(), save_as=tmp_path / "other")
    assert through.page == f"{tmp_path / 'other'}.html"
    assert gnomon.replay("trips", end=ARRIVED - timedelta(days=1)).report.verdict == "unknown"
    assert known(deployed) is None


def test_a_comparison_with_a_table_feeds_the_gate(deployed: Trips, tmp_path: Path) -> None:
    """Rows that differ from the offline prediction are counted against the artifact."""
    table = tmp_path / "offline.csv"
    rows = "".join(f"r{n:05d},slow\n" for n in range(ROWS))
    table.write_text("trip,prediction\n" + rows)
    check = gnomon.compare_offline("trips", table)
    told = known(deployed)
    assert told is not None
    assert (told.rows, told.disagreed) == (check.report.divergence.of, check.report.divergence.rows)
    assert told.disagreed > 0


def test_what_is_left_unsaid_is_looked_up(deployed: Trips, pack: Pack) -> None:
    """Defaults: the only model, its live artifact, and live unless the artifact was only
    a shadow.
    """
    settings, live = deployed.settings, deployed.artifact
    shadow = inspect(pack(GREENWICH, "trips", TRAINED))
    rollout.start_shadow(settings, "trips", shadow.tag)
    assert find_model(settings) == "trips"
    assert find_artifact(settings, "trips").tag == live.tag
    assert (find_role(settings, live), find_role(settings, shadow)) == ("live", "shadow")
    assert gnomon.running_artifacts("trips") == [(live.tag, "live"), (shadow.tag, "shadow")]
    Storage(settings).write("rollout/other/000000.json", b"{}")
    with pytest.raises(SettingsError, match="several models: other, trips"):
        find_model(settings)
