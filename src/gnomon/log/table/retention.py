"""The rows that the retention settings no longer keep."""

from __future__ import annotations

import datetime as dt

from gnomon.log.table.log_table import LogTable
from gnomon.settings import Settings

__all__ = ["removal_time"]

_TRIM_TO = 0.9
"""Share of ``GNOMON_RETENTION_BYTES`` to trim to, so that rows are not removed every time."""


def removal_time(settings: Settings, table: LogTable, now: dt.datetime) -> dt.datetime | None:
    """Return the time up to which rows must be removed, inclusive; None if none must be.

    Raises:
        LogError: the table cannot be read.
    """
    times = [_by_age(settings.retention_days, now), _by_size(settings.retention_bytes, table)]
    return max((time for time in times if time is not None), default=None)


def _by_age(days: float, now: dt.datetime) -> dt.datetime | None:
    """Return the end of the newest complete UTC day that is too old."""
    if not days:
        return None
    oldest = (now - dt.timedelta(days=days)).date()
    midnight = dt.datetime.combine(oldest, dt.time(), dt.UTC)
    return midnight - dt.timedelta(microseconds=1)


def _by_size(limit: int, table: LogTable) -> dt.datetime | None:
    """Return the time up to which to remove rows so that nine tenths of the limit remain.

    If only a part of a file must go, the time is interpolated, as if its rows arrived at an even
    rate; the rest of the file is rewritten.
    """
    newest_first = table.files() if limit else []
    if sum(file["size_bytes"] for file in newest_first) <= limit:
        return None
    room = limit * _TRIM_TO
    for file in newest_first:
        if file["size_bytes"] > room:
            begin: dt.datetime = file["min.arrived"]
            end: dt.datetime = file["max.arrived"]
            share: float = room / file["size_bytes"]
            return end - (end - begin) * share
        room -= file["size_bytes"]
    return None
