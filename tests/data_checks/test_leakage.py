"""Files of trips, a log of served trips, and their labels."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.data_checks.leakage import ServedSelection, check_leakage
from gnomon.data_checks.leakage_files import ColumnRoles
from gnomon.errors import TableError
from gnomon.leakage import LeakageReport
from gnomon.settings import Settings
from tests.packing import Pack
from tests.shadow.trips import LOCAL, TRAINED, Trips, trips

ZONE = ZoneInfo("America/New_York")


@pytest.fixture
def artifact(pack: Pack) -> Artifact:
    """Says whether a trip was slow, from its hour and its miles."""
    return inspect(pack(LOCAL, "trips", TRAINED))


def became(records: list[dict[str, Any]]) -> pd.DataFrame:
    """The trips with their labels, some of which are random."""
    frame = pd.DataFrame(records)
    hour = [datetime.fromisoformat(at).astimezone(ZONE).hour for at in frame["at"]]
    noise = np.random.default_rng(4).normal(0, 2, len(frame))
    slow = np.array(hour) + frame["miles"] + noise > 18
    return frame.assign(
        at=pd.to_datetime(frame["at"], utc=True), speed=np.where(slow, "slow", "quick")
    )


def stage(path: Path, name: str, begin: str, **columns: Any) -> Path:
    """A file of 600 trips from a time on."""
    frame = became(trips(600, begin=begin))
    frame["trip"] = name + frame["trip"]
    frame.assign(**columns).to_parquet(path / f"{name}.parquet")
    return path / f"{name}.parquet"


@pytest.fixture
def train(tmp_path: Path) -> Path:
    """Trips from November on."""
    return stage(tmp_path, "train", "2012-09-01T00:00:00")


def check(
    train: Path, settings: Settings, selection: ServedSelection | None = None, **files: Path
) -> LeakageReport:
    """The report on trips."""
    contract = None if selection is None else selection.artifact.contract
    roles = ColumnRoles(label="speed", contract=contract, event_time="at", entity_key=("trip",))
    return check_leakage(train, roles, selection=selection, settings=settings, **files)


def found(report: LeakageReport) -> Mapping[str, str]:
    """Severities by check."""
    return {finding.check: finding.severity for finding in report.findings}


def test_training_rows_alone(train: Path, settings: Settings) -> None:
    """No artifact is needed; checks that did not run are listed with the reason."""
    report = check(train, settings)
    assert report.findings == ()
    assert set(report.passed) == {"clock", "identifier", "label", "row order"}
    assert report.skipped["domain"] == "no artifact was given"
    assert report.skipped["duplicates"] == "there is no holdout"


def test_a_holdout_from_the_same_time(train: Path, settings: Settings) -> None:
    """It shares days and, because trips repeat, rows with training."""
    report = check(train, settings, holdout=train)
    assert found(report)["duplicates"] == "leak"
    assert found(report)["time overlap"] == "suspect"


def test_a_file_of_csv_is_read_by_the_contract(
    artifact: Artifact, settings: Settings, tmp_path: Path
) -> None:
    """Times with an offset, and text that looks like a number."""
    frame = became(trips(300, begin="2012-09-01T00:00:00"))
    frame.to_csv(tmp_path / "train.csv", index=False)
    report = check(tmp_path / "train.csv", settings, ServedSelection(artifact))
    assert report.alarms == ()
    assert report.rows == 300
    assert report.skipped["score gap"] == "there are only training rows"


def test_healthy_traffic_passes(
    artifact: Artifact, train: Path, settings: Settings, tmp_path: Path
) -> None:
    """Training, later rows and live traffic have similar scores, and served rows look like training
    rows.
    """
    served = Trips(settings, artifact, trips(601)).answer()
    labels = became(served.records)[["trip", "speed"]]
    labels.sample(frac=1, random_state=0).to_parquet(tmp_path / "labels.parquet")
    report = check(
        train,
        settings,
        ServedSelection(artifact, labels=tmp_path / "labels.parquet"),
        later=stage(tmp_path, "later", "2013-01-05T00:00:00"),
    )
    assert report.findings == ()
    assert {"domain", "score gap"} <= set(report.passed)


def test_a_feature_that_is_wrong_online(
    artifact: Artifact, train: Path, settings: Settings, tmp_path: Path
) -> None:
    """Kilometres instead of miles: the classifier names the feature, and live scores are lower."""
    records = [{**one, "miles": one["miles"] * 16} for one in trips(601)]
    Trips(settings, artifact, records).answer()
    became(trips(601))[["trip", "speed"]].to_csv(tmp_path / "labels.csv", index=False)
    read: list[int] = []
    report = check_leakage(
        train,
        ColumnRoles(label="speed", contract=artifact.contract),
        later=stage(tmp_path, "later", "2013-01-05T00:00:00"),
        selection=ServedSelection(artifact, labels=tmp_path / "labels.csv", on=["trip"]),
        settings=settings,
        progress=read.append,
    )
    assert found(report) == {"domain": "suspect", "score gap": "suspect"}
    domain, gap = sorted(report.findings, key=lambda finding: finding.check)
    assert domain.features == ("miles",)
    assert gap.evidence.numbers["rows live"] == 601
    assert "other values online than offline" in gap.sentence
    assert sum(read) == 601


def test_a_fall_after_a_holdout_of_later_days_is_a_note(
    artifact: Artifact, train: Path, settings: Settings, tmp_path: Path
) -> None:
    """Random labels in the last file look like concept drift."""
    files = {
        "holdout": stage(tmp_path, "holdout", "2013-01-05T00:00:00"),
        "later": stage(tmp_path, "later", "2013-06-05T00:00:00"),
    }
    rows = pd.read_parquet(files["later"])
    rows["speed"] = rows["speed"].sample(frac=1, random_state=0).to_numpy()
    rows.to_parquet(files["later"])
    assert found(check(train, settings, ServedSelection(artifact), **files)) == {
        "score gap": "note"
    }


def test_labels_of_some_rows_are_joined_by_key(
    artifact: Artifact, train: Path, settings: Settings, tmp_path: Path
) -> None:
    """Few labels are inconclusive; keys without a request do not count."""
    served = Trips(settings, artifact, trips(201)).answer()
    labels = became(served.records)[["trip", "speed"]][:40]
    stray = pd.DataFrame({"trip": ["gone"], "speed": ["slow"]})
    pd.concat([labels, stray]).to_parquet(tmp_path / "labels.parquet")
    report = check(train, settings, ServedSelection(artifact, labels=tmp_path / "labels.parquet"))
    gap = next(finding for finding in report.findings if finding.check == "score gap")
    assert gap.severity == "unknown"
    assert "live traffic is inconclusive: it has 40 rows" in gap.sentence


def test_without_a_log_serving_rows_are_not_looked_at(
    artifact: Artifact, train: Path, settings: Settings, tmp_path: Path
) -> None:
    """The scores of files are compared anyway."""
    later = stage(tmp_path, "later", "2013-01-05T00:00:00")
    report = check(train, settings, ServedSelection(artifact), later=later)
    assert "no log" in report.skipped["domain"]
    assert "score gap" in report.passed


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (pd.DataFrame({"trip": ["a", "a"], "speed": ["slow", "quick"]}), "a more than once"),
        (pd.DataFrame({"trip": ["a"]}), "no column `speed`"),
        (pd.DataFrame({"speed": ["slow"]}), "no column `trip`"),
    ],
)
def test_labels_that_cannot_be_joined_are_refused(
    labels: pd.DataFrame,
    message: str,
    artifact: Artifact,
    train: Path,
    settings: Settings,
    tmp_path: Path,
) -> None:
    """The error has the file and what is wrong with it."""
    labels.to_parquet(tmp_path / "labels.parquet")
    with pytest.raises(TableError, match=message) as caught:
        check(train, settings, ServedSelection(artifact, labels=tmp_path / "labels.parquet"))
    assert str(tmp_path / "labels.parquet") in str(caught.value.where)
