"""The transformers of this deployment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from models.data import FEATURES, flights, table
from models.pipelines import boosting, logistic
from preprocessing import LocalTime, Plane, Weather


@pytest.fixture(scope="module")
def january() -> pd.DataFrame:
    return flights(1).head(3_000)


def hours(*times: str) -> list[float]:
    frame = pd.DataFrame({"time_hour": pd.to_datetime(list(times), utc=True)})
    return LocalTime().fit_transform(frame)[:, 0].tolist()


def test_the_hour_is_local() -> None:
    """Noon UTC is seven in winter and eight in summer."""
    assert hours("2013-01-15T12:00:00Z", "2013-07-15T12:00:00Z") == [7, 8]


def test_the_hour_repeats_when_daylight_saving_ends_and_skips_when_it_begins() -> None:
    """The wall clock shows one o'clock twice on 3 November and never two o'clock on 10 March."""
    assert hours("2013-11-03T05:00:00Z", "2013-11-03T06:00:00Z") == [1, 1]
    assert hours("2013-03-10T06:00:00Z", "2013-03-10T07:00:00Z") == [1, 3]


def test_the_weekday_is_local() -> None:
    """Two in the morning UTC on a Monday is still Sunday in New York."""
    frame = pd.DataFrame({"time_hour": pd.to_datetime(["2013-04-08T02:00:00Z"], utc=True)})
    assert LocalTime().transform(frame)[0].tolist() == [22, 6]


def test_local_time_agrees_with_the_hour_the_airport_wrote_down() -> None:
    """Every flight of the year has the local hour of its scheduled departure."""
    rows = table("flights")
    assert (LocalTime().transform(rows[["time_hour"]])[:, 0] == rows["hour"]).all()


def test_wind_has_components_and_missing_stays_missing() -> None:
    """Wind from the west is all east component; a null gives NaN and touches no other column."""
    weather = pd.DataFrame(
        {
            "wind_dir": [270.0, np.nan],
            "wind_speed": [10.0, 3.0],
            "temp": [50.0, 51.0],
            "humid": [40.0, np.nan],
            "precip": [0.0, 0.1],
            "pressure": [1010.0, 1011.0],
            "visib": [10.0, 9.0],
        }
    )
    first, second = Weather().transform(weather)
    assert first[:2] == pytest.approx([0.0, -10.0])
    assert np.isnan(second).tolist() == [True, True, False, True, False, False, False]


def test_plane_age_is_counted_from_departure() -> None:
    """A plane of 2003 is ten years old in 2013; an unknown plane has no age and no seats."""
    planes = pd.DataFrame(
        {
            "time_hour": pd.to_datetime(["2013-04-01T12:00:00Z"] * 2, utc=True),
            "plane_year": pd.array([2003, None], dtype="Int64"),
            "plane_seats": pd.array([150, None], dtype="Int64"),
        }
    )
    known, unknown = Plane().transform(planes)
    assert known.tolist() == [10, 150]
    assert np.isnan(unknown).all()


@pytest.mark.parametrize("transformer", [LocalTime(), Plane(), Weather()], ids=str)
def test_transformers_name_what_they_give(
    transformer: LocalTime | Plane | Weather, january: pd.DataFrame
) -> None:
    """There is a name for every column, and a clone that saw no row gives the same."""
    columns = ["time_hour"] if isinstance(transformer, LocalTime) else list(january)
    given = transformer.fit(january[columns]).transform(january[columns])
    assert given.shape == (len(january), len(transformer.get_feature_names_out()))
    np.testing.assert_array_equal(clone(transformer).transform(january[columns]), given)


@pytest.mark.parametrize("pipeline", [logistic(), boosting()], ids=["logistic", "boosting"])
def test_a_row_alone_is_the_row_in_its_batch(pipeline: Pipeline, january: pd.DataFrame) -> None:
    """The columns a model sees do not depend on which rows came along or in which order."""
    rows = january[list(FEATURES)]
    columns = clone(pipeline).named_steps["columns"].fit(rows)
    batch = columns.transform(rows)
    assert batch.shape[1] == len(columns.get_feature_names_out())
    order = np.random.default_rng(7).permutation(len(rows))
    np.testing.assert_array_equal(columns.transform(rows.iloc[order]), batch[order])
    for position in order[:25]:
        alone = columns.transform(rows.iloc[position : position + 1])
        np.testing.assert_array_equal(alone[0], batch[position])


def test_an_unknown_destination_is_no_error(january: pd.DataFrame) -> None:
    """Albuquerque opened in April: a destination the training months never saw is encoded."""
    rows = january[list(FEATURES)]
    columns = boosting().named_steps["columns"].fit(rows)
    unseen = rows.head(1).assign(dest="ABQ")
    encoded = columns.transform(unseen)[0]
    assert encoded[list(columns.get_feature_names_out()).index("dest")] == -1
