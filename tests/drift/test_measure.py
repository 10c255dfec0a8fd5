"""Measuring drift in logs of the artifact of the trips."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from gnomon.artifact import Artifact, inspect
from gnomon.drift import DriftColumn, DriftReport, measure, print_report, to_html
from gnomon.drift.measure import Measurement
from gnomon.errors import PolicyError
from gnomon.log import InferenceLog
from gnomon.offline.logged import Range
from gnomon.policy import DriftLimits, Policy
from gnomon.settings import Settings
from tests.packing import Pack
from tests.shadow.trips import LOCAL, TRAINED, Trips, trips

pytestmark = pytest.mark.slow

ROWS = 1_600
TRAINING = TRAINED.replace("np.arange(400)", "np.arange(4000)").replace(
    "n * 7, unit", "n % 1000 * 7, unit"
)


@pytest.fixture
def trained(pack: Pack) -> Artifact:
    return inspect(pack(LOCAL, "trips", TRAINING))


def served(settings: Settings, artifact: Artifact, rows: int = ROWS, **changed: Any) -> Trips:
    """A log of trips as in training, except some columns in its second half."""
    records = trips(rows, begin="2013-01-01T00:00:00")
    for record, n in zip(records, range(rows), strict=True):
        record["miles"] = 0.25 + (n * 37 % 101) / 8
        if n >= rows // 2:
            record |= {k: v(record) if callable(v) else v for k, v in changed.items()}
    return Trips(settings, artifact, records).answer()


def measured(logged: Trips, **options: Any) -> DriftReport:
    return measure(logged.log, logged.artifact, settings=logged.settings, **options)


def column(report: DriftReport, name: str) -> DriftColumn:
    return next(c for c in report.columns if c.name == name)


def test_what_is_as_in_training_is_ok(settings: Settings, trained: Artifact) -> None:
    """Every input, step and output; the key and the event time are measured and not judged."""
    report = measured(served(settings, trained))
    assert (report.verdict, report.alerts, report.rows) == ("ok", (), ROWS)
    assert {c.kind for c in report.columns} == {"input", "step", "output"}
    assert [c.name for c in report.columns if not c.judged] == ["trip", "at"]
    assert report.axis.label == "at"
    assert report.command == f"gnomon drift {trained.tag} --role live"


def test_a_unit_change_is_named_with_when_and_which_rows(
    settings: Settings, trained: Artifact
) -> None:
    """Miles become kilometres halfway: the column, the time, the amount and example rows are
    named.
    """
    logged = served(settings, trained, miles=lambda record: record["miles"] * 1.609)
    report = measured(logged)
    assert report.verdict == "drifted"
    miles = column(report, "miles")
    assert miles.verdict == "drifted"
    assert miles.tails is not None
    assert miles.tails[1] > 0.1
    alert = next(a for a in report.alerts if a.name == "miles")
    turn = logged.records[ROWS // 2]["at"]
    assert alert.change == "sudden"
    assert abs(np.datetime64(alert.since[:19]) - np.datetime64(turn[:19])) < np.timedelta64(29, "D")
    changed = {f"{logged.requests[(n + 3) // 4]}/{(n + 3) % 4}" for n in range(ROWS // 2, ROWS)}
    assert set(alert.example_rows) <= changed
    assert alert.example_rows
    assert "miles" in report.title
    scaled = next(c for c in report.columns if c.kind == "step" and c.name.endswith("miles"))
    assert scaled.verdict == "drifted"
    assert not [a for a in report.alerts if a.kind == "step" and a.since == alert.since]


def test_new_categories_and_nulls_are_counted_by_name(
    settings: Settings, trained: Artifact
) -> None:
    """A category that training did not have is named with its rows."""
    report = measured(served(settings, trained, kind="Solo"))
    kind = column(report, "kind")
    assert [(met.reason, met.rows) for met in kind.new] == [("Solo", ROWS // 2)]
    assert kind.effects["new"].value == 0.5
    assert kind.effects["new"].verdict == "drifted"


def test_segments_say_where_it_is(settings: Settings, trained: Artifact) -> None:
    """Only night trips change: the change is reported for that segment and no other."""

    def far(record: dict[str, Any]) -> float:
        return record["miles"] + (6.0 if record["kind"] == "night" else 0.0)

    report = measured(served(settings, trained, miles=far), split_by="kind")
    assert report.command.endswith("--role live --split-by kind")
    found = {segment.name: segment for segment in column(report, "miles").segments}
    assert set(found) == {"solo", "pool", "night"}
    assert found["night"].values["outside"] > 0.05 > found["solo"].values["outside"] == 0.0
    assert sum(segment.rows for segment in found.values()) == ROWS
    assert {a.segment for a in report.alerts if a.name == "miles"} <= {None, "night"}


def test_segments_are_of_a_feature(settings: Settings, trained: Artifact) -> None:
    """Anything else is an error that lists the features."""
    with pytest.raises(PolicyError, match="colour") as caught:
        measured(served(settings, trained, 40), split_by="colour")
    assert "miles" in str(caught.value)


def test_too_few_rows_are_unknown(settings: Settings, trained: Artifact) -> None:
    """Twenty rows are inconclusive, and the summary says that the log has too few."""
    report = measured(served(settings, trained, 20))
    assert report.verdict == "unknown"
    assert "too few rows in the log, 20" in report.title
    assert "longer range" in report.summary.action


def test_no_rows_are_unknown(settings: Settings, trained: Artifact) -> None:
    """The page and the terminal say that they are unknown."""
    logged = served(settings, trained, 20)
    report = measured(logged, role="shadow")
    assert (report.verdict, report.rows) == ("unknown", 0)
    assert "Nothing to measure" in to_html(report)


def test_the_policy_decides(settings: Settings, trained: Artifact) -> None:
    """An ignored column is measured and not judged; a limit of infinity is never passed."""
    logged = served(settings, trained, kind="Solo")
    lenient = {name: float("inf") for name in DriftLimits().limits}
    report = measured(logged, policy=Policy(drift=DriftLimits(**lenient)))
    assert report.verdict == "ok"
    assert DriftReport.from_json(report.to_json()) == report
    assert "e+308" not in to_html(report)
    ignoring = Policy(
        drift=DriftLimits(ignore=("kind", "columns/*", "prediction", "probability_*"))
    )
    report = measured(logged, policy=ignoring)
    assert column(report, "kind").why == "the policy ignores it"
    assert report.verdict == "ok"


def test_no_steps_need_no_worker(settings: Settings, trained: Artifact) -> None:
    """``step_rows=0`` runs nothing again."""
    report = measured(served(settings, trained), step_rows=0)
    assert report.traced == 0
    assert not [c for c in report.columns if c.kind == "step"]


def test_slices_of_a_log_add_up(settings: Settings, trained: Artifact) -> None:
    """Two ranges counted apart and merged are the whole range."""
    logged = served(settings, trained, kind="Solo")
    whole, one, two = (Measurement(trained) for _ in range(3))
    with InferenceLog(settings, trained.name).snapshot() as snapshot:
        for rows in Range(snapshot, trained, "live").chunks():
            half = np.arange(rows.num_rows) % 2 == 0
            whole.add(rows)
            one.add(rows.take(np.flatnonzero(half)))
            two.add(rows.take(np.flatnonzero(~half)))
    one.counts.merge(two.counts)
    assert logged.records
    for left, right in zip(whole.counts, one.counts, strict=True):
        assert (left.total().vector == right.total().vector).all()
        assert left.names == right.names
        assert left.example_rows == right.example_rows


def test_json_reads_back_and_the_page_stands_alone(settings: Settings, trained: Artifact) -> None:
    """One report, three forms: none of them loses the finding."""
    from rich.console import Console

    report = measured(served(settings, trained, kind="Solo"), split_by="kind")
    assert DriftReport.from_json(report.to_json()) == report
    page = to_html(report)
    assert "http:" not in page
    assert "https:" not in page
    assert "url(" not in page
    assert "<svg" in page
    assert "Solo" in page
    assert column(report, "at").is_time
    assert re.search(r"2013-05-\d\d \d\d:\d\d /", page)
    console = Console(width=140, record=True)
    print_report(report, console)
    text = console.export_text()
    assert "≠ DRIFTED" in text
    assert "What to do" in text
