"""A table with several rows per key is joined as of each request's own time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnomon.artifact import inspect
from gnomon.errors import TableError
from gnomon.report import Report, Rung
from gnomon.settings import Settings
from gnomon.skew.table_comparison import compare_offline
from tests.packing import Pack
from tests.shadow.trips import LOCAL, TRAINED, Trips, trips

ROWS = 300
BEGIN = datetime(2013, 2, 20, tzinfo=UTC)
EVERY = timedelta(hours=12)
KINDS = ("solo", "pool", "night")
SIZE = "columns/size/miles"


def miles(kind: str, version: int) -> float:
    """A measure of each kind of trip, changed every twelve hours."""
    return 3.0 + KINDS.index(kind) + (version * 37 % 101) / 8


def table(folder: Path, **more: Any) -> Path:
    """Its whole history, latest first."""
    rows = [
        {"kind": kind, "since": BEGIN + version * EVERY, "miles": miles(kind, version)}
        for kind in KINDS
        for version in reversed(range(160))
    ]
    path = folder / "history.parquet"
    pq.write_table(pa.Table.from_pylist([*rows, *more.get("rows", [])]), path)
    return path


Serve = Callable[[timedelta], Trips]

IN_TIME = timedelta()


@pytest.fixture
def served(settings: Settings, pack: Pack) -> Serve:
    """Trips that were sent the measure of so long before."""
    artifact = inspect(pack(LOCAL, "trips", TRAINED))

    def serve(late: timedelta) -> Trips:
        records = trips(ROWS)
        for record in records:
            version = (datetime.fromisoformat(record["at"]) - late - BEGIN) // EVERY
            record["miles"] = miles(record["kind"], version)
        return Trips(settings, artifact, records).answer()

    return serve


def compare(logged: Trips, path: Path, **options: Any) -> Report:
    options = {"on": ["kind"], "known_at": "since", **options}
    return compare_offline(logged.log, logged.artifact, path, settings=logged.settings, **options)


def named(report: Report) -> tuple[str, str, str | None]:
    """Verdict, cause and column."""
    assert report.diagnosis is not None
    return report.diagnosis.verdict, report.diagnosis.cause, report.diagnosis.column


def said(report: Report) -> str:
    """Why, in a sentence."""
    assert report.diagnosis is not None
    return report.diagnosis.sentence


def rungs(report: Report) -> dict[str, Rung]:
    """The rung of shifted moments, by how it was run."""
    return {rung.what: rung for rung in report.ladder if rung.name == "R4"}


def test_each_row_meets_what_was_known_at_its_time(served: Serve, tmp_path: Path) -> None:
    """The latest version that is not after the event, also when it is of that very moment."""
    report = compare(served(IN_TIME), table(tmp_path))
    assert (report.verdict, report.coverage.compared) == ("ok", ROWS)
    (column,) = [c for c in report.columns if c.kind == "feature"]
    assert (column.name, column.exact) == ("miles", ROWS)


def test_a_cache_that_is_one_version_late_is_named_and_the_ladder_shows_it(
    served: Serve, tmp_path: Path
) -> None:
    """Online had the value before: joined one version earlier, the answers come out as online."""
    report = compare(served(EVERY), table(tmp_path))
    assert named(report) == ("confirmed", "stale data", "miles")
    assert said(report).startswith("Online `miles` is the table's value of 1 version earlier, ")
    found = rungs(report)
    assert list(found)[:3] == [
        "with the features the table had then",
        "with those of 1 version earlier",
        "with those of 1 version later",
    ]
    earlier = found.pop("with those of 1 version earlier")
    assert earlier.as_left == earlier.rows > 200
    assert all(rung.as_left < rung.rows for rung in found.values())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hours", "shift"),
    [(1, "1 hour earlier"), (24, "1 day earlier"), (-168, "7 days later")],
)
def test_a_lag_is_named_and_the_ladder_shows_it(
    served: Serve, tmp_path: Path, hours: int, shift: str
) -> None:
    """The table's value at that lag is the served one, on differing and agreeing rows.

    A lag of one hour equals one version where it matters, and no change elsewhere.
    """
    report = compare(served(timedelta(hours=hours)), table(tmp_path))
    assert named(report) == ("confirmed", "stale data", "miles")
    assert f"the table's value as of {shift}, " in said(report)
    assert report.diagnosis is not None
    assert report.diagnosis.repaired is not None
    assert report.diagnosis.repaired.share == 1.0
    rung = rungs(report)[f"with those of {shift}"]
    assert rung.as_left == rung.rows > 15


def test_a_lag_that_changes_nothing_is_no_rung(served: Serve, tmp_path: Path) -> None:
    """No trip is within an hour of a change: an hour before or after, the table knew the same."""
    changes = [datetime(2013, 3, 1, 22, 30, tzinfo=UTC), datetime(2013, 3, 30, 21, 30, tzinfo=UTC)]
    rows = [
        {"kind": kind, "since": since, "miles": 7.0 + at}
        for kind in KINDS
        for at, since in enumerate(changes)
    ]
    path = tmp_path / "history.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert list(rungs(compare(served(IN_TIME), path))) == [
        "with the features the table had then",
        "with those of 1 version earlier",
        "with those of 1 version later",
        "with those of 1 day earlier",
        "with those of 7 days earlier",
        "with those of 1 day later",
        "with those of 7 days later",
    ]


@pytest.mark.slow
def test_a_step_that_another_version_explains_is_named(served: Serve, tmp_path: Path) -> None:
    """A table of step columns with several versions: the step has the value of the one before."""
    logged = served(EVERY)
    made = logged.steps.column(SIZE).to_numpy()
    slope, start = np.polyfit(logged.inputs.column("miles").to_numpy(), made, 1)
    path = table(tmp_path)
    history = pq.read_table(path)
    size = pa.array(history.column("miles").to_numpy() * slope + start)
    pq.write_table(history.drop_columns("miles").append_column(SIZE, size), path)
    report = compare(logged, path)
    assert named(report) == ("confirmed", "stale data", SIZE)
    assert "the table's value of 1 version earlier" in said(report)
    found = rungs(report)
    assert found["with the step columns the table had then"].as_left == 0
    earlier = found["with those of 1 version earlier"]
    assert (earlier.as_left, earlier.as_right) == (earlier.rows, None)


def test_a_table_whose_times_are_late_is_told_apart(served: Serve, tmp_path: Path) -> None:
    """Online had a value that the table knew of only one version later."""
    report = compare(served(-EVERY), table(tmp_path))
    assert named(report) == ("confirmed", "stale data", "miles")
    assert "1 version later" in said(report)


def test_versions_of_a_key_are_counted_once(served: Serve, tmp_path: Path) -> None:
    """Keys are matched, not rows: of three kinds that were asked for, and one that never was."""
    never = [{"kind": "dawn", "since": BEGIN + day * EVERY, "miles": 1.0} for day in range(20)]
    used = compare(served(IN_TIME), table(tmp_path, rows=never)).table
    assert used is not None
    assert (used.rows, used.keys, used.matched) == (500, 4, 3)
    assert (used.repeated, used.unmatched, used.known_later) == (ROWS - 3, "kind=dawn", None)


def test_two_rows_of_one_key_and_time_are_refused(served: Serve, tmp_path: Path) -> None:
    """Which one was known is undefined; without times no key may have several rows."""
    again = {"kind": "solo", "since": BEGIN, "miles": 1.0}
    with pytest.raises(TableError, match="1 of 481 rows repeat the key"):
        compare(served(IN_TIME), table(tmp_path, rows=[again]))
    with pytest.raises(TableError, match="repeat the key") as refused:
        compare(served(IN_TIME), table(tmp_path), known_at=None)
    assert "--known-at" in str(refused.value.hint)


def test_what_was_never_known_in_time_is_joined_all_the_same(served: Serve, tmp_path: Path) -> None:
    """The first version of a key represents the time before it, so that leakage is visible."""
    logged = served(IN_TIME)
    path = tmp_path / "late.parquet"
    known = datetime(2014, 1, 1, tzinfo=UTC)
    rng = np.random.default_rng(4)
    rows = [
        {"trip": record["trip"], "since": known, "miles": float(rng.uniform(3, 20))}
        for record in logged.records
    ]
    pq.write_table(pa.Table.from_pylist(rows), path)
    report = compare(logged, path, on=["trip"])
    assert report.coverage.compared == ROWS
    assert report.diagnosis is not None
    assert report.diagnosis.cause == "temporal leakage"
    assert report.table is not None
    assert report.table.known_later is not None
    assert report.table.known_later.rows == ROWS
    assert str(report.table.known_later.example).startswith("trip=r")
    assert f"{ROWS} rows used a value known only later" in report.summary.how_sure
    assert "give the table what was known before them" in report.summary.action
