"""Reading a stream out of the table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from gnomon.log import Position, SegmentWriter, stream_folder
from gnomon.log.seal import Sealer
from gnomon.log.sealed_stream import sealed_batches
from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings
from tests.log.rows import REQUESTS_SCHEMA, ids_of, live, settings

WORDS = REQUESTS_SCHEMA.set(
    REQUESTS_SCHEMA.get_field_index("input_hour"), pa.field("input_hour", pa.string())
)


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


def requests(setup: Settings, slice_name: str = "a") -> Path:
    return stream_folder(setup, "flights", slice_name, "requests")


def write(setup: Settings, slice_name: str = "a") -> list[tuple[Position, pa.RecordBatch]]:
    """Three segments, the last of another schema, sealed; what was written."""
    writer = SegmentWriter(requests(setup, slice_name), REQUESTS_SCHEMA, settings=setup)
    written = []
    for schema, hour in ((REQUESTS_SCHEMA, 5), (REQUESTS_SCHEMA, 6), (WORDS, "seven")):
        writer.rotate(schema)
        writer.fsync()
        for part in ("x", "y"):
            ids = [f"{slice_name}-{hour}-{part}-{n}" for n in range(2)]
            batch = live(ids, schema, input_hour=hour)
            writer.append(batch)
            written.append((writer.position, batch))
    writer.close()
    Sealer(setup, "flights").seal()
    return written


def test_batches_come_out_as_they_were_logged(setup: Settings) -> None:
    """Position for position, of this slice only, with the type each column had."""
    written = write(setup)
    write(setup, "b")
    table = LogTable(setup, "flights")
    batches = list(sealed_batches(table, requests(setup), Position(0, 0), 4))
    assert [position for position, _ in batches] == [position for position, _ in written]
    for (_, batch), (_, logged) in zip(batches, written, strict=True):
        for name in ("request_id", "row", "outcome", "raw", "input_hour", "output_prediction"):
            assert batch.column(name).equals(logged.column(name)), name


def test_reading_begins_and_ends_anywhere(setup: Settings) -> None:
    """After a batch in the middle of a segment, up to a segment that is not wanted."""
    written = write(setup)
    batches = sealed_batches(LogTable(setup, "flights"), requests(setup), written[0][0], 3)
    assert ids_of([batch for _, batch in batches]) == ids_of([b for _, b in written[1:4]])


def test_compaction_changes_nothing(setup: Settings) -> None:
    """Files are joined and rows may move; the order of writing is kept with each row."""
    before = ids_of([batch for _, batch in write(setup)])
    Sealer(setup, "flights").maintain()
    batches = sealed_batches(LogTable(setup, "flights"), requests(setup), Position(0, 0), 9)
    assert ids_of([batch for _, batch in batches]) == before


def test_an_unsealed_stream_has_no_batches(setup: Settings) -> None:
    """No table, or no such segments: no batches."""
    assert (
        list(sealed_batches(LogTable(setup, "flights"), requests(setup), Position(0, 0), 9)) == []
    )
    write(setup)
    assert (
        list(sealed_batches(LogTable(setup, "flights"), requests(setup), Position(7, 0), 9)) == []
    )
