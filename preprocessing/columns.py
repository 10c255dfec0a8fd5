"""The first step of every pipeline of this deployment."""

from __future__ import annotations

from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from preprocessing.local_time import LocalTime
from preprocessing.measures import Measures

TIME = ["time_hour"]
ROUTE = ["carrier", "origin", "dest"]
WEATHER = ["wind_dir", "wind_speed", "temp", "humid", "precip", "pressure", "visib"]
PLANE = ["plane_year", "plane_seats"]
FLIGHT = ["minute", "distance"]


def columns(
    categories: BaseEstimator, numbers: BaseEstimator | str = "passthrough"
) -> ColumnTransformer:
    """The same columns for every model, encoded as the model needs them.

    Args:
        categories: encodes hour, weekday, carrier, origin and destination, which come first.
        numbers: scales and fills what is counted or measured, which may hold NaN.
    """
    clock = Pipeline([("features", LocalTime()), ("encoded", clone(categories))])
    measures = Pipeline([("features", Measures()), ("encoded", numbers)])
    return ColumnTransformer(
        [
            ("local_time", clock, TIME),
            ("route", clone(categories), ROUTE),
            ("measures", measures, [*TIME, *WEATHER, *PLANE, *FLIGHT]),
        ],
        verbose_feature_names_out=False,
    )
