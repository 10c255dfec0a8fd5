from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gnomon.contract import Contract, Feature, Output
from gnomon.offline.logged import Rows
from gnomon.offline.offline_table import OfflineTable
from gnomon.skew.join import Join


def contract(event_time: str | None) -> Contract:
    return Contract(
        task="regression",
        features=(
            Feature(name="id", type="string", dtype="str"),
            Feature(
                name="at",
                type="timestamp",
                dtype="datetime64[us, UTC]",
                timezone="UTC",
                nullable=True,
            ),
            Feature(name="size", type="float", dtype="float64"),
        ),
        outputs=(Output(name="prediction", type="float"),),
        entity_key=("id",),
        event_time=event_time,
    )


def days(*numbers: int | None) -> pa.Array:
    """Days of January 2024, at midnight UTC."""
    times = [None if day is None else datetime(2024, 1, day, tzinfo=UTC) for day in numbers]
    return pa.array(times, pa.timestamp("us", tz="UTC"))


def rows(known: Contract, at: pa.Array, arrived: pa.Array) -> Rows:
    n = len(at)
    envelope = {
        "request_id": [f"r{i}" for i in range(n)],
        "row": pa.array([0] * n, pa.int32()),
        "client_id": pa.nulls(n, pa.string()),
        "arrived": arrived,
    }
    inputs = pa.table({"id": ["a"] * n, "at": at, "size": [0.0] * n}, schema=known.input_schema)
    return Rows(pa.table(envelope), inputs, pa.table({"prediction": [0.0] * n}))


@pytest.mark.parametrize(
    ("event_time", "joined", "later"), [("at", [1.0, 2.0, 1.0], 1), (None, [2.0, 2.0, 2.0], None)]
)
def test_the_moment_is_the_event_time_else_the_arrival(
    tmp_path: Path, event_time: str | None, joined: list[float], later: int | None
) -> None:
    """The arrival counts also for a row whose event time is null.

    A row from before anything was known is counted, with its key.
    """
    known = contract(event_time)
    path = tmp_path / "table.parquet"
    columns = {"id": ["a"] * 3, "size": [1.0, 2.0, 3.0], "seen": days(4, 10, 20)}
    pq.write_table(pa.table(columns), path)
    table = OfflineTable.read(path, on=("id",), contract=known, steps=(), known_at="seen")
    join = Join(table, known)
    pairs = join.pairs(rows(known, days(5, None, 3), days(15, 15, 15)))
    assert pairs.right.column("size").to_pylist() == joined
    found = join.use().known_later
    assert (found and (found.rows, found.example)) == (later and (later, "id=a"))
