"""Which rows the retention settings no longer keep."""

from __future__ import annotations

import datetime as dt

from gnomon.log.table import LogTable
from gnomon.settings import Settings

__all__ = ["removal_time"]

_TRIM_TO = 0.9
"""Of ``GNOMON_RETENTION_BYTES``; a tenth is given up so that rows are not removed every time."""


def removal_time(settings: Settings, table: LogTable, now: dt.datetime) -> dt.datetime | None:
    """Rows that arrived at this time or before are to be removed; None if none are.

    Raises:
        LogError: the table cannot be read.
    """
    times = [_by_age(settings.retention_days, now), _by_size(settings.retention_bytes, table)]
    return max((time for time in times if time is not None), default=None)


def _by_age(days: float, now: dt.datetime) -> dt.datetime | None:
    """The end of the newest whole UTC day that is over the age."""
    if not days:
        return None
    oldest = (now - dt.timedelta(days=days)).date()
    midnight = dt.datetime.combine(oldest, dt.time(), dt.UTC)
    return midnight - dt.timedelta(microseconds=1)


def _by_size(limit: int, table: LogTable) -> dt.datetime | None:
    """The time before which the oldest rows go until the files hold nine tenths of the limit.

    A file is cut at the time up to which, at an even rate, its share of the bytes goes; what is
    left of it is rewritten.
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
