"""Rows that are not sealed yet, and closing their segments."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gnomon.errors import LogUnavailable
from gnomon.log.open_segments import close_now, open_segments
from gnomon.log.seal import Sealer
from gnomon.log.segments.layout import CLOSE, stream_folder
from gnomon.log.segments.segment_writer import SegmentWriter
from gnomon.settings import Settings
from tests.log.rows import REQUESTS_SCHEMA, live, settings


@pytest.fixture
def setup(tmp_path: Path) -> Settings:
    return settings(tmp_path)


@contextmanager
def writer(setup: Settings, slice_name: str = "a") -> Iterator[SegmentWriter]:
    """A stream that is written, two rows in it."""
    folder = stream_folder(setup, "flights", slice_name, "requests")
    segment_writer = SegmentWriter(folder, REQUESTS_SCHEMA, settings=setup)
    segment_writer.append(live(["a", "b"]))
    try:
        yield segment_writer
    finally:
        segment_writer.close()


def served(segment_writer: SegmentWriter, ended: threading.Event) -> None:
    """What a gateway does again and again."""
    while not ended.wait(0.02):
        if segment_writer.needs_rotation:
            segment_writer.rotate()
        segment_writer.fsync()


def test_rows_of_open_segments_are_counted(setup: Settings) -> None:
    """They are counted by stream; closed segments and those without rows are not listed."""
    with writer(setup), writer(setup, "b") as other:
        other.append(live(["c"]))
        assert sorted(segment.rows for segment in open_segments(setup, "flights")) == [2, 3]
        other.rotate()
        (left,) = open_segments(setup, "flights")
        assert (left.folder.parent.name, left.sequence, left.rows) == ("a", 0, 2)


def test_a_writer_closes_when_it_is_asked(setup: Settings) -> None:
    """Once: what comes later is in the next segment until that is due."""
    with writer(setup) as segment_writer:
        ended = threading.Event()
        thread = threading.Thread(target=served, args=(segment_writer, ended))
        thread.start()
        try:
            close_now(setup, "flights")
        finally:
            ended.set()
            thread.join()
        assert open_segments(setup, "flights") == []
        assert Sealer(setup, "flights").seal() == 1
        segment_writer.append(live(["c"]))
        assert not segment_writer.needs_rotation


def test_a_writer_that_does_not_answer_is_named(setup: Settings) -> None:
    """It is stopped, or its disk is full."""
    with writer(setup), pytest.raises(LogUnavailable, match=r"2 rows within 0\.2 s.*requests"):
        close_now(setup, "flights", seconds=0.2)


def test_a_segment_of_a_dead_writer_is_closed_at_once(setup: Settings) -> None:
    """No writer has to be asked."""
    with writer(setup) as segment_writer:
        pass
    close_now(setup, "flights")
    assert open_segments(setup, "flights") == []
    assert not list(Path(segment_writer._folder).glob(CLOSE))
    assert Sealer(setup, "flights").seal() == 1


def test_a_close_request_that_cannot_be_removed_is_ignored(setup: Settings) -> None:
    """If a folder has that name, rotating for each request would fill the spool."""
    with writer(setup) as segment_writer:
        (Path(segment_writer._folder) / CLOSE).mkdir()
        assert not segment_writer.needs_rotation
