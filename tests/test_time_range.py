"""A range whose end is before its start holds nothing, and so it is a mistake, at every entry."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

import gnomon
from gnomon.errors import InvalidRequest
from gnomon.rollout.history.past_state import state_at
from gnomon.time_range import check_range

EARLY, LATE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 5, 2, tzinfo=UTC)


def test_ends_are_compared_as_times() -> None:
    """A time without a zone is UTC; one end may be missing, and a range may be empty."""
    check_range(None, EARLY)
    check_range(LATE, None)
    check_range(EARLY, EARLY.replace(tzinfo=None))
    east = timezone(timedelta(hours=2))
    with pytest.raises(InvalidRequest, match=r"start 2026-05-01T00:00:00.00:00 and end"):
        check_range(EARLY, datetime(2026, 5, 1, 1, tzinfo=east))


ENTRIES: dict[str, Callable[..., Any]] = {
    "replay": lambda **range_: gnomon.replay("toy", **range_),
    "compare_offline": lambda **range_: gnomon.compare_offline("toy", "x.csv", **range_),
    "diagnose": lambda **range_: gnomon.diagnose("toy", **range_),
    "measure_drift": lambda **range_: gnomon.measure_drift("toy", **range_),
    "check_leakage": lambda **range_: gnomon.check_leakage("x.csv", label="y", **range_),
    "measure_quality": lambda **range_: gnomon.measure_quality("toy", **range_),
    "estimate_quality": lambda **range_: gnomon.estimate_quality("toy", **range_),
    "wanted_labels": lambda **range_: gnomon.wanted_labels("toy:two", **range_),
    "check_gates_on_history": lambda **range_: gnomon.check_gates_on_history("toy:two", **range_),
    "export_audit": lambda **range_: gnomon.export_audit("toy", **range_),
}


AT_THE_END = [
    datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-14))),
    datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
    datetime(1, 1, 1, tzinfo=UTC),
]


@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("time", AT_THE_END, ids=str)
def test_every_entry_refuses_the_ends_of_the_calendar(entry: str, time: datetime) -> None:
    """To compute with them is an OverflowError."""
    with pytest.raises(InvalidRequest, match="expected a time from 0001-01-02 to 9999-12-30"):
        ENTRIES[entry](start=time)


@pytest.mark.parametrize("time", AT_THE_END, ids=str)
def test_the_state_at_the_end_of_the_calendar_is_refused(time: datetime) -> None:
    """As for ranges."""
    with pytest.raises(InvalidRequest, match="expected a time from 0001-01-02 to 9999-12-30"):
        state_at([], time)


@pytest.mark.parametrize("entry", ENTRIES)
def test_every_entry_refuses_it(entry: str) -> None:
    """Before anything is read: some printed nothing, as if there were no rows."""
    with pytest.raises(InvalidRequest, match="expected a range that ends after it starts"):
        ENTRIES[entry](start=LATE, end=EARLY)
