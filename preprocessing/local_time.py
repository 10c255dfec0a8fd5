"""The local time of the airports."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.stateless import Stateless


class LocalTime(Stateless):
    """Hour and weekday on the wall clock of ``zone``, from one column of UTC timestamps.

    Delays follow the airport's day, not Greenwich's: they grow from the first departure at five
    in the morning to the evening. The offset changes with daylight saving, so it comes from the
    time zone database, never from a constant.
    """

    outputs: ClassVar[tuple[str, ...]] = ("hour", "weekday")

    def __init__(self, zone: str = "America/New_York") -> None:
        self.zone = zone

    def transform(self, X: pd.DataFrame) -> NDArray[np.float64]:  # noqa: N803
        """Return hours 0-23 and weekdays 0 (Monday) to 6, local."""
        times = X.iloc[:, 0]
        local = times.dt.tz_convert(self.zone)
        hour = local.dt.hour
        weekday = local.dt.day_of_week
        return np.column_stack([hour, weekday]).astype(np.float64)
