from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from gnomon.skew.diagnosis.case import Case, Proposal
from gnomon.skew.diagnosis.causes.clocks import UNTOLD, day_and_month, swapped, time_zone
from tests.skew.diagnosis.cases import case, explained, why

Floats = npt.NDArray[np.float64]

HOURS = pd.Timestamp("2013-02-20", tz="UTC").timestamp() / 3600 + 5.0 * np.arange(400)
"""Times every five hours from winter into summer time, as hours since 1970."""


def on_clock(hours: Floats, zone: str) -> pd.Series:
    times = pd.to_datetime(np.round(hours * 3600), unit="s", utc=True)
    return pd.Series(times).dt.tz_convert(ZoneInfo(zone))


def hour_of_day(hours: Floats, zone: str) -> Floats:
    return on_clock(hours, zone).dt.hour.to_numpy(dtype=np.float64)


def case_of_hour(online: str, offline: str, **more: object) -> Case:
    """The hour of day, read on the clock of one zone online and of another offline."""
    return case(
        hour_of_day(HOURS, online),
        hour_of_day(HOURS, offline),
        "step",
        feature_times={"at": HOURS},
        row_times=HOURS,
        moved=lambda feature, rows, to: hour_of_day(to, online),
        **more,
    )


def found(one: Case) -> Proposal | None:
    return next(time_zone(one), None)


@pytest.mark.parametrize(
    ("online", "offline", "finding"),
    [
        ("UTC", "America/New_York",
         "is 4 to 5 hours ahead of offline, as UTC is ahead of America/New_York"),
        ("America/New_York", "UTC",
         "is 4 to 5 hours behind offline, as America/New_York is behind UTC"),
        ("UTC", "Asia/Kolkata", "is 5.5 hours behind offline, as UTC is behind Asia/Kolkata"),
        ("UTC", "Asia/Tokyo", "is 9 hours behind offline, as UTC is behind Asia/Tokyo"),
    ],
)  # fmt: skip
def test_the_zone_is_found_by_moving_the_timestamp(online: str, offline: str, finding: str) -> None:
    """Both directions, fixed and changing offsets, whole and half hours."""
    shift = found(case_of_hour(online, offline))
    assert shift is not None
    assert shift.finding == finding
    assert shift.holds.sum() >= len(HOURS) - 1


def test_a_zone_that_the_contract_names_is_named_first() -> None:
    """The deployment's own zone comes first among those with the same clock."""
    shift = found(case_of_hour("UTC", "America/Toronto", zones=("America/Toronto",)))
    assert shift is not None
    assert "America/Toronto" in shift.finding


def test_summer_time_that_one_side_does_not_keep() -> None:
    """One side uses the winter offset all year, so it differs by an hour in summer."""
    fixed = case(
        hour_of_day(HOURS, "Etc/GMT+5"),
        hour_of_day(HOURS, "America/New_York"),
        "step",
        feature_times={"at": HOURS},
        row_times=HOURS,
        moved=lambda feature, rows, to: hour_of_day(to, "Etc/GMT+5"),
    )
    shift = found(fixed)
    assert shift is not None
    assert "while America/New_York has daylight saving time" in shift.finding


def test_a_timestamp_column_is_moved_itself() -> None:
    """Local time logged as if it were UTC, on either side."""
    by = on_clock(HOURS, "America/New_York").map(lambda t: t.utcoffset().total_seconds() / 3600)
    utc = pd.Series(pd.to_datetime(HOURS * 3600, unit="s", utc=True))
    local = utc + pd.to_timedelta(by.to_numpy(), unit="h")
    for left, right, word in ((utc, local, "ahead of"), (local, utc, "behind")):
        shift = found(case(left, right, row_times=HOURS))
        assert shift is not None
        assert f"4 to 5 hours {word} offline" in shift.finding
        assert shift.holds.all()


def test_an_hour_that_a_client_sends_is_compared_with_its_moment() -> None:
    """Without code to run again, the hours between both values are a zone's offset at each time."""
    left, right = hour_of_day(HOURS, "UTC"), hour_of_day(HOURS, "America/New_York")
    assert why(left, right, row_times=HOURS) == ["time zone"]


def test_day_and_month_exchanged() -> None:
    """Day and month are exchanged where the date stays valid; days from the 13th reveal it."""
    right = pd.Series(pd.to_datetime(HOURS * 3600, unit="s", utc=True))
    to = swapped(HOURS)
    left = pd.Series(
        pd.to_datetime(np.where(np.isfinite(to), to, HOURS) * 3600, unit="s", utc=True)
    )
    one = case(left, right, row_times=HOURS)
    (exchange,) = day_and_month(one)
    assert (exchange.holds & one.differs).sum() == one.differs.sum() > 50
    assert why(left, right, row_times=HOURS) == ["date format"]


def test_other_differences_are_no_zone() -> None:
    """Hours shuffled between rows have no zone."""
    left = hour_of_day(HOURS, "UTC")
    right = np.random.default_rng(5).permutation(left)
    shuffled = case(
        left, right, "step", feature_times={"at": HOURS}, row_times=HOURS,
        moved=lambda feature, rows, to: hour_of_day(to, "UTC"),
    )  # fmt: skip
    assert found(shuffled) is None


TIMES = np.sort(np.random.default_rng(3).uniform(480_000, 484_000, 400))
HOUR = np.floor(TIMES % 24)


def test_a_count_that_is_one_higher_is_no_clock() -> None:
    """Nothing wraps at midnight, so any number may have been counted from another origin."""
    counts = np.random.default_rng(4).poisson(6, 400).astype(float)
    (one,) = explained(counts + 1, counts, row_times=TIMES).found
    assert (one.proposal.cause, one.rivals) == ("constant offset", ())


def test_an_hour_on_a_part_of_the_rows_is_no_daylight_saving_time() -> None:
    """That would be on all rows of the summer."""
    part = np.random.default_rng(5).random(400) < 0.35
    for one in explained(np.where(part, (HOUR + 1) % 24, HOUR), HOUR, row_times=TIMES).found:
        assert "daylight" not in one.proposal.finding


def test_a_day_of_the_week_changes_at_another_midnight() -> None:
    """It is no other order of the days: most rows agree."""
    days = np.floor(TIMES / 24) % 7
    later = np.floor((TIMES + 10) / 24) % 7
    (one,) = explained(later, days, row_times=TIMES).found
    assert (one.proposal.cause, one.is_everywhere) == ("time zone", True)
    assert "10 hours" in one.proposal.finding or UNTOLD in one.proposal.finding
