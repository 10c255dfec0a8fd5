"""What is measured or counted: the weather at the origin, the plane, the schedule."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.stateless import Stateless


class Measures(Stateless):
    """Numbers as a model can use them; what is missing stays missing (NaN).

    The wind is two components, because 359 and 1 degrees are almost the same wind and a model
    that sees degrees cannot know. A plane has an age at departure instead of a year of make.
    """

    outputs: ClassVar[tuple[str, ...]] = (
        "wind_north",
        "wind_east",
        "plane_age",
        "plane_seats",
        "temp",
        "humid",
        "precip",
        "pressure",
        "visib",
        "minute",
        "distance",
    )

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """One column per name in ``outputs``; the wind in miles per hour, from where it blows."""
        direction, speed = np.deg2rad(_floats(X["wind_dir"])), _floats(X["wind_speed"])
        age = _floats(X["time_hour"].dt.year) - _floats(X["plane_year"])
        as_they_are = [_floats(X[name]) for name in self.outputs[3:]]
        return np.column_stack(
            [speed * np.cos(direction), speed * np.sin(direction), age, *as_they_are]
        )


def _floats(column: pd.Series) -> NDArray[np.float64]:
    return column.to_numpy(np.float64, na_value=np.nan)
