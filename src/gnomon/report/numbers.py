"""Format the values, intervals, axes and times of a report for readers.

Two values that differ are never written in the same way.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from gnomon.quantities import number, percent
from gnomon.report.counts import Share, Value
from gnomon.report.model import Axis

__all__ = [
    "axis",
    "interval",
    "pair",
    "seconds",
    "timestamp",
    "utc_time",
    "value",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def interval(share: Share) -> str:
    """Write the interval of a share, such as ``99.4% to 99.6%``."""
    return f"{percent(share.low)} to {percent(share.high)}"


def value(v: Value) -> str:
    """Write a value for a table cell."""
    if v is None:
        return "null"
    if isinstance(v, bool):
        return str(v).lower()
    return number(v) if isinstance(v, int | float) else str(v)


def pair(left: Value, right: Value) -> tuple[str, str]:
    """Write two values side by side, in full where their short forms would be the same.

    >>> pair(0.1, 0.1 + 1e-9)
    ('0.1', '0.100000001')
    """
    short = value(left), value(right)
    if left == right or short[0] != short[1]:
        return short
    return str(left), str(right)


def utc_time(iso: str, seconds: float = 1.0) -> str:
    """Write an ISO 8601 time as ``2013-04-01 09:00``, in the resolution of ``seconds``."""
    time = datetime.fromisoformat(iso).astimezone(UTC)
    if seconds >= 86_400:
        return time.strftime("%Y-%m-%d")
    return time.strftime("%Y-%m-%d %H:%M" if seconds >= 60 else "%Y-%m-%d %H:%M:%S")


def timestamp(seconds: float) -> str:
    """Write seconds since 1970 as ISO 8601 in UTC, to the second.

    >>> timestamp(1364807700.0)
    '2013-04-01T09:15:00Z'
    """
    return (_EPOCH + timedelta(seconds=round(seconds))).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(iso: str) -> float:
    """Convert an ISO 8601 time to seconds since 1970."""
    return datetime.fromisoformat(iso).timestamp()


def axis(what: Axis) -> str:
    """Write an axis with its unit, such as ``distance (mile)``."""
    return f"{what.label} ({what.unit})" if what.unit else what.label
