"""A range of times that somebody gives: its end is not before its start."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from gnomon.errors import InvalidRequest

__all__ = ["check_range", "in_utc"]


def check_range(start: datetime | None, end: datetime | None) -> None:
    """Refuse a range whose end is before its start: no row could ever be in it.

    Args:
        start: its start; UTC when it has no zone; open without one.
        end: its end, likewise.

    Raises:
        InvalidRequest: the end is before the start.

    >>> check_range(datetime(2026, 5, 1), datetime(2026, 5, 1))
    >>> check_range(datetime(2026, 5, 2), datetime(2026, 5, 1))
    Traceback (most recent call last):
    gnomon.errors.InvalidRequest: expected a range that ends after it starts, got start \
2026-05-02T00:00:00+00:00 and end 2026-05-01T00:00:00+00:00. exchange them, or leave one out
    """
    if start is None or end is None or in_utc(start) <= in_utc(end):
        return
    raise InvalidRequest(
        f"expected a range that ends after it starts, got start {in_utc(start).isoformat()} and "
        f"end {in_utc(end).isoformat()}",
        hint="exchange them, or leave one out",
    )


@overload
def in_utc(time: datetime) -> datetime: ...
@overload
def in_utc(time: datetime | None) -> datetime | None: ...


def in_utc(time: datetime | None) -> datetime | None:
    """Return the end of a range as the log reads it: a time without a zone is UTC."""
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)
