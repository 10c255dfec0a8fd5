"""Intervals for counted shares."""

from __future__ import annotations

from gnomon.compare.mean_interval import mean_interval
from gnomon.compare.sequential import rate_interval
from gnomon.compare.units import UnitShares
from gnomon.report.counts import Share

__all__ = ["share"]


def share(rows: int, of: int, confidence: float, units: UnitShares | None = None) -> Share:
    """Return the share ``rows`` out of ``of``, with an interval valid however often you look.

    Args:
        units: of which the interval is, if rows may repeat each other.

    >>> found = share(0, 28_330, 0.95)
    >>> found.share, found.high < 0.001
    (0.0, True)
    """
    if units is None:
        low, high = rate_interval(rows, of, confidence)
        return Share(rows=rows, of=of, low=low, high=high, confidence=confidence)
    low, high = mean_interval(units.values, confidence)
    return Share(rows=rows, of=of, low=low, high=high, confidence=confidence, units=units.says)
