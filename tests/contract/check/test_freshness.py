"""Ages of timestamps at the arrival of their request."""

from __future__ import annotations

import datetime as dt

import numpy as np

from gnomon.contract import Feature
from gnomon.contract.check.column_judge import Times
from gnomon.contract.check.freshness import SLACK, stale

SEEN = Feature(
    name="seen",
    type="timestamp",
    dtype="datetime64[us, UTC]",
    max_age=dt.timedelta(hours=6),
)
SECOND = 1_000_000
HOURS = 3_600


def times(*seconds: int | None) -> Times:
    """Times in seconds; None is null."""
    known = np.array([second is not None for second in seconds])
    return Times(np.array([(second or 0) * SECOND for second in seconds], dtype=np.int64), known)


def test_too_old_and_too_new_are_told_apart() -> None:
    """At the limits themselves nothing is reported; rows that lack one of the times are
    left out.
    """
    slack = int(SLACK.total_seconds())
    now = 100 * HOURS
    sent_at = times(now - 6 * HOURS, now - 6 * HOURS - 1, now + slack, now + slack + 1, None, 0)
    arrived = times(now, now, now, now, now, None)
    old, early = stale(SEEN, sent_at, arrived)
    assert (old.rule, old.places.tolist(), old.examples) == ("stale", [1], ["6 hours old"])
    assert (early.rule, early.places.tolist(), early.examples) == (
        "future",
        [3],
        ["5 minutes after arrival"],
    )
