"""Segments that were put into the folder of a running writer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.log import InferenceLog, SegmentWriter, new_request_id
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.closed_segments import record_closed
from gnomon.log.segments.layout import stream_folder, stream_segments
from gnomon.log.segments.unlisted_segments import UnlistedSegment
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import logged, seal, write_segment
from tests.log.rows import REQUESTS_SCHEMA, live, settings


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def folder(setup: Settings) -> Path:
    return stream_folder(setup, "flights", "a", "requests")


@pytest.fixture
def backup(setup: Settings, folder: Path, tmp_path: Path) -> Path:
    """The first segments of a stream, copied before they were sealed and forgotten."""
    write_segment(setup)
    copy = shutil.copytree(folder, tmp_path / "backup")
    seal(setup, 3)
    return copy


@pytest.fixture
def writer(setup: Settings, folder: Path, backup: Path) -> Iterator[SegmentWriter]:
    running = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    yield running
    running.close()


def put_back(backup: Path, folder: Path) -> Path:
    """Put the first segment back."""
    return Path(shutil.copy(backup / "00000000.arrows", folder))


def write(writer: SegmentWriter, segments: int = 2) -> None:
    """Write and close segments of a row."""
    for _ in range(segments):
        writer.append(live([new_request_id()]))
        writer.rotate()
        writer.fsync()


def test_a_sealed_segment_that_reappears_does_not_stop_sealing(
    setup: Settings, folder: Path, backup: Path, writer: SegmentWriter
) -> None:
    """Otherwise later segments were silently not sealed, and the disk filled up."""
    write(writer)
    again = put_back(backup, folder)
    write(writer)
    before = logged(setup)
    assert Sealer(setup, "flights").seal() > 2
    assert not again.exists()
    assert logged(setup) == before
    assert balance(InferenceLog(setup, "flights")).balanced


def test_an_unlisted_segment_is_reported(
    setup: Settings, folder: Path, writer: SegmentWriter
) -> None:
    """It has rows that were not sealed. The next writer takes it over."""
    write(writer, 3)
    forgotten, *_, last, _ = stream_segments(folder)
    record_closed(folder, {last.sequence: last.closed or 0}, filled=[last.sequence])
    before = logged(setup)
    with pytest.raises(UnlistedSegment, match="restart the server") as refused:
        Sealer(setup, "flights").seal()
    assert refused.value.where == str(forgotten.path)
    with pytest.raises(UnlistedSegment):
        repair(setup, "flights")
    writer.close()
    assert Sealer(setup, "flights").seal() > 2
    assert logged(setup) == before


def test_a_new_segment_replaces_no_file(
    setup: Settings, folder: Path, writer: SegmentWriter
) -> None:
    """A file was put there under the next number, and a rename would replace its rows."""
    number = writer.position.sequence + 1
    existing = folder / f"{number:08d}.arrows"
    existing.write_bytes(b"a segment of a backup")
    writer.append(live(["a"]))
    writer.rotate()
    assert writer.position.sequence == number + 1
    existing.with_name(f"{number + 2:08d}.arrows").write_bytes(b"another")
    writer.append_apart(writer.write_apart(live(["b"])))
    assert writer.position.sequence == number + 3
    assert existing.read_bytes() == b"a segment of a backup"
    existing.unlink()
    existing.with_name(f"{number + 2:08d}.arrows").unlink()
    assert {"a", "b"} <= set(logged(setup))


def test_a_lock_that_was_deleted_gets_its_identity_back(setup: Settings, folder: Path) -> None:
    """Its segments contain it; with a new one they would belong to an earlier folder."""
    ids = write_segment(setup)
    (folder / "lock").unlink()
    ids += write_segment(setup)
    assert logged(setup) == sorted(ids)
    assert Sealer(setup, "flights").seal() > 1
    assert repair(setup, "flights").is_whole


def test_a_deleted_lock_makes_no_sealed_segment_missing(setup: Settings, folder: Path) -> None:
    """Repair looks for the listed segments before any writer starts."""
    write_segment(setup)
    listed = (folder / "closed.json").read_bytes()
    Sealer(setup, "flights").seal()
    (folder / "closed.json").write_bytes(listed)  # As until the writer closes another segment.
    (folder / "lock").unlink()
    assert repair(setup, "flights").is_whole
    assert balance(InferenceLog(setup, "flights")).balanced
