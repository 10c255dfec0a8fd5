"""The findings of several columns of one step are consistent with each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.skew.diagnosis.cause_findings import CauseFinding, gather
from gnomon.skew.diagnosis.root_divergences import Root
from tests.skew.diagnosis.cases import case

Floats = npt.NDArray[np.float64]

WEEKS = 7
TIMES = np.sort(np.random.default_rng(0).uniform(455_000, 455_000 + WEEKS * 168, 500)).round(3)


def calendar(times: Floats, zone: str) -> dict[str, Floats]:
    """What a step takes from a timestamp on the clock of a zone."""
    seconds = pd.Series(pd.to_datetime((times * 3600).round().astype("int64"), unit="s", utc=True))
    at = seconds.dt.tz_convert(zone).dt
    parts = {"hour": at.hour, "weekday": at.day_of_week, "month": at.month}
    return {name: part.to_numpy(float) for name, part in parts.items()}


def findings(online: str, offline: str, *columns: str) -> list[CauseFinding]:
    """What is found in a calendar step that reads another clock."""
    left, right = calendar(TIMES, online), calendar(TIMES, offline)
    cases = []
    for name in columns:

        def moved(_: str, places: npt.NDArray[np.int64], times: Floats, name: str = name) -> Floats:
            assert len(places) == len(times)
            return calendar(times, online)[name]

        one = case(
            left[name],
            right[name],
            "step",
            row_times=TIMES,
            feature_times={"at": TIMES},
            moved=moved,
        )
        cases.append(replace(one, column=f"calendar/{name}"))
    return gather(Root("calendar", cases), ("online", "offline"))


def test_the_columns_of_a_step_have_one_clock() -> None:
    """The data is of few months: a month alone fits many zones, and an hour fits one."""
    (found,) = findings("UTC", "Australia/Sydney", "month", "weekday", "hour")
    assert (found.cause, found.is_confirmed) == ("time zone", True)
    assert found.finding == "is 11 hours behind offline, as UTC is behind Australia/Sydney"
    assert {*found.columns} == {"calendar/hour", "calendar/weekday", "calendar/month"}
    assert found.rows.sum() == len(TIMES)


def test_a_day_of_the_week_does_not_tell_the_hours_that_an_hour_would() -> None:
    """What is said of the hours is true: 5.5."""
    (found,) = findings("UTC", "Asia/Kolkata", "weekday")
    assert found.cause == "time zone"
    assert "5.5 hours" in found.finding or "the rows do not tell which" in found.finding
