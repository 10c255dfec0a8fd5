"""The check that timestamps were recent enough for the contract when their request arrived."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt

from gnomon.contract.check.batches import rows_hit
from gnomon.contract.check.column_judge import BrokenRule, Times
from gnomon.contract.check.contract_report import Rule
from gnomon.contract.feature import Feature

__all__ = ["SLACK", "stale"]

SLACK = dt.timedelta(minutes=5)
"""How much clocks may differ: a timestamp may be this long after the arrival of its request.
Kerberos allows the same (RFC 4120, section 3.2.3)."""

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]

_MICROSECOND = dt.timedelta(microseconds=1)
_UNITS = (("days", 86_400), ("hours", 3_600), ("minutes", 60), ("seconds", 1))


def stale(feature: Feature, times: Times, arrived: Times) -> list[BrokenRule]:
    """Find rows whose timestamp is older than the feature's ``max_age``, or after the arrival.

    Args:
        feature: a timestamp with a ``max_age``.
        times: the values of the feature.
        arrived: when each row arrived. Rows without a value or an arrival are left out.
    """
    assert feature.max_age is not None
    age = arrived.micros - times.micros
    known = arrived.known & times.known
    old = known & (age > feature.max_age // _MICROSECOND)
    early = known & (-age > SLACK // _MICROSECOND)
    return [
        _hit("stale", f"at most {feature.max_age} old", old, age, "old"),
        _hit("future", f"at most {SLACK} after arrival", early, -age, "after arrival"),
    ]


def _hit(rule: Rule, expected: str, rows: Mask, age: Places, word: str) -> BrokenRule:
    places = np.flatnonzero(rows)
    seconds = (age[places] // 1_000_000).tolist()
    return rows_hit(rule, expected, "broken", places, [f"{_span(s)} {word}" for s in seconds])


def _span(seconds: int) -> str:
    """Format seconds in the largest unit of which there are at least two."""
    unit, size = next(((u, s) for u, s in _UNITS if seconds >= 2 * s), _UNITS[-1])
    return f"{seconds // size:,} {unit}"
