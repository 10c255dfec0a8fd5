"""A table with several rows a key is joined as of each request's own time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnomon.errors import TableError
from gnomon.models import inspect
from gnomon.settings import Settings
from gnomon.shadow.consistency.offline import compare_offline
from gnomon.shadow.report import Report
from tests.packing import Pack
from tests.shadow.trips import LOCAL, TRAINED, Trips, trips

ROWS = 300
BEGIN = datetime(2013, 2, 27, tzinfo=UTC)
EVERY = timedelta(hours=12)
KINDS = ("solo", "pool", "night")


def miles(kind: str, version: int) -> float:
    """A measure of each kind of trip, made anew every twelve hours."""
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


@pytest.fixture
def served(settings: Settings, pack: Pack) -> Callable[[int], Trips]:
    """Trips that were sent the measure of so many versions before."""
    artifact = inspect(pack(LOCAL, "trips", TRAINED))

    def serve(late: int) -> Trips:
        records = trips(ROWS)
        for record in records:
            version = (datetime.fromisoformat(record["at"]) - BEGIN) // EVERY
            record["miles"] = miles(record["kind"], version - late)
        return Trips(settings, artifact, records).answer()

    return serve


def compare(logged: Trips, path: Path, **options: Any) -> Report:
    options = {"on": ["kind"], "known_at": "since", **options}
    return compare_offline(logged.log, logged.artifact, path, settings=logged.settings, **options)


def test_each_row_meets_what_was_known_at_its_time(
    served: Callable[[int], Trips], tmp_path: Path
) -> None:
    """The latest version that is not after the event, also when it is of that very moment."""
    report = compare(served(0), table(tmp_path))
    assert (report.verdict, report.coverage.compared) == ("ok", ROWS)
    (column,) = [c for c in report.columns if c.kind == "feature"]
    assert (column.name, column.exact) == ("miles", ROWS)


def test_a_cache_that_is_one_version_late_is_named_and_the_ladder_shows_it(
    served: Callable[[int], Trips], tmp_path: Path
) -> None:
    """Online had the value before: joined one version earlier, the answers come out as online."""
    logged = served(1)
    report = compare(logged, table(tmp_path))
    assert report.diagnosis is not None
    assert (report.diagnosis.verdict, report.diagnosis.cause) == ("confirmed", "stale data")
    assert "the table's value of 1 version before" in report.diagnosis.sentence
    rungs = [rung for rung in report.ladder if rung.name == "R4"]
    assert [rung.what for rung in rungs] == [
        "with the features the table had then",
        "with those of one version before",
        "with those of one version later",
    ]
    assert rungs[1].as_left == rungs[1].rows > 200
    assert rungs[0].as_left < rungs[0].rows
    assert rungs[2].as_left < rungs[2].rows


def test_a_table_whose_times_are_late_is_told_apart(
    served: Callable[[int], Trips], tmp_path: Path
) -> None:
    """Online had a value that the table knew of only one version later."""
    report = compare(served(-1), table(tmp_path))
    assert report.diagnosis is not None
    assert (report.diagnosis.verdict, report.diagnosis.cause) == ("confirmed", "stale data")
    assert "1 version later" in report.diagnosis.sentence


def test_two_rows_of_one_key_and_time_are_refused(
    served: Callable[[int], Trips], tmp_path: Path
) -> None:
    """Which of them was known then cannot be said; without times no key may have several rows."""
    again = {"kind": "solo", "since": BEGIN, "miles": 1.0}
    with pytest.raises(TableError, match="1 of 481 rows repeat the key"):
        compare(served(0), table(tmp_path, rows=[again]))
    with pytest.raises(TableError, match="repeat the key") as refused:
        compare(served(0), table(tmp_path), known_at=None)
    assert "--known-at" in str(refused.value.hint)


def test_what_was_never_known_in_time_is_joined_all_the_same(
    served: Callable[[int], Trips], tmp_path: Path
) -> None:
    """The first version of a key stands for the time before it, so that leakage can be seen."""
    logged = served(0)
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
