"""Times that somebody gives, and ranges of them: the end of one is not before its start."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload

from gnomon.errors import InvalidRequest

__all__ = ["check_range", "check_time", "in_utc"]

_EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
_LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""A day from the ends of the calendar: each time between has its equivalent in every time zone, and
a little before and after it."""


def check_time(time: datetime, where: str | None = None) -> None:
    """Refuse a time at the end of the calendar, which has no equivalent in other time zones.

    Args:
        time: the time; UTC when it has no zone.
        where: its name, for the error.

    Raises:
        InvalidRequest: it is one.

    >>> check_time(datetime(2026, 5, 1))
    >>> check_time(datetime(9999, 12, 31))
    Traceback (most recent call last):
    gnomon.errors.InvalidRequest: expected a time from 0001-01-02 to 9999-12-30 in UTC, got \
9999-12-31T00:00:00+00:00
    """
    if not _EARLIEST <= in_utc(time) <= _LATEST:
        raise InvalidRequest(
            f"expected a time from {_EARLIEST.date()} to {_LATEST.date()} in UTC, got "
            f"{in_utc(time).isoformat()}",
            where=where,
        )


def check_range(start: datetime | None, end: datetime | None) -> None:
    """Refuse a range whose end is before its start: no row could ever be in it.

    Args:
        start: its start; UTC when it has no zone; open without one.
        end: its end, likewise.

    Raises:
        InvalidRequest: the end is before the start, or one is at the end of the calendar.

    >>> check_range(datetime(2026, 5, 1), datetime(2026, 5, 1))
    >>> check_range(datetime(2026, 5, 2), datetime(2026, 5, 1))
    Traceback (most recent call last):
    gnomon.errors.InvalidRequest: expected a range that ends after it starts, got start \
2026-05-02T00:00:00+00:00 and end 2026-05-01T00:00:00+00:00. exchange them, or leave one out
    """
    for name, time in (("start", start), ("end", end)):
        if time is not None:
            check_time(time, name)
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
