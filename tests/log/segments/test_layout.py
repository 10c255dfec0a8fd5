"""Folders, names and positions."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.errors import LogError
from gnomon.log.segments.layout import (
    Position,
    StreamBusy,
    StreamLock,
    segment_path,
    shadow_stream,
    stream_folder,
    stream_segments,
)
from gnomon.settings import Settings


@given(st.integers(0, 10**8 - 1), st.integers(0, 2**62))
def test_a_position_survives_its_text(sequence: int, offset: int) -> None:
    """``parse`` takes back what ``str`` wrote."""
    position = Position(sequence, offset)
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize("text", ["", "3", "3:", ":4", "a:1", "1:-2", "1:2:3"])
def test_a_text_that_is_not_a_position_is_refused(text: str) -> None:
    """The error shows a good one."""
    with pytest.raises(LogError, match="expected a position like `3:1024`"):
        Position.parse(text)


def test_positions_sort_like_segment_names() -> None:
    """A later position has a later segment name, so SQL may compare names."""
    assert Position(9, 5) < Position(10, 0)
    assert Position(9, 5).segment < Position(10, 0).segment


def test_streams_lie_under_spool_model_and_slice(tmp_path: Path) -> None:
    """The layout is the one the docs give."""
    settings = Settings(root=str(tmp_path))
    folder = stream_folder(settings, "flights", "a", shadow_stream("7"))
    assert folder == tmp_path / "spool" / "flights" / "a" / "shadow-7"


def test_a_segment_that_is_missing_hides_no_other(tmp_path: Path) -> None:
    """An operator may move a damaged segment away; later ones are still read."""
    for sequence in (3, 4, 6):
        segment_path(tmp_path, sequence).touch()
    assert [segment.sequence for segment in stream_segments(tmp_path)] == [3, 4, 6]


def test_a_missing_folder_has_no_segments(tmp_path: Path) -> None:
    """A stream that was never written is empty."""
    assert stream_segments(tmp_path / "none") == []


def test_one_process_writes_a_stream(tmp_path: Path) -> None:
    """The second process gets an error, and can write when the first has ended."""
    first = StreamLock(tmp_path)
    with pytest.raises(StreamBusy, match="another process is writing this stream"):
        StreamLock(tmp_path)
    first.close()
    second = StreamLock(tmp_path)
    assert second.identity == first.identity
    second.close()


def test_folders_have_different_identities(tmp_path: Path) -> None:
    """A folder that is created again is another stream."""
    locks = [StreamLock(tmp_path / name) for name in ("a", "b")]
    assert locks[0].identity != locks[1].identity
    for lock in locks:
        lock.close()


@pytest.mark.parametrize(
    "name",
    [
        *("00000000 (copy).arrows", ".00000000.arrows", "abc.arrows", "0.arrows", "-1.arrows"),
        *(
            "000000001.arrows",
            "9" * 30 + ".arrows",
            "\u0660" * 8 + ".arrows",
            "00000001.arrows.tmp",
        ),
    ],
)
def test_other_files_beside_segments_are_ignored(tmp_path: Path, name: str) -> None:
    """Files of a person or a tool in the folder are ignored, and use no number."""
    (tmp_path / "00000000.arrows").write_bytes(b"")
    (tmp_path / name).write_bytes(b"x")
    assert [segment.sequence for segment in stream_segments(tmp_path)] == [0]


def test_folders_pipes_and_links_are_not_segments(tmp_path: Path) -> None:
    """A folder, a pipe or a link of such a name is never opened."""
    (tmp_path / "00000001.arrows").mkdir()
    os.mkfifo(tmp_path / "00000002.arrows")
    (tmp_path / "00000003.arrows").symlink_to("/dev/zero")
    assert stream_segments(tmp_path) == []
