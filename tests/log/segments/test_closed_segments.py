"""The list of closed segments of a stream."""

from __future__ import annotations

from pathlib import Path

import pytest

from gnomon.errors import LogError, NewerLog
from gnomon.log.segments.closed_segments import closed_segments, record_closed, set_aside


def test_a_list_is_read_without_deleted_segments(tmp_path: Path) -> None:
    """Sizes by number; segments before the oldest are left out."""
    assert closed_segments(tmp_path) == {}
    record_closed(tmp_path, {3: 900, 1: 70, 2: 80}, oldest=2)
    assert list(closed_segments(tmp_path).items()) == [(2, 80), (3, 900)]
    record_closed(tmp_path, {4: 10}, oldest=4)
    assert closed_segments(tmp_path) == {4: 10}


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", LogError),
        (b"\0" * 40, LogError),
        (b'{"format": 1, "bytes": {"1": "far"}}', LogError),
        (b'{"format": 99, "bytes": {}}', NewerLog),
    ],
)
def test_an_unreadable_list_is_not_treated_as_missing(
    tmp_path: Path, content: bytes, error: type[LogError]
) -> None:
    """Without it, damage in a closed segment would pass for a torn end."""
    (tmp_path / "closed.json").write_bytes(content)
    with pytest.raises(error, match=r"closed\.json"):
        closed_segments(tmp_path)


def test_a_damaged_list_is_set_aside_and_kept(tmp_path: Path) -> None:
    """It is kept for an inspection; the stream then has none."""
    (tmp_path / "closed.json").write_bytes(b"damaged")
    place = set_aside(tmp_path)
    assert place.read_bytes() == b"damaged"
    assert place.is_relative_to(tmp_path / "damaged")
    assert closed_segments(tmp_path) == {}
