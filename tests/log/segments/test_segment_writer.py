"""Writing segments, and taking over from a writer that died."""

from __future__ import annotations

import errno
import os
import random
import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa
import pytest

from gnomon.errors import LogError, LogUnavailable
from gnomon.log.segments.closed_segments import closed_segments
from gnomon.log.segments.layout import Position, StreamBusy, segment_path, stream_segments
from gnomon.log.segments.recovery import recover
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.log.segments.tail import SegmentReader, Tail, read_position
from gnomon.settings import Settings
from tests.forking import start_python
from tests.log.rows import REQUESTS_SCHEMA, SHADOW_SCHEMA, drain, ids_of, live, shadow

SETTINGS = Settings(root="unused", segment_bytes=4_000, segment_seconds=3600)


def read_all(folder: Path) -> list[str]:
    tail = Tail(folder)
    batches = drain(tail)
    tail.close()
    return ids_of(batches)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SegmentWriter]:
    segment_writer = SegmentWriter(tmp_path / "requests", REQUESTS_SCHEMA, settings=SETTINGS)
    yield segment_writer
    segment_writer.close()


def test_a_batch_is_readable_when_append_returns(tmp_path: Path, writer: SegmentWriter) -> None:
    """Nothing is buffered: another reader sees every column of it at once."""
    batch = live(["a", "b"], unknown=[["x"], None])
    end = writer.append(batch)
    with SegmentReader(tmp_path / "requests" / "00000000.arrows") as reader:
        assert list(reader.batches()) == [(end, batch)]


def test_a_segment_is_an_arrow_stream_any_tool_reads(tmp_path: Path, writer: SegmentWriter) -> None:
    """pyarrow alone reads a segment, and its metadata says what it is."""
    writer.append(live(["a"]))
    writer.append(live(["b"]))
    with pa.OSFile(str(tmp_path / "requests" / "00000000.arrows")) as file:
        stream = pa.ipc.open_stream(file)
        assert stream.read_all().column("request_id").to_pylist() == ["a", "b"]
    metadata = stream.schema.metadata
    assert metadata[b"gnomon.format"] == b"3"
    assert metadata[b"gnomon.stream"] == b"requests"
    assert metadata[b"gnomon.slice"] == tmp_path.name.encode()


def test_a_batch_of_another_schema_is_refused(writer: SegmentWriter) -> None:
    """The error names the columns; nothing is written."""
    before = writer.position
    batch = pa.record_batch({"input_hour": [1.5], "more": [1]})
    with pytest.raises(LogError, match=r"`input_hour` \(int64\).* got also `more`"):
        writer.append(batch)
    assert writer.position == before


def test_a_schema_without_our_format_is_refused(tmp_path: Path) -> None:
    """A segment can only be begun with a schema made for the log."""
    with pytest.raises(LogError, match="expected a log segment"):
        SegmentWriter(tmp_path, pa.schema([("a", pa.int64())]), settings=SETTINGS)


def test_dictionary_columns_are_refused(tmp_path: Path) -> None:
    """A dictionary would need a second message per batch, but a batch is one write."""
    schema = REQUESTS_SCHEMA.append(pa.field("d", pa.dictionary(pa.int32(), pa.string())))
    with pytest.raises(LogError, match="got a dictionary in `d`"):
        SegmentWriter(tmp_path, schema, settings=SETTINGS)


def test_rotation_is_due_by_size(writer: SegmentWriter) -> None:
    """Under the size nothing is due; over it the next segment takes the batches."""
    writer.append(live(["a"]))
    assert not writer.needs_rotation
    writer.append(live(["b"], raw=b"x" * 4_000))
    assert writer.needs_rotation
    writer.rotate()
    assert not writer.needs_rotation
    assert writer.position.sequence == 1


def test_rotation_is_due_by_age_only_with_rows(tmp_path: Path) -> None:
    """An empty segment is never too old."""
    old = Settings(root="unused", segment_seconds=1e-9)
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=old)
    assert not writer.needs_rotation
    writer.append(live(["a"]))
    assert writer.needs_rotation
    writer.close()


def test_a_new_contract_begins_a_new_segment(tmp_path: Path, writer: SegmentWriter) -> None:
    """Each segment has one schema; a reader gets each batch with its own."""
    writer.append(live(["a"]))
    other = REQUESTS_SCHEMA.append(pa.field("input_more", pa.string()))
    writer.rotate(other)
    writer.append(live(["b"], other, input_more="m"))
    tail = Tail(tmp_path / "requests")
    batches = drain(tail)
    tail.close()
    assert ids_of(batches) == ["a", "b"]
    assert batches[1].column("input_more").to_pylist() == ["m"]


def test_fsync_runs_beside_appends_and_rotations(writer: SegmentWriter, tmp_path: Path) -> None:
    """A thread that syncs continuously never closes or syncs a wrong file."""
    done = False

    def sync() -> int:
        rounds = 0
        while not done:
            writer.fsync()
            rounds += 1
        return rounds

    with ThreadPoolExecutor(1) as pool:
        rounds = pool.submit(sync)
        for number in range(300):
            if writer.needs_rotation:
                writer.rotate()
            writer.append(live([str(number)]))
        done = True
        assert rounds.result() > 0
    assert read_all(tmp_path / "requests") == [str(number) for number in range(300)]


def test_close_releases_every_file(tmp_path: Path) -> None:
    """No descriptor of a rotated segment stays open."""
    before = len(os.listdir("/proc/self/fd"))
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    for name in "abc":
        writer.append(live([name]))
        writer.rotate()
    writer.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_full_disk_leaves_nothing_torn(tmp_path: Path) -> None:
    """A partial write is undone and refused; a later write succeeds."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    writer.append(live(["a"]))
    before = writer.position
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (before.offset + 100, hard))
    try:
        for _ in range(2):
            with pytest.raises(LogUnavailable, match=r"cannot append.*disk of GNOMON_SPOOL"):
                writer.append(live(["b"]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert segment_path(tmp_path, 0).stat().st_size == before.offset
    writer.append(live(["c"]))
    writer.close()
    assert read_all(tmp_path) == ["a", "c"]


def test_a_disk_too_full_for_a_segment_keeps_the_open_one(tmp_path: Path) -> None:
    """A failed rotation raises, leaves no file behind and changes nothing."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    writer.append(live(["a"]))
    files = sorted(os.listdir(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(LogUnavailable, match="cannot begin a log segment"):
            writer.rotate(SHADOW_SCHEMA)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(os.listdir(tmp_path)) == files
    writer.append(live(["b"]))
    writer.close()
    assert read_all(tmp_path) == ["a", "b"]


def test_a_second_writer_is_refused(writer: SegmentWriter, tmp_path: Path) -> None:
    """The error for two gateways with the same slice name says what to change."""
    with pytest.raises(StreamBusy, match="a different slice name"):
        SegmentWriter(tmp_path / "requests", REQUESTS_SCHEMA, settings=SETTINGS)


def test_recover_leaves_a_living_writer_alone(tmp_path: Path, writer: SegmentWriter) -> None:
    """The open segment of a live writer is not touched, torn or not."""
    writer.append(live(["a"]))
    assert recover(tmp_path / "requests") is False
    assert [s.sequence for s in stream_segments(tmp_path / "requests")] == [0]


@pytest.mark.parametrize("kept", [1, 7, 8, 40, 500, -1])
def test_recover_cuts_a_torn_tail(tmp_path: Path, kept: int) -> None:
    """Whatever a crash left of a batch, the complete batches before it stay, and nothing else."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    end = writer.append(live(["a"]))
    writer.close()
    torn = bytes(live(["b"]).serialize())[:kept]
    path = segment_path(tmp_path, 0)
    with path.open("ab") as file:
        file.write(torn)
    assert recover(tmp_path) is True
    assert path.stat().st_size == end
    assert [s.sequence for s in stream_segments(tmp_path)] == [0, 1]
    assert read_all(tmp_path) == ["a"]


def test_recover_cuts_what_a_power_cut_left(tmp_path: Path) -> None:
    """A tail of zeros, or a file without its schema, comes from unsynced writes."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    end = writer.append(live(["a"]))
    writer.close()
    os.truncate(segment_path(tmp_path, 0), end + 5_000)
    segment_path(tmp_path, 1).touch()
    assert recover(tmp_path) is True
    assert segment_path(tmp_path, 0).stat().st_size == end
    assert read_all(tmp_path) == ["a"]


def test_recover_twice_changes_nothing(tmp_path: Path) -> None:
    """An ended stream stays as it is; no empty segments pile up."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    writer.append(live(["a"]))
    writer.close()
    recover(tmp_path)
    files = sorted(os.listdir(tmp_path))
    recover(tmp_path)
    assert sorted(os.listdir(tmp_path)) == files


@pytest.mark.parametrize("damage", ["a byte", "a length", "zeros", "cut short"])
def test_damage_is_not_treated_as_a_torn_end(tmp_path: Path, damage: str) -> None:
    """Rows that were on disk and have changed are kept and reported to readers; the stream
    continues in the next segment.
    """
    folder = tmp_path / "requests"
    writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=SETTINGS)
    ends = [writer.append(live([name])) for name in "abc"]
    writer.close()
    path = segment_path(folder, 0)
    content = bytearray(path.read_bytes())
    if damage == "a byte":
        content[ends[1] - 3] ^= 1
    elif damage == "a length":
        content[ends[0] + 4 : ends[0] + 8] = (1 << 24).to_bytes(4, "little")
    elif damage == "zeros":
        content[ends[0] :] = bytes(len(content) - ends[0])
    else:
        del content[ends[1] :]
    path.write_bytes(content)
    again = SegmentWriter(folder, REQUESTS_SCHEMA, settings=SETTINGS)
    again.append(live(["d"]))
    again.close()
    assert path.read_bytes() == content
    with pytest.raises(LogError, match=r"damaged log segment.*00000000\.arrows.*log repair"):
        read_all(folder)


def test_recover_cuts_unsynced_damage_after_a_power_loss(tmp_path: Path) -> None:
    """The end of the open segment may contain anything; synced rows are there."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    end = writer.append(live(["a"]))
    writer.fsync()
    writer.append(live(["b"]))
    path = segment_path(tmp_path, 0)
    content = path.read_bytes()
    os.close(writer._lock._descriptor)  # as a process that is gone
    path.write_bytes(content[: end + 8] + b"neither zeros nor a batch")
    again = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    again.append(live(["c"]))
    again.close()
    assert path.stat().st_size == end
    assert read_all(tmp_path) == ["a", "c"]


def test_a_segment_is_closed_only_when_it_is_on_disk(tmp_path: Path) -> None:
    """Rotation alone closes nothing; the next sync does, with the size."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    end = writer.append(live(["a"]))
    writer.rotate()
    assert closed_segments(tmp_path) == {}
    writer.fsync()
    assert closed_segments(tmp_path) == {0: end}
    writer.close()


def test_a_segment_is_not_used_after_a_failed_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a failed sync the next may succeed without the bytes being on disk."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    writer.append(live(["a"]))
    real = os.fdatasync

    def refuse(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fdatasync", refuse)
    with pytest.raises(LogUnavailable, match="cannot sync the log"):
        writer.fsync()
    monkeypatch.setattr(os, "fdatasync", real)
    with pytest.raises(LogUnavailable, match="cannot sync the log"):
        writer.fsync()
    writer.rotate()
    writer.append(live(["b"]))
    with pytest.raises(LogUnavailable, match="cannot sync the log"):
        writer.close()
    assert closed_segments(tmp_path) == {}
    assert read_all(tmp_path) == ["a", "b"]


def test_the_next_writer_goes_on_after_the_last(tmp_path: Path) -> None:
    """A restart never uses a segment's number twice and loses no batch."""
    for name in "abc":
        writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
        writer.append(live([name]))
        writer.close()
    assert [s.sequence for s in stream_segments(tmp_path)] == [0, 1, 2]
    assert read_all(tmp_path) == ["a", "b", "c"]


def test_a_shadow_knows_how_far_it_read(tmp_path: Path) -> None:
    """The position is the last batch's, and is carried into every segment after it."""
    assert read_position(tmp_path) is None
    writer = SegmentWriter(tmp_path, SHADOW_SCHEMA, settings=SETTINGS)
    assert read_position(tmp_path) is None
    writer.append(shadow(["a"], Position(0, 900)))
    assert read_position(tmp_path) == Position(0, 900)
    writer.rotate()
    segment_path(tmp_path, 0).unlink()
    assert read_position(tmp_path) == Position(0, 900)
    writer.rotate(read_to=Position(2, 50))
    assert read_position(tmp_path) == Position(0, 900)
    writer.fsync()
    assert read_position(tmp_path) == Position(2, 50)
    writer.close()
    SegmentWriter(tmp_path, SHADOW_SCHEMA, settings=SETTINGS).close()
    assert read_position(tmp_path) == Position(2, 50)


@pytest.mark.parametrize("recovers", [True, False])
def test_rows_that_a_loss_of_power_took_were_not_read(tmp_path: Path, recovers: bool) -> None:
    """The segment after them may be left, and says that they were: its shadow scores them again."""
    writer = SegmentWriter(tmp_path, SHADOW_SCHEMA, settings=SETTINGS)
    writer.append(shadow(["a"], Position(0, 900)))
    writer.fsync()
    size = segment_path(tmp_path, 0).stat().st_size
    writer.append(shadow(["b"], Position(0, 1_800)))
    writer.rotate()
    os.truncate(segment_path(tmp_path, 0), size)
    os.close(writer._lock._descriptor)  # as a process that is gone
    assert read_position(tmp_path) == Position(0, 900)
    if recovers:
        recover(tmp_path)
    else:
        SegmentWriter(tmp_path, SHADOW_SCHEMA, settings=SETTINGS).close()
    assert read_position(tmp_path) == Position(0, 900)


def test_recover_keeps_how_far_a_shadow_read(tmp_path: Path) -> None:
    """The segment that recovery adds tells the position of the dead writer's last batch."""
    writer = SegmentWriter(tmp_path, SHADOW_SCHEMA, settings=SETTINGS)
    writer.append(shadow(["a"], Position(0, 900)))
    writer.close()
    recover(tmp_path)
    segment_path(tmp_path, 0).unlink()
    assert read_position(tmp_path) == Position(0, 900)


@pytest.mark.slow
def test_acknowledged_appends_survive_kill_9(tmp_path: Path) -> None:
    """Twenty writers are killed at random; every batch that they acknowledged is there once."""
    folder = tmp_path / "requests"
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    acknowledged: list[str] = []
    for life in range(20):
        read_end, write_end = os.pipe()
        process = start_python(["-m", "tests.log.rows", str(folder), str(life)], stdout=write_end)
        os.close(write_end)
        with open(read_end) as output:
            for _ in range(chance.randrange(1, 400)):
                acknowledged.append(output.readline().strip())
            process.kill()
            acknowledged += output.read().split("\n")[:-1]
        process.wait()
    recover(folder)
    rows = read_all(folder)
    assert len(rows) == len(set(rows)), f"seed {seed}"
    assert set(acknowledged) <= set(rows), f"seed {seed}"
    assert len(rows) - len(acknowledged) <= 20, f"seed {seed}"


def test_a_batch_written_apart_comes_after_what_is_appended_meanwhile(
    tmp_path: Path, writer: SegmentWriter
) -> None:
    """No reader sees it before it is added; then it begins a segment that continues as any
    other, also for the next writer.
    """
    folder = tmp_path / "requests"
    with ThreadPoolExecutor(1) as thread:
        written = thread.submit(writer.write_apart, live(["large"])).result()
    writer.append(live(["a"]))
    assert read_all(folder) == ["a"]
    writer.append_apart(written)
    writer.append(live(["b"]))
    writer.fsync()
    assert read_all(folder) == ["a", "large", "b"]
    assert [segment.sequence for segment in stream_segments(folder)] == [0, 1]
    assert set(closed_segments(folder)) == {0}
    writer.close()
    SegmentWriter(folder, REQUESTS_SCHEMA, settings=SETTINGS).close()
    assert read_all(folder) == ["a", "large", "b"]


def test_a_batch_written_apart_and_never_added_leaves_nothing(
    tmp_path: Path, writer: SegmentWriter
) -> None:
    """The process ends before its answer is sent; the next writer removes the file."""
    folder = tmp_path / "requests"
    writer.write_apart(live(["large"]))
    writer.append(live(["a"]))
    writer.close()
    SegmentWriter(folder, REQUESTS_SCHEMA, settings=SETTINGS).close()
    assert not list(folder.glob(".large*"))
    assert read_all(folder) == ["a"]


def test_a_refused_batch_written_apart_leaves_nothing(
    tmp_path: Path, writer: SegmentWriter
) -> None:
    """The disk has no room for it; the log is unchanged, and the next batch is accepted."""
    folder = tmp_path / "requests"
    writer.append(live(["a"]))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(LogUnavailable, match="cannot append"):
            writer.write_apart(live(["large"]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(folder.glob(".large*"))
    writer.append_apart(writer.write_apart(live(["b"])))
    assert read_all(folder) == ["a", "b"]


def test_a_batch_written_apart_that_gets_no_name_is_not_in_the_log(
    tmp_path: Path, writer: SegmentWriter
) -> None:
    """Its file is gone when it is to be named; the open segment continues."""
    folder = tmp_path / "requests"
    written = writer.write_apart(live(["large"]))
    (leftover,) = folder.glob(".large*")
    leftover.unlink()
    with pytest.raises(LogUnavailable, match="cannot begin a log segment"):
        writer.append_apart(written)
    writer.append(live(["a"]))
    assert read_all(folder) == ["a"]


def test_a_batch_written_apart_may_be_of_an_earlier_schema(
    tmp_path: Path, writer: SegmentWriter
) -> None:
    """A promotion happens while it is written: it has a segment with its own schema, and the new
    artifact uses the next.
    """
    written = writer.write_apart(live(["large"]))
    other = live(["a"]).append_column("input_more", pa.array([1]))
    writer.rotate(other.schema)
    writer.append(other)
    writer.append_apart(written)
    with pytest.raises(LogError, match="input_more"):
        writer.append(other)
    writer.rotate(other.schema)
    writer.append(other)
    assert read_all(tmp_path / "requests") == ["a", "large", "a"]


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The inodes of files and folders that were forced to disk."""
    inodes: set[int] = set()

    def noted(sync: Callable[[int], None]) -> Callable[[int], None]:
        def force(descriptor: int) -> None:
            sync(descriptor)
            inodes.add(os.fstat(descriptor).st_ino)

        return force

    for name in ("fsync", "fdatasync"):
        monkeypatch.setattr(os, name, noted(getattr(os, name)))
    return inodes


def test_a_sync_forces_every_segment_and_their_folder_to_disk(
    tmp_path: Path, synced: set[int]
) -> None:
    """Also those that were finished since the last one: their rows were acknowledged too."""
    writer = SegmentWriter(tmp_path, REQUESTS_SCHEMA, settings=SETTINGS)
    writer.append(live(["a"]))
    synced.clear()
    writer.fsync()
    assert {path.stat().st_ino for path in (tmp_path, segment_path(tmp_path, 0))} <= synced
    writer.append(live(["b"]))
    writer.rotate()
    writer.append(live(["c"]))
    writer.rotate()
    writer.append(live(["d"]))
    synced.clear()
    writer.fsync()
    segments = [segment_path(tmp_path, sequence) for sequence in range(3)]
    assert {path.stat().st_ino for path in (tmp_path, *segments)} <= synced
    writer.close()
