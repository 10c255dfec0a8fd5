"""Timestamps are moved, cut or read in another unit; their numbers have no factor."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnomon.skew.diagnosis.explain import Found
from tests.skew.diagnosis.cases import explained

RNG = np.random.default_rng(5)
N = 600
TIMES = pd.Series(pd.to_datetime(RNG.integers(1_700_000_000, 1_720_000_000, N), unit="s", utc=True))
PART = RNG.random(N) < 0.3


def found(left: pd.Series, right: pd.Series = TIMES) -> Found:
    """The only thing that is found, which is confirmed."""
    (only,) = explained(left, right).found
    assert only.is_confirmed
    return only


@pytest.mark.parametrize(
    ("by", "says"),
    [
        ("17min", "is 17 minutes later than offline"),
        ("-90s", "is 1.5 minutes earlier than offline"),
        ("3D", "is 3 days later than offline"),
    ],
)
def test_a_shift_is_said_as_a_duration(by: str, says: str) -> None:
    """And never as a factor of seconds since 1970."""
    shift = found(TIMES + pd.Timedelta(by))
    assert shift.proposal.cause == "timestamp shift"
    assert shift.proposal.finding == says


def test_a_shift_of_a_part_of_the_rows_is_no_time_zone() -> None:
    """A zone has its hours on all rows."""
    shift = found(TIMES.where(~PART, TIMES + pd.Timedelta("1h")))
    assert shift.proposal.finding == "is 1 hour later than offline"
    assert not shift.is_everywhere


def test_hours_on_all_rows_are_a_time_zone() -> None:
    """One that is named by the contract or familiar."""
    assert found(TIMES + pd.Timedelta("9h")).proposal.cause == "time zone"


def test_daylight_saving_time_alone_is_a_time_zone() -> None:
    """The rows of the winter agree."""
    summer = TIMES.where(pd.Timestamp("2024-03-31T01:00Z") > TIMES, TIMES + pd.Timedelta("1h"))
    zone = found(summer)
    assert zone.proposal.cause == "time zone"
    assert zone.is_everywhere


@pytest.mark.parametrize("unit", ["minute", "hour", "day"])
def test_a_time_that_was_cut(unit: str) -> None:
    """To whole units, the finest that explains it."""
    cut = found(TIMES.dt.floor({"minute": "min", "hour": "h", "day": "D"}[unit]))
    assert cut.proposal.cause == "truncation"
    assert f"cut to whole {unit}s" in cut.proposal.finding


def test_a_time_that_was_rounded_is_not_cut() -> None:
    """Half of the rounded times look cut."""
    rounded = found(TIMES.dt.round("h"))
    assert rounded.proposal.cause == "rounding"
    assert "rounded to whole hours" in rounded.proposal.finding


def test_months_are_no_duration() -> None:
    """31 days here and 30 there have one cause, which is none of these."""
    later = pd.Series([time + pd.DateOffset(months=1) for time in TIMES])
    assert not any(f.is_confirmed for f in explained(later, TIMES).found)


def test_seconds_that_were_read_as_milliseconds() -> None:
    """Everything is in January 1970."""
    early = pd.Series(pd.to_datetime(TIMES.astype("int64") // 10**6, unit="us", utc=True))
    assert early.max() < pd.Timestamp("1970-02-01", tz="UTC")
    wrong = found(early)
    assert wrong.proposal.cause == "unit change"
    assert "as long after 1970" in wrong.proposal.finding
