"""Format counts, shares, values and times for readers.

A share is never rounded to 0% or 100% unless it is exactly that, and two values that differ are
never written in the same way.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from gnomon.report.counts import Share, Value
from gnomon.report.model import Axis

__all__ = [
    "axis",
    "count",
    "duration",
    "interval",
    "number",
    "pair",
    "percent",
    "plural",
    "rows",
    "seconds",
    "signed",
    "timestamp",
    "utc_time",
    "value",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUS = "\N{MINUS SIGN}"


def count(n: int) -> str:
    """Write a count, such as ``1,234``."""
    return f"{n:,}"


def rows(n: int) -> str:
    """Write a number of rows, such as ``1 row`` or ``1,234 rows``."""
    return plural(n, "row")


def plural(n: int, noun: str) -> str:
    """Write a count with its noun, such as ``1 column`` or ``1,234 columns``."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def percent(share: float) -> str:
    """Write a share as a percentage, with one decimal, or as many as keep it off 0% and 100%.

    >>> percent(0.995), percent(1.0), percent(0.99996), percent(0.00003)
    ('99.5%', '100%', '99.996%', '0.003%')
    """
    for decimals in range(1, 15):
        text = f"{share * 100:.{decimals}f}"
        if share in (0.0, 1.0) or float(text) not in (0.0, 100.0):
            return (text.rstrip("0").rstrip(".") if decimals == 1 else text) + "%"
    return f"{share * 100!r}%"


def interval(share: Share) -> str:
    """Write the interval of a share, such as ``99.4% to 99.6%``."""
    return f"{percent(share.low)} to {percent(share.high)}"


def number(x: float, digits: int = 6) -> str:
    """Write a number with thousands separators and at most ``digits`` significant digits.

    >>> number(28330.0), number(0.0500001), number(1.5e-9)
    ('28,330', '0.0500001', '1.5e-9')
    """
    if not math.isfinite(x):
        return str(x)
    if float(x).is_integer() and abs(x) < 1e15:
        return f"{int(x):,}"
    return f"{x:,.{digits}g}".replace("e-0", "e-").replace("e+0", "e+")


def signed(x: float, digits: int = 4) -> str:
    """Write a difference with its sign; zero has none."""
    text = number(abs(x), digits)
    return text if x == 0 else f"{'+' if x > 0 else MINUS}{text}"


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


def duration(seconds: float) -> str:
    """Write a duration to three digits, such as ``1 day``, ``2.2 days`` or ``30 seconds``."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return _span(seconds / size, unit)
    return _span(seconds, "second")


def _span(n: float, unit: str) -> str:
    text = f"{n:.3g}" if n < 999.5 else f"{n:,.0f}"
    return f"{text} {unit}" if text == "1" else f"{text} {unit}s"


def seconds(iso: str) -> float:
    """Convert an ISO 8601 time to seconds since 1970."""
    return datetime.fromisoformat(iso).timestamp()


def axis(what: Axis) -> str:
    """Write an axis with its unit, such as ``distance (mile)``."""
    return f"{what.label} ({what.unit})" if what.unit else what.label
