"""A step as it is on its worst day: it was fine when it was packed.

A module of its own, outside the package of benchmarks, so that an artifact carries nothing else.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, Self

import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

__all__ = ["WAYS", "Broken"]

WAYS = ("hung", "crashing", "leaking")

LEAK_BYTES = 8 << 20


class Broken(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Hands its frame on, until it sees a flight later than those it was trained on.

    Args:
        way: what it does then, one of :data:`WAYS`.
        witness: a file that is there once it has done so.
    """

    def __init__(self, way: str = "hung", witness: str = "") -> None:
        self.way = way
        self.witness = witness

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:  # noqa: N803
        """Remember the last flight."""
        self.last_ = X["time_hour"].max().isoformat()
        return self

    def transform(self, X: pd.DataFrame) -> pd.DataFrame:  # noqa: N803
        """Return the same frame, or misbehave."""
        if X["time_hour"].max() > pd.Timestamp(self.last_):
            Path(self.witness).touch()
            if self.way == "hung":
                time.sleep(3600)
            elif self.way == "crashing":
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                kept: list[Any] = self.__dict__.setdefault("leak_", [])
                kept.append(bytearray(LEAK_BYTES))
        return X

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Return the frame's own names."""
        return input_features
