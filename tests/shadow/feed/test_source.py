from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from gnomon.log import REQUESTS, Position, SegmentWriter, request_schema, stream_folder
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import START
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from gnomon.shadow.feed.source import Reading, Source
from tests.log.rows import NOON
from tests.shadow.evidence import CONTRACT

SCHEMA = request_schema(CONTRACT)


def logged(*outcomes: str, request: str = "r") -> pa.RecordBatch:
    """One request with a row for each outcome."""
    rows = [
        {"request_id": request, "row": i, "role": "live", "outcome": outcome, "artifact": "toy:a",
         "arrived": NOON, "raw": b"{}" if i == 0 else None}
        for i, outcome in enumerate(outcomes)
    ]  # fmt: skip
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def source(*counts: tuple[int, int]) -> Source:
    """Logged batches, each of so many rows to score after so many that are not."""
    batches = [
        logged(*["failed"] * failed, *["answered"] * answered, request=f"r{i}")
        for i, (failed, answered) in enumerate(counts)
    ]
    whole = pa.concat_batches(batches)
    mask = np.asarray(whole.column("outcome")) == "answered"
    ends = tuple(Position(0, 10 * (i + 1)) for i in range(len(batches)))
    return Source(whole, mask, ends, tuple(batch.num_rows for batch in batches))


def test_parts_hold_about_as_many_rows_as_asked() -> None:
    """Cut between logged batches only, and nothing gets lost or out of order."""
    whole = source((0, 3), (2, 0), (1, 4), (0, 9), (5, 0))
    parts = list(whole.cut(lambda: 7))
    assert [part.rows for part in parts] == [7, 9]
    assert [part.sizes for part in parts] == [(3, 2, 5), (9, 5)]
    assert [part.end.offset for part in parts] == [30, 50]
    assert pa.concat_batches([part.batch for part in parts]).equals(whole.batch)


def test_a_record_is_never_ahead_of_its_rows() -> None:
    """The last record names the last batch with a row to score, not the last batch read."""
    whole = source((0, 3), (2, 0), (1, 4), (5, 0))
    assert whole.recorded.offset == 30
    segments, offsets = whole.addresses()
    assert segments.to_pylist() == ["00000000"] * 7
    assert offsets.to_pylist() == [10] * 3 + [30] * 4


def test_a_request_alone_keeps_its_body() -> None:
    """Its row 0 may not be one to score; its body is there all the same."""
    alone = source((0, 2), (1, 2)).alone("r1")
    assert alone.requests == ["r1"]
    assert alone.live().column("row").to_pylist() == [1, 2]
    assert alone.bodies()["r1"] == b"{}"


@pytest.fixture
def folder(settings: Settings) -> Path:
    return stream_folder(settings, "toy", "here", REQUESTS)


def read(settings: Settings, folder: Path, position: Position = START) -> Reading:
    return Reading(folder, position, (), 1.0, LogTable(settings, "toy"))


def test_small_batches_are_read_together_and_schemas_apart(
    settings: Settings, folder: Path
) -> None:
    """A contract that changes while live begins a new source; small batches make up one."""
    writer = SegmentWriter(folder, SCHEMA, settings=settings)
    for _ in range(5):
        writer.append(logged("answered", "failed"))
    other = SCHEMA.append(pa.field("input_new", pa.float64()))
    writer.rotate(other)
    changed = logged("answered")
    writer.append(pa.RecordBatch.from_arrays([*changed.columns, pa.array([1.0])], schema=other))
    writer.close()
    reading = read(settings, folder)
    found: list[Source] = []
    while more := reading.poll():
        found += more
    reading.close()
    assert sum(one.rows for one in found) == 6
    assert len(found) < 6
    assert ["input_new" in one.batch.schema.names for one in found][-1]
    assert not any("input_new" in one.batch.schema.names for one in found[:-1])
    assert found[-1].end == reading.position


def test_what_was_sealed_meanwhile_is_read_from_the_table(settings: Settings, folder: Path) -> None:
    """A reader that was stopped continues through the table to the unsealed segments."""
    writer = SegmentWriter(folder, SCHEMA, settings=settings)
    for number in range(8):
        writer.append(logged("answered", request=f"r{number}"))
        if number % 2:
            writer.rotate()
    reading = read(settings, folder)
    (first,) = reading.poll()
    Sealer(settings, "toy").seal()
    writer.append(logged("answered", request="r8"))
    later = read(settings, folder, first.end)
    for one in (reading, later):
        found: list[str] = []
        while one.position != writer.position:
            found += [request for source in one.poll() for request in source.requests]
        assert found == [f"r{number}" for number in range(1, 9)]
        assert one.poll() == []
        one.close()
    writer.close()


@pytest.mark.parametrize("counts", [[(0, 3), (0, 1)], [(0, 1)], [(0, 3), (0, 2), (4, 0)]])
def test_a_record_names_the_batch_of_its_last_row(counts: list[tuple[int, int]]) -> None:
    """Otherwise the rows would be recorded twice after a restart; also where the row is the only
    one of its batch.
    """
    whole = source(*counts)
    assert str(whole.recorded.offset) == str(whole.addresses()[1].to_pylist()[-1])
