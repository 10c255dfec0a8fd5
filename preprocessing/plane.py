"""The plane that flies."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.stateless import Stateless


class Plane(Stateless):
    """Age in years at departure and number of seats; NaN where the register has no such plane."""

    outputs: ClassVar[tuple[str, ...]] = ("plane_age", "plane_seats")

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """One column per name in ``outputs``."""
        built = X["plane_year"].to_numpy(np.float64, na_value=np.nan)
        seats = X["plane_seats"].to_numpy(np.float64, na_value=np.nan)
        return np.column_stack([X["time_hour"].dt.year - built, seats])
