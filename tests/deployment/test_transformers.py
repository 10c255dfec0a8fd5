"""The transformers of this deployment."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from models.data import FEATURES, flights, table
from models.pipelines import boosting, logistic
from preprocessing import LocalTime, Measures


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
    """The local time shows one o'clock twice on 3 November and never two o'clock on 10 March."""
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


MEASURED = {
    "time_hour": pd.to_datetime(["2013-04-01T12:00:00Z"], utc=True),
    "wind_dir": [270.0],
    "wind_speed": [10.0],
    "temp": [50.0],
    "humid": [40.0],
    "precip": [0.0],
    "pressure": [1010.0],
    "visib": [10.0],
    "plane_year": pd.array([2003], dtype="Int64"),
    "plane_seats": pd.array([150], dtype="Int64"),
    "minute": [15],
    "distance": [2475],
}


def measured(**changed: object) -> dict[str, float]:
    row = pd.DataFrame({**MEASURED, **changed})
    return dict(zip(Measures.outputs, Measures().transform(row)[0].tolist(), strict=True))


def test_wind_has_components() -> None:
    """Wind from the west is all east component, and calm is none, whatever its direction."""
    west = measured()
    assert west["wind_north"] == pytest.approx(0.0)
    assert west["wind_east"] == pytest.approx(-10.0)
    assert measured(wind_speed=[0.0])["wind_east"] == 0.0


def test_plane_age_is_counted_from_departure() -> None:
    """A plane of 2003 is ten years old in 2013."""
    assert measured()["plane_age"] == 10


@pytest.mark.parametrize("name", ["temp", "humid", "pressure", "wind_dir", "plane_year"])
def test_missing_stays_missing(name: str) -> None:
    """A null gives NaN in the columns made of it and touches no other."""
    null = pd.array([None], dtype="Int64") if name == "plane_year" else [np.nan]
    touched = {"wind_dir": {"wind_north", "wind_east"}, "plane_year": {"plane_age"}}
    missing = {column for column, value in measured(**{name: null}).items() if np.isnan(value)}
    assert missing == touched.get(name, {name})


@pytest.mark.parametrize("transformer", [LocalTime(), Measures()], ids=str)
def test_transformers_name_what_they_give(
    transformer: LocalTime | Measures, january: pd.DataFrame
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
