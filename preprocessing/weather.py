"""The weather at the origin in the hour of departure."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.stateless import Stateless


class Weather(Stateless):
    """The weather's values with the wind as two components.

    359 and 1 degrees are almost the same wind; a model that sees degrees cannot know. What is
    missing stays missing (NaN): the steps after this one decide what that means.
    """

    outputs: ClassVar[tuple[str, ...]] = (
        "wind_north",
        "wind_east",
        "temp",
        "humid",
        "precip",
        "pressure",
        "visib",
    )

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """One column per name in ``outputs``; the wind in miles per hour towards its source."""
        direction = np.deg2rad(X["wind_dir"].to_numpy(np.float64))
        speed = X["wind_speed"].to_numpy(np.float64)
        north, east = speed * np.cos(direction), speed * np.sin(direction)
        return np.column_stack([north, east, X[list(self.outputs[2:])].to_numpy(np.float64)])
