"""Features with times after the event time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnomon.errors import ContractError
from gnomon.leakage import LabelledTable, LeakageFinding, check_training
from tests.leakage.data import flight_table, flights

FRAME, LABELS = flights(400)
HOUR = pd.Timedelta("1h")


def clock(frame: pd.DataFrame, **known_at: Any) -> list[LeakageFinding]:
    """What the clock check finds."""
    report = check_training(flight_table(frame, LABELS, known_at=known_at))
    return [finding for finding in report.findings if finding.check == "clock"]


def test_a_timestamp_after_the_event_is_suspect() -> None:
    """Row by row: how many, by how much, and which."""
    landed = FRAME["event"] + 3 * HOUR
    landed[100:] = FRAME["event"][100:] - HOUR
    (finding,) = clock(FRAME.assign(landed=landed))
    assert (finding.severity, finding.features) == ("suspect", ("landed",))
    assert (finding.evidence.hits, finding.evidence.rows) == (100, 400)
    assert finding.evidence.numbers["median seconds"] == 3 * 3600
    assert finding.evidence.examples[0].startswith("row 0: landed 2013-01-0")
    assert "100 of 400 rows, by a median of 3 hours" in finding.sentence


def test_a_plan_that_was_known_is_none() -> None:
    """A scheduled arrival is in the future, but known weeks before."""
    frame = FRAME.assign(due=FRAME["event"] + 3 * HOUR, published=FRAME["event"] - 900 * HOUR)
    features = [*FRAME.columns, "due"]
    table = LabelledTable.of(
        frame, LABELS, features=features, event_time="event", known_at={"due": "published"}
    )
    assert check_training(table).findings == ()


@pytest.mark.parametrize("given", [lambda t: t, list, lambda t: t.array], ids=type)
def test_a_feature_known_too_late_is_a_leak(given: Any) -> None:
    """The delay is a number; the time at which it was known reveals it."""
    known = (FRAME["event"] + 2 * HOUR).where(np.arange(400) < 50, FRAME["event"] - HOUR)
    (finding,) = clock(FRAME, wind=given(known))
    assert (finding.severity, finding.features) == ("leak", ("wind",))
    assert finding.evidence.hits == 50
    assert "the value that was known at `event`" in finding.action


def test_event_times_of_whole_hours_say_no_more_than_the_hour() -> None:
    """9:00 means between 9:00 and 10:00; a minute past 10:00 is later."""
    assert clock(FRAME.assign(seen=FRAME["event"] + pd.Timedelta("59min"))) == []
    assert len(clock(FRAME.assign(seen=FRAME["event"] + pd.Timedelta("61min")))) == 1
    finer = FRAME.assign(event=FRAME["event"] + pd.to_timedelta(np.arange(400) % 60, unit="min"))
    assert len(clock(finer.assign(seen=finer["event"] + pd.Timedelta("2min")))) == 1


def test_days_are_those_of_the_zone() -> None:
    """Midnight in New York is five in the morning in Greenwich, and still a whole day."""
    days = FRAME["event"].dt.tz_convert("America/New_York").dt.normalize()
    assert clock(FRAME.assign(event=days, seen=(days + 20 * HOUR).dt.tz_convert("UTC"))) == []
    assert len(clock(FRAME.assign(event=days, seen=(days + 30 * HOUR).dt.tz_convert("UTC")))) == 1


def test_text_that_is_a_time_is_read_as_one() -> None:
    """ISO 8601 with an offset; text that only starts like it, or has no offset, is ignored."""
    text = (FRAME["event"] + 3 * HOUR).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    (finding,) = clock(FRAME.assign(seen=text))
    assert (finding.features, finding.evidence.hits) == (("seen",), 400)
    assert clock(FRAME.assign(seen=text.str.removesuffix("Z"))) == []
    assert clock(FRAME.assign(seen=text.where(np.arange(400) != 300, "2013-99-99"))) == []
    assert clock(FRAME.assign(seen=text + " or so")) == []


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (FRAME["event"].dt.tz_localize(None), "a time zone"),
        (FRAME["event"].where(FRAME["event"].isna()), "fill in"),
        (FRAME["wind"], "timestamps"),
    ],
)
def test_what_cannot_be_compared_is_unknown(column: pd.Series[Any], why: str) -> None:
    """A clock without a zone, no time at all, and what is no time."""
    (finding,) = clock(FRAME, wind=column)
    assert finding.severity == "unknown"
    assert why in finding.action


def test_without_an_event_time_it_is_not_looked_for() -> None:
    """The report says why."""
    report = check_training(LabelledTable.of(FRAME, LABELS))
    assert "clock" in report.skipped


def test_names_that_are_no_columns_are_refused() -> None:
    """The error lists the columns; times for other rows are refused too."""
    with pytest.raises(ContractError, match=r"no column `gone`.*flight, event"):
        clock(FRAME, wind="gone")
    with pytest.raises(ContractError, match="no column `gone`"):
        clock(FRAME, gone="event")
    with pytest.raises(ContractError, match="3 times for 400 rows"):
        clock(FRAME, wind=[1, 2, 3])
