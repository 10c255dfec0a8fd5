"""Intervals for counted shares."""

from __future__ import annotations

from gnomon.compare.sequential import rate_interval
from gnomon.report.counts import Share

__all__ = ["share"]


def share(rows: int, of: int, confidence: float) -> Share:
    """Return the share ``rows`` out of ``of``, with an interval valid however often you look.

    >>> found = share(0, 28_330, 0.95)
    >>> found.share, found.high < 0.001
    (0.0, True)
    """
    low, high = rate_interval(rows, of, confidence)
    return Share(rows=rows, of=of, low=low, high=high, confidence=confidence)
