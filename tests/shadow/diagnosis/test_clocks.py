from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from gnomon.shadow.diagnosis import clocks
from gnomon.shadow.diagnosis.causes import Case, attempts

Floats = npt.NDArray[np.float64]

HOURS = pd.Timestamp("2013-02-20", tz="UTC").timestamp() / 3600 + 5.0 * np.arange(400)
"""Moments every five hours from winter into summer time, as hours since 1970."""


def on_clock(hours: Floats, zone: str) -> pd.Series:
    moments = pd.to_datetime(np.round(hours * 3600), unit="s", utc=True)
    return pd.Series(moments).dt.tz_convert(ZoneInfo(zone))


def hour_of_day(hours: Floats, zone: str) -> Floats:
    return on_clock(hours, zone).dt.hour.to_numpy(dtype=np.float64)


def same(left: Floats, right: Floats) -> npt.NDArray[np.bool_]:
    return np.isclose(left, right, rtol=0, atol=1e-9)


def case_of_hour(online: str, offline: str, **more: object) -> Case:
    """The hour of day, read on the clock of one zone online and of another offline."""
    left, right = hour_of_day(HOURS, online), hour_of_day(HOURS, offline)
    return Case(
        left=left,
        right=right,
        differs=~same(left, right),
        agree=same,
        moments={"at": HOURS},
        moved=lambda feature, rows, to: hour_of_day(to, online),
        **more,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(
    ("online", "offline", "zone", "finding"),
    [
        ("UTC", "America/New_York", "America/New_York",
         "is 4 to 5 hours ahead of offline, as UTC is ahead of America/New_York"),
        ("America/New_York", "UTC", "America/New_York",
         "is 4 to 5 hours behind offline, as America/New_York is behind UTC"),
        ("UTC", "Asia/Kolkata", "Asia/Kolkata",
         "is 5.5 hours behind offline, as UTC is behind Asia/Kolkata"),
        ("UTC", "Asia/Tokyo", "Asia/Tokyo",
         "is 9 hours behind offline, as UTC is behind Asia/Tokyo"),
    ],
)  # fmt: skip
def test_the_zone_is_found_by_moving_the_timestamp(
    online: str, offline: str, zone: str, finding: str
) -> None:
    """Both directions, fixed and changing offsets, whole and half hours; but for a row whose local
    hour the clock change skips, which no moment has."""
    shift = clocks.find(case_of_hour(online, offline))
    assert shift is not None
    assert shift.zone == zone
    assert shift.finding(("online", "offline")) == finding
    assert same(shift.left, hour_of_day(HOURS, offline)).sum() >= len(HOURS) - 1


def test_a_zone_that_the_contract_names_is_named_first() -> None:
    """Of the zones with the same clock, the deployment's own."""
    shift = clocks.find(case_of_hour("UTC", "America/Toronto", zones=("America/Toronto",)))
    assert shift is not None
    assert shift.zone == "America/Toronto"


def test_a_timestamp_column_is_moved_itself() -> None:
    """Local time logged as if it were UTC, on either side."""
    offsets = on_clock(HOURS, "America/New_York").map(
        lambda t: t.utcoffset().total_seconds() / 3600
    )
    local = HOURS + offsets.to_numpy()
    for left, right, word in ((HOURS, local, "ahead of"), (local, HOURS, "behind")):
        case = Case(
            left=left, right=right, differs=~same(left, right), agree=same, is_timestamp=True
        )
        shift = clocks.find(case)
        assert shift is not None
        assert shift.zone == "America/New_York"
        assert f"4 to 5 hours {word} offline" in shift.finding(("online", "offline"))
        assert same(shift.left, right).all()


def test_a_constant_shift_that_wraps_around_midnight_is_a_zone_not_an_offset() -> None:
    """In summer alone New York is four hours off; some hours wrap, and the cause still holds."""
    summer = HOURS + 24.0 * 90
    left, right = hour_of_day(summer, "UTC"), hour_of_day(summer, "America/New_York")
    case = Case(
        left=left,
        right=right,
        differs=~same(left, right),
        agree=same,
        moments={"at": summer},
        moved=lambda feature, rows, to: hour_of_day(to, "UTC"),
    )
    attempt = list(attempts(case))[-1]
    assert (attempt.confirmed, attempt.repair.cause) == (True, "time zone")
    assert attempt.repair.finding.startswith("is 4 hours ahead of offline")


def test_other_differences_are_no_zone() -> None:
    """Hours shuffled between rows, and a column that no timestamp feeds, have no zone."""
    left = hour_of_day(HOURS, "UTC")
    right = np.random.default_rng(5).permutation(left)
    shuffled = Case(
        left=left,
        right=right,
        differs=~same(left, right),
        agree=same,
        moments={"at": HOURS},
        moved=lambda feature, rows, to: hour_of_day(to, "UTC"),
    )
    assert clocks.find(shuffled) is None
    other = Case(left=left, right=left + 1, differs=np.ones(len(left), dtype=bool), agree=same)
    assert clocks.find(other) is None


def test_moments_that_are_null_do_not_stop_the_search() -> None:
    """Rows without a timestamp are left out of it."""
    moments = HOURS.copy()
    moments[::50] = np.nan
    known = np.isfinite(moments)

    def hour(at: Floats) -> Floats:
        found = np.full(len(at), -1.0)
        found[np.isfinite(at)] = hour_of_day(at[np.isfinite(at)], "UTC")
        return found

    left = hour(moments)
    right = np.where(known, np.nan, -1.0)
    right[known] = hour_of_day(moments[known], "Asia/Tokyo")
    case = Case(
        left=left,
        right=right,
        differs=~same(left, right),
        agree=same,
        moments={"at": moments},
        moved=lambda feature, rows, to: hour(to),
    )
    shift = clocks.find(case)
    assert shift is not None
    assert shift.zone == "Asia/Tokyo"
