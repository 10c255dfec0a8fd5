"""Leakage and missing seeds that packing finds in the training data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_regressor
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from gnomon.artifact import inspect, pack
from gnomon.artifact.checks.leakage_checks import check_leakage
from gnomon.contract import infer_contract
from gnomon.errors import ContractError, NewerFormat, PackRefused
from gnomon.leakage import LeakageReport, LeakageWarning
from gnomon.pipeline.seeds import SeedWarning
from tests.artifact.conftest import reseal

pytestmark = pytest.mark.usefixtures("home")


def trips(rows: int = 600, seed: int = 6) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Informative numbers, a timestamp, and whether each trip was slow."""
    random = np.random.default_rng(seed)
    frame = pd.DataFrame(random.normal(size=(rows, 2)), columns=["miles", "rain"])
    frame["at"] = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(np.arange(rows), unit="h")
    slow = frame["miles"] + random.normal(size=rows) > 0
    return frame, slow.map({True: "slow", False: "quick"})


def fitted(frame: pd.DataFrame, labels: Any, model: Any) -> Any:
    """A pipeline of the numbers."""
    names = [name for name in frame if name != "at"]
    return make_pipeline(make_column_transformer((StandardScaler(), names)), model).fit(
        frame, labels
    )


def with_copy() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Rows with a column that is filled in after the outcome is known."""
    frame, labels = trips()
    return frame.assign(fee=(labels == "slow") * 5.0), labels


def looked(
    frame: pd.DataFrame,
    labels: Any,
    rest: tuple[pd.DataFrame, Any] | None = None,
    *,
    model: Any = None,
    **known_at: Any,
) -> LeakageReport:
    """The report that packing would record."""
    pipeline = fitted(frame, labels, LogisticRegression() if model is None else model)
    regression = is_regressor(pipeline)
    contract = infer_contract(
        frame,
        task="regression" if regression else "classification",
        classes=() if regression else pipeline.classes_.tolist(),
        probabilities=hasattr(pipeline, "predict_proba"),
        event_time="at",
    )
    return check_leakage(pipeline, frame, labels, contract, holdout=rest, known_at=known_at)


def test_healthy_data_packs_without_a_word() -> None:
    """The record says which checks ran and that they found nothing; a later format is refused."""
    frame, labels = trips()
    pipeline = fitted(frame, labels, LogisticRegression())
    artifact = pack("trips", pipeline, frame, labels, event_time="at", leakage="refuse")
    checks = artifact.checks()
    assert checks is not None
    assert (checks.findings, checks.rows) == ((), 600)
    assert set(checks.passed) == {"clock", "label", "identifier", "row order"}
    assert inspect(artifact.tag).checks() == checks
    later = msgspec.structs.replace(checks, format=2)
    (artifact.path / "checks.json").write_bytes(later.to_json())
    reseal(artifact.path)
    with pytest.raises(NewerFormat, match=r"format 2; .* reads up to 1 .*checks\.json"):
        inspect(artifact.path).checks()


def test_a_copy_of_the_label_is_warned_about_and_recorded() -> None:
    """The warning points at the caller's line, so that Python shows it only once."""
    frame, labels = with_copy()
    pipeline = fitted(frame, labels, LogisticRegression())
    with pytest.warns(LeakageWarning, match="`fee` is the label") as caught:
        artifact = pack("trips", pipeline, frame, labels, event_time="at")
    assert Path(caught[0].filename) == Path(__file__)
    checks = artifact.checks()
    assert checks is not None
    assert [(f.check, f.features, f.severity) for f in checks.findings] == [
        ("label", ("fee",), "leak")
    ]


def test_it_can_be_refused(home: Path) -> None:
    """The error names the column, what to do, and how to pack anyway; nothing is left in
    the store.
    """
    frame, labels = with_copy()
    pipeline = fitted(frame, labels, LogisticRegression())
    with pytest.raises(PackRefused, match="`fee` is the label") as caught:
        pack("trips", pipeline, frame, labels, event_time="at", leakage="refuse")
    assert caught.value.where == "column `fee`"
    assert 'leakage="warn"' in str(caught.value.hint)
    assert not [path for path in home.rglob("*") if path.is_file()]


def test_seeds_and_checks_that_were_left_out() -> None:
    """A forest without a seed is recorded as null, with a warning; the leakage checks are off."""
    frame, labels = with_copy()
    pipeline = fitted(frame, labels, RandomForestClassifier(3))
    with pytest.warns(SeedWarning, match="randomforestclassifier__random_state") as caught:
        artifact = pack("trips", pipeline, frame, labels, event_time="at", leakage="off")
    assert [Path(one.filename) for one in caught] == [Path(__file__)]
    assert artifact.manifest.seeds == {"randomforestclassifier__random_state": None}
    assert artifact.checks() is None
    assert "checks.json" not in artifact.manifest.files


def test_seeds_that_were_given_are_taken_for_what_was_done() -> None:
    """A caller who seeded numpy's global generator passes `seeds` and is not warned."""
    frame, labels = trips(60)
    pipeline = fitted(frame, labels, RandomForestClassifier(3))
    artifact = pack("trips", pipeline, frame, labels, event_time="at", seeds={"numpy": 3})
    assert artifact.manifest.seeds == {"numpy": 3}


def test_a_column_known_too_late_is_found() -> None:
    """A time for each row, which is not a feature, reveals it; an unknown name is refused."""
    frame, labels = trips()
    late = frame["at"] + pd.Timedelta("5h")
    (finding,) = looked(frame, labels, rain=late).alarms
    assert (finding.check, finding.features, finding.severity) == ("clock", ("rain",), "leak")
    with pytest.raises(ContractError, match="no column `gone`"):
        looked(frame, labels, gone=late)


def test_a_holdout_is_held_against_the_training_data() -> None:
    """Rows and days on both sides are found, and both scores are compared."""
    frame, labels = trips(900)
    train, first, rest = slice(0, 600), slice(0, 300), slice(600, 900)
    report = looked(frame[train], labels[train], (frame[rest], labels[rest]))
    assert report.findings == ()
    assert {"duplicates", "time overlap", "score gap"} <= set(report.passed)
    report = looked(frame[train], labels[train], (frame[first], labels[first]))
    assert {f.check for f in report.alarms} == {"duplicates", "time overlap"}


def test_a_model_that_knows_its_rows_by_heart_is_a_note() -> None:
    """The gap is recorded without a warning: it is normal for forests."""
    frame, labels = trips(1_200)
    forest = RandomForestClassifier(20, random_state=0)
    report = looked(frame[:600], labels[:600], (frame[600:], labels[600:]), model=forest)
    assert [(f.check, f.severity) for f in report.findings] == [("score gap", "note")]


@pytest.mark.parametrize("model", [LinearSVC(), LinearRegression()], ids=["labels", "numbers"])
def test_any_model_can_be_scored(model: Any) -> None:
    """A classifier without probabilities is scored by its labels, a regression by its numbers."""
    frame, labels = trips(800)
    target = labels if isinstance(model, LinearSVC) else frame["miles"] * 2 + frame["rain"]
    report = looked(frame[:400], target[:400], (frame[400:], target[400:]), model=model)
    assert report.findings == ()
    assert "score gap" in report.passed


def test_a_holdout_with_other_columns_is_refused() -> None:
    """It names the column that is missing."""
    frame, labels = trips()
    with pytest.raises(PackRefused, match="the holdout has no column `rain`"):
        looked(frame, labels, (frame[["miles", "at"]], labels))


def test_a_holdout_without_labels_has_no_score() -> None:
    """Its rows are checked anyway."""
    frame, labels = trips(900)
    report = looked(frame[:600], labels[:600], (frame[600:], labels[600:].where(labels.isna())))
    assert [(f.check, f.severity) for f in report.findings] == [("score gap", "unknown")]
    assert "duplicates" in report.passed


def test_without_a_target_only_clocks_are_looked_at() -> None:
    """The record lists the checks that were skipped."""
    frame, labels = trips()
    contract = infer_contract(frame, task="classification", event_time="at")
    report = check_leakage(fitted(frame, labels, LogisticRegression()), frame, None, contract)
    assert report.passed == ("clock",)
    assert report.skipped["label"] == "there are no labels"
