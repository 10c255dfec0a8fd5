"""Reading a stream while it grows."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pytest

from gnomon.errors import LogError
from gnomon.log.segments.ipc_messages import checksummed
from gnomon.log.segments.layout import Position, segment_path, stream_segments
from gnomon.log.segments.schema import message_mark
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.log.segments.tail import SegmentReader, Tail
from gnomon.settings import Settings
from tests.forking import start_python
from tests.log.rows import NOON, REQUESTS_SCHEMA, drain, ids_of, live

SETTINGS = Settings(root="unused")


def poll_ids(tail: Tail, most: int = 256) -> list[str]:
    return ids_of([batch for _, batch in tail.poll(most)])


def test_a_tail_follows_across_rotations(tmp_path: Path) -> None:
    """Each poll gives what was appended since, whichever segment it is in."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    tail = Tail(tmp_path)
    assert poll_ids(tail) == []
    writer.append(live(["a"]))
    assert poll_ids(tail) == ["a"]
    assert poll_ids(tail) == []
    writer.append(live(["b"]))
    writer.rotate()
    writer.rotate()
    writer.append(live(["c"]))
    assert ids_of(drain(tail)) == ["b", "c"]
    assert tail.position == writer.position
    tail.close()
    writer.close()


def test_a_tail_waits_for_a_stream_that_is_not_there(tmp_path: Path) -> None:
    """A shadow may start before its slice has written anything."""
    tail = Tail(tmp_path / "later")
    assert poll_ids(tail) == []
    writer = SegmentWriter(tmp_path / "later", REQUESTS_SCHEMA, settings=SETTINGS)
    writer.append(live(["a"]))
    assert poll_ids(tail) == ["a"]
    tail.close()
    writer.close()


@pytest.mark.parametrize("most", [1, 2, 5])
def test_reading_resumes_at_any_position(tmp_path: Path, most: int) -> None:
    """A new tail at the text of an old one's position misses nothing and repeats nothing."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    for number in range(7):
        writer.append(live([str(number)]))
        if number % 3 == 2:
            writer.rotate()
    rows: list[str] = []
    position = Position(0, 0)
    while True:
        tail = Tail(tmp_path, Position.parse(str(position)))
        new = poll_ids(tail, most)
        position = tail.position
        tail.close()
        if not new:
            break
        assert len(new) <= most
        rows += new
    assert rows == [str(number) for number in range(7)]
    writer.close()


def test_a_batch_half_written_is_not_seen(tmp_path: Path) -> None:
    """A reader waits for the rest of a partial write."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    with SegmentReader(segment_path(tmp_path, 0)) as reader:
        mark = message_mark(reader.schema.metadata, "here")
    assert mark is not None
    data = b"".join(checksummed(live(["a"]).serialize(), mark))
    tail = Tail(tmp_path)
    with segment_path(tmp_path, 0).open("ab", buffering=0) as file:
        file.write(data[:300])
        assert poll_ids(tail) == []
        file.write(data[300:])
        assert poll_ids(tail) == ["a"]
    tail.close()
    writer.close()


def test_a_position_that_was_sealed_away_goes_on_at_the_oldest(tmp_path: Path) -> None:
    """Deleted segments are skipped; what is left is read from its start."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    for name in "abc":
        writer.append(live([name]))
        writer.rotate()
    for sequence in (0, 1):
        segment_path(tmp_path, sequence).unlink()
    tail = Tail(tmp_path, Position(0, 10**6))
    assert poll_ids(tail) == ["c"]
    tail.close()
    writer.close()


def test_a_segment_deleted_under_a_reader_is_read_to_its_end(tmp_path: Path) -> None:
    """The sealer may delete a segment while it is read."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    writer.append(live(["a"]))
    writer.append(live(["b"]))
    tail = Tail(tmp_path)
    assert poll_ids(tail, 1) == ["a"]
    writer.rotate()
    writer.append(live(["c"]))
    segment_path(tmp_path, 0).unlink()
    assert ids_of(drain(tail)) == ["b", "c"]
    tail.close()
    writer.close()


def test_a_tail_keeps_one_file_open(tmp_path: Path) -> None:
    """Following a stream for ever does not use up descriptors."""
    before = len(os.listdir("/proc/self/fd"))
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    tail = Tail(tmp_path)
    for number in range(20):
        writer.append(live([str(number)]))
        writer.rotate()
        poll_ids(tail)
    writer.close()
    assert len(os.listdir("/proc/self/fd")) == before + 1
    tail.close()


@pytest.mark.slow
def test_following_another_process_misses_nothing(tmp_path: Path) -> None:
    """While a writer appends and rotates as fast as it can, each batch comes once, in order."""
    with open(os.devnull, "wb") as nowhere:
        process = start_python(
            ["-m", "tests.log.rows", str(tmp_path / "s"), "w"], stdout=nowhere.fileno()
        )
    rows: list[str] = []
    tail = Tail(tmp_path / "s")
    try:
        while len(rows) < 2_000:
            rows += poll_ids(tail)
            assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        tail.close()
    assert rows == [f"w-{number}" for number in range(len(rows))]
    assert len(stream_segments(tmp_path / "s")) > 10


def test_another_format_is_refused_with_the_file_named(tmp_path: Path) -> None:
    """A segment of a later version is an error, not a guess."""
    later = REQUESTS_SCHEMA.with_metadata({b"gnomon.format": b"4"})
    path = segment_path(tmp_path, 0)
    path.write_bytes(later.serialize())
    with pytest.raises(LogError, match=r"has format 4; .*up to 3 at .*00000000\.arrows"):
        SegmentReader(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    """An Arrow stream that we did not write is not read as a log."""
    path = segment_path(tmp_path, 0)
    path.write_bytes(pa.schema([("a", pa.int64())]).serialize())
    with pytest.raises(LogError, match="expected a log segment"):
        SegmentReader(path)


def test_a_segment_moved_aside_does_not_stop_a_tail(tmp_path: Path) -> None:
    """When an operator takes a damaged segment out, reading goes on after it."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    for name in "abc":
        writer.append(live([name]))
        writer.rotate()
    with segment_path(tmp_path, 1).open("ab") as file:
        file.write(b"damage" * 9)
    tail = Tail(tmp_path)
    assert [poll_ids(tail), poll_ids(tail)] == [["a"], ["b"]]
    with pytest.raises(LogError, match=r"damaged.*00000001"):
        tail.poll()
    segment_path(tmp_path, 1).unlink()
    again = Tail(tmp_path, tail.position)
    assert poll_ids(again) == ["c"]
    for each in (tail, again, writer):
        each.close()


def test_a_segment_of_format_1_is_still_read() -> None:
    """A file as the first version wrote it: rows, types, and how far the shadow had read."""
    path = Path(__file__).parents[1] / "data" / "00000001.arrows"
    with SegmentReader(path) as reader:
        ((_, batch),) = reader.batches()
        metadata = reader.schema.metadata
    assert batch.select(
        ["request_id", "arrived", "unknown", "source_end", "difference", "input_hour"]
    ).to_pylist() == [
        {
            "request_id": request_id,
            "arrived": NOON,
            "unknown": unknown,
            "source_end": 900,
            "difference": 0.25,
            "input_hour": 5,
        }
        for request_id, unknown in (("b", ["x"]), ("c", None))
    ]
    assert metadata[b"gnomon.position"] == b"3:400"
    assert {b"gnomon.model", b"gnomon.slice", b"gnomon.stream", b"gnomon.identity"} <= set(metadata)


def test_a_segment_of_format_2_is_still_read(tmp_path: Path) -> None:
    """A file of the release whose checksums had one mark for all segments; any changed byte is
    noticed.
    """
    path = Path(__file__).parents[1] / "data" / "a" / "requests" / "00000000.arrows"
    with SegmentReader(path) as reader:
        assert reader.schema.metadata[b"gnomon.format"] == b"2"
        batches = [batch for _, batch in reader.batches()]
    assert ids_of(batches) == [f"request-{number}" for number in range(6)]
    copy = tmp_path / "a" / "requests" / path.name
    copy.parent.mkdir(parents=True)
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    copy.write_bytes(content)
    with SegmentReader(copy) as reader, pytest.raises(LogError, match="damaged log segment"):
        reader.verify()
