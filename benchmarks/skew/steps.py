"""Transformers of the raced pipelines; some misbehave when an environment variable says so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["Clock", "Cycle", "Numbers"]


class Clock(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Hour, day of the week and month of a timestamp, on the clock of a zone."""

    def __init__(self, zone: str = "America/New_York") -> None:
        self.zone = zone

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803
        self.fitted_ = True
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        at = X.iloc[:, 0].dt.tz_convert(self.zone)
        return pd.DataFrame(
            {
                "hour": at.dt.hour.astype(float),
                "weekday": at.dt.day_of_week.astype(float),
                "month": at.dt.month.astype(float),
            }
        )

    def get_feature_names_out(self, names: Any = None) -> Any:
        return np.array(["hour", "weekday", "month"], dtype=object)


class Cycle(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Hour of the day and day of the year on a circle, on the clock of a zone."""

    def __init__(self, zone: str = "UTC") -> None:
        self.zone = zone

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803
        self.fitted_ = True
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        at = X.iloc[:, 0].dt.tz_convert(self.zone)
        hour = (at.dt.hour + at.dt.minute / 60).astype(float) / 24
        day = at.dt.day_of_year.astype(float) / 366
        circle = 2 * np.pi
        return pd.DataFrame(
            {
                "hour_sin": np.sin(circle * hour),
                "hour_cos": np.cos(circle * hour),
                "day_sin": np.sin(circle * day),
                "day_cos": np.cos(circle * day),
            }
        )

    def get_feature_names_out(self, names: Any = None) -> Any:
        return np.array(["hour_sin", "hour_cos", "day_sin", "day_cos"], dtype=object)


class Numbers(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Numbers as they are; spoiled in one of three ways while the file ``SKEW_BENCH`` says so.

    The file is written once a worker has verified its golden rows, as real trouble begins: later.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> Self:  # noqa: N803
        self.names_ = list(X.columns)
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        fault = _fault()
        if fault == "batch":
            return X.fillna(X.mean()).astype(float) - 0.1 * X.mean()
        if fault == "draw":
            noise = np.random.default_rng().normal(0, 0.05, X.shape)
            return X.astype(float) + noise * X.std(ddof=0).fillna(1).to_numpy()
        if fault == "dtype":
            return self._by_type(X)
        return X.astype(float)

    def _by_type(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        """What is all whole numbers becomes integers, and a half of them is whole again."""
        found = X.copy()
        name = self.names_[0]
        column = found[name]
        if len(column) and column.notna().all() and (column % 1 == 0).all():
            column = column.astype("int64") // 2 * 2 + 1
        found[name] = column.astype(float)
        return found.astype(float)

    def get_feature_names_out(self, names: Any = None) -> Any:
        return np.array(self.names_, dtype=object)


def _fault() -> str:
    path = Path(os.environ.get("SKEW_BENCH", "/nowhere"))
    return path.read_text() if path.exists() else ""
