"""A classifier that separates served rows from training rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnomon.leakage import LabelledTable, LeakageFinding, check_domain
from tests.leakage.data import flight_table, flights

FRAME, _ = flights(6_000)
TRAIN, SERVED = FRAME[:4_000], FRAME[4_000:]


def domain(served: pd.DataFrame, train: pd.DataFrame = TRAIN) -> list[LeakageFinding]:
    """What the classifier finds."""
    return check_domain(flight_table(train, None), served)


def test_rows_of_the_same_kind_are_not_told_apart() -> None:
    """Although every id and every time is new."""
    assert domain(SERVED) == []


@pytest.mark.parametrize(
    ("change", "feature", "says"),
    [
        (lambda f: f.assign(wind=np.nan), "wind", "of training rows, 100% of serving rows"),
        (lambda f: f.assign(carrier=f["carrier"].str.lower()), "carrier", "100% of serving rows"),
        (
            lambda f: f.assign(seats=f["seats"] * 100),
            "seats",
            "17800 (14900 to 17800 in the middle half) in serving",
        ),
    ],
    ids=["missing", "case", "unit"],
)
def test_a_feature_that_is_not_what_it_was_is_named(change: Any, feature: str, says: str) -> None:
    """Whatever is wrong with it: the AUC, the loss without the feature, and the difference are
    reported.
    """
    (finding,) = domain(change(SERVED))
    assert (finding.severity, finding.features) == ("suspect", (feature,))
    assert finding.evidence.value is not None
    assert finding.evidence.value > 0.97
    assert finding.evidence.numbers[f"AUC lost without {feature}"] > 0.3
    assert says in finding.evidence.examples[0]


def test_traffic_that_moved_is_a_note() -> None:
    """More wind than in training, most of which training has seen."""
    (finding,) = domain(SERVED.assign(wind=SERVED["wind"] + 6))
    assert (finding.severity, finding.features) == ("note", ("wind",))


def test_a_season_is_no_alarm() -> None:
    """Training's own days can be separated as easily as the served day."""
    rows = FRAME.assign(temp=lambda f: f["event"].dt.day_of_year * 1.0)
    (finding,) = domain(rows[5_800:], rows[:5_800])
    assert finding.severity == "note"
    assert finding.evidence.value is not None
    assert finding.evidence.value > 0.95
    assert finding.evidence.numbers["AUC of the control"] > 0.95


def test_a_broken_feature_shows_through_a_season() -> None:
    """Although training's own days can be separated perfectly: the wind is missing on none of
    them.
    """
    rows = FRAME.assign(temp=lambda f: f["event"].dt.day_of_year * 1.0)
    (finding,) = domain(rows[5_800:].assign(wind=np.nan), rows[:5_800])
    assert finding.severity == "suspect"
    assert finding.features[0] == "wind"


def test_values_that_are_new_every_month_are_no_alarm() -> None:
    """The name of the month is also new on training's last days."""
    rows = FRAME.assign(month=FRAME["event"].dt.strftime("%b"))
    assert [finding.severity for finding in domain(rows[4_200:], rows[:4_200])] == ["note"]


def test_neighbours_in_time_do_not_give_rows_away() -> None:
    """Flights of one hour share its weather; which hours were served is not a difference."""
    hours = FRAME["event"].dt.day_of_year * 24 + FRAME["event"].dt.hour
    by_hour = np.random.default_rng(1).normal(size=(2, 24 * 100))
    rows = FRAME.assign(temp=by_hour[0][hours])
    was_served = by_hour[1][hours] > 0
    assert domain(rows[was_served], rows[~was_served]) == []


def test_the_hour_of_a_timestamp_tells() -> None:
    """Its date must not contribute, but the clock of another zone does."""
    shifted = SERVED["event"].dt.tz_localize(None).dt.normalize().dt.tz_localize("UTC")
    (finding,) = domain(SERVED.assign(event=shifted))
    assert finding.features == ("event (hour)",)


def test_few_rows_are_unknown() -> None:
    """Too few rows on either side are unknown."""
    assert [f.severity for f in domain(SERVED[:50])] == ["unknown"]
    assert [f.severity for f in domain(SERVED, TRAIN[:50])] == ["unknown"]


def test_a_day_against_the_next_is_no_alarm() -> None:
    """Training with each weekday once cannot show the effect of weekdays."""
    start = FRAME["event"].min()
    rows = FRAME.assign(event=start + (FRAME["event"] - start) / 60)
    assert domain(rows[4_000:], rows[:4_000]) == []


def test_nothing_to_tell_by_is_nothing_found() -> None:
    """Only names and no times are given."""
    names = FRAME[["flight"]]
    assert check_domain(LabelledTable.of(names[:4_000]), names[4_000:]) == []
