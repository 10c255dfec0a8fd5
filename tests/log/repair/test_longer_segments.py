"""Segments with more batches than their list of closed segments says."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.log import InferenceLog
from gnomon.log.repair.repair import repair
from gnomon.log.seal import Sealer
from gnomon.log.segments.closed_segments import closed_segments, filled_segments, record_closed
from gnomon.log.segments.layout import Segment, stream_folder, stream_segments
from gnomon.log.segments.tail import SegmentReader
from gnomon.settings import Settings
from gnomon.shadow.accounts.balance import balance
from tests.log.log_files import logged, write_segments
from tests.log.rows import settings


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@pytest.fixture
def ids(setup: Settings) -> list[str]:
    """The requests of one closed segment, a batch each."""
    return write_segments(setup, segments=1, rows=3)


def folder_of(setup: Settings) -> Path:
    return stream_folder(setup, "flights", "a", "requests")


def first_segment(setup: Settings) -> Segment:
    return stream_segments(folder_of(setup))[0]


def ends(segment: Segment) -> list[int]:
    with SegmentReader(segment.path) as reader:
        return [reader.first, *(end for end, _ in reader.batches())]


def list_size(setup: Settings, size: int) -> None:
    folder = folder_of(setup)
    record_closed(folder, {**closed_segments(folder), 0: size}, filled=filled_segments(folder))


def check_complete(setup: Settings, ids: list[str]) -> None:
    """Each row is there once, now and after sealing, and nothing else is wrong."""
    for _ in range(2):
        assert logged(setup) == sorted(ids)
        accounts = balance(InferenceLog(setup, "flights"))
        assert accounts.balanced, accounts.explain()
        Sealer(setup, "flights").seal()
        assert repair(setup, "flights").is_whole


@pytest.mark.parametrize("batches", [0, 1, 2])
def test_the_size_of_another_segment_is_corrected(
    setup: Settings, ids: list[str], batches: int
) -> None:
    """It was taken from a file that was under this name for a while; the old list is kept."""
    list_size(setup, ends(first_segment(setup))[batches])
    done = repair(setup, "flights")
    assert done.lists == (str(folder_of(setup) / "damaged" / "closed.json"),)
    assert not done.lost_rows
    check_complete(setup, ids)


def test_rows_after_those_that_were_sealed_are_added(setup: Settings, ids: list[str]) -> None:
    """An older version of the segment was sealed, and then the complete file was put back."""
    segment = first_segment(setup)
    content, size = segment.path.read_bytes(), ends(segment)[2]
    segment.path.write_bytes(content[:size])
    list_size(setup, size)
    Sealer(setup, "flights").seal()
    assert logged(setup) == sorted(ids[:2])
    segment.path.write_bytes(content)
    list_size(setup, size)
    done = repair(setup, "flights")
    assert done.sealed == {str(segment.path): 1}
    assert not done.lost_rows
    check_complete(setup, ids)


def test_a_batch_that_is_there_twice_is_kept_once(setup: Settings, ids: list[str]) -> None:
    """A disk or a copy repeated a part of the file."""
    segment = first_segment(setup)
    _, begin, end, _ = ends(segment)
    content = segment.path.read_bytes()
    segment.path.write_bytes(content[:end] + content[begin:end] + content[end:])
    done = repair(setup, "flights")
    assert [one.segment for one in done.segments] == [segment.path]
    assert not done.lost_rows
    check_complete(setup, ids)
