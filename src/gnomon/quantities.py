"""Counts, shares, numbers and durations, written for readers.

A share is never rounded to 0% or 100% unless it is exactly that.
"""

from __future__ import annotations

import math

__all__ = [
    "MINUS",
    "count",
    "duration",
    "number",
    "percent",
    "plural",
    "rough_duration",
    "rows",
    "signed",
]

MINUS = "\N{MINUS SIGN}"


def count(n: int) -> str:
    """Write a count, such as ``1,234``."""
    return f"{n:,}"


def rows(n: int) -> str:
    """Write a number of rows, such as ``1 row`` or ``1,234 rows``."""
    return plural(n, "row")


def plural(n: int, noun: str) -> str:
    """Write a count with its noun, such as ``1 column``, ``1,234 columns`` or ``2 batches``."""
    if n != 1:
        noun += "es" if noun.endswith("ch") else "s"
    return f"{n:,} {noun}"


def percent(share: float, decimals: int = 1) -> str:
    """Write a share as a percentage, with as many decimals as keep it off 0% and 100%.

    Args:
        share: 0 to 1.
        decimals: how many at least, before zeros at the end are left out.

    >>> percent(0.995), percent(1.0), percent(0.99996), percent(0.00003)
    ('99.5%', '100%', '99.996%', '0.003%')
    """
    for places in range(decimals, 15):
        text = f"{share * 100:.{places}f}"
        if share in (0.0, 1.0) or float(text) not in (0.0, 100.0):
            return (text.rstrip("0").rstrip(".") if places == decimals else text) + "%"
    return f"{share * 100!r}%"


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


def duration(seconds: float) -> str:
    """Write a duration to three digits, such as ``1 day``, ``2.2 days`` or ``30 seconds``."""
    for unit, size in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        if seconds >= size:
            return _span(seconds / size, unit)
    return _span(seconds, "second")


def rough_duration(seconds: float) -> str:
    """Write about how long something takes, in the largest unit of which there are at least two.

    >>> rough_duration(3), rough_duration(95), rough_duration(3 * 3600), rough_duration(1e6)
    ('3 s', '95 s', '3 h', '12 days')
    """
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def _span(n: float, unit: str) -> str:
    text = f"{n:.3g}" if n < 999.5 else f"{n:,.0f}"
    return f"{text} {unit}" if text == "1" else f"{text} {unit}s"
