"""The first step of every pipeline of this deployment."""

from __future__ import annotations

from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from preprocessing.local_time import LocalTime
from preprocessing.plane import Plane
from preprocessing.weather import Weather

ROUTE = ["carrier", "origin", "dest"]
WEATHER = ["wind_dir", "wind_speed", "temp", "humid", "precip", "pressure", "visib"]
PLANE = ["time_hour", "plane_year", "plane_seats"]
FLIGHT = ["minute", "distance"]


def columns(
    categories: BaseEstimator, numbers: BaseEstimator | str = "passthrough"
) -> ColumnTransformer:
    """The same columns for every model, encoded as the model needs them.

    Args:
        categories: encodes hour, weekday, carrier, origin and destination, which come first.
        numbers: scales and fills what is counted or measured, which may hold NaN.
    """

    def encoded(features: BaseEstimator, encoder: BaseEstimator | str) -> Pipeline:
        return Pipeline([("features", features), ("encoded", clone(encoder, safe=False))])

    return ColumnTransformer(
        [
            ("local_time", encoded(LocalTime(), categories), ["time_hour"]),
            ("route", clone(categories), ROUTE),
            ("weather", encoded(Weather(), numbers), WEATHER),
            ("plane", encoded(Plane(), numbers), PLANE),
            ("flight", clone(numbers, safe=False), FLIGHT),
        ],
        verbose_feature_names_out=False,
    )
