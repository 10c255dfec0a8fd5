"""A position in the log tells later which rows were there."""

from __future__ import annotations

from gnomon.log.log_position import LogPosition

POSITION = LogPosition(
    table_version=3, sealed={"here/requests": 4}, unsealed={"here/requests/00000005": 800}
)


def test_rows_before_the_position_are_in_it() -> None:
    """Sealed segments whole, the open one up to its end then, and no other stream."""
    assert POSITION.has("here", "requests", "00000000", 10**6)
    assert POSITION.has("here", "requests", "00000004", 0)
    assert POSITION.has("here", "requests", "00000005", 800)
    assert not POSITION.has("here", "requests", "00000005", 801)
    assert not POSITION.has("here", "requests", "00000006", 0)
    assert not POSITION.has("there", "requests", "00000000", 0)
