"""The two services that BentoML's own guides suggest."""

from __future__ import annotations

from typing import Annotated, Any

import bentoml
import numpy as np
from bentoml.validators import DType

from benchmarks.contenders.model import answers, frame, frame_of_columns, pipeline

QUIET = {"access": {"enabled": False}}


@bentoml.service(name="plain", logging=QUIET)
class Plain:
    """One API method, a frame of one row."""

    @bentoml.api
    def predict(self, record: dict[str, Any]) -> dict[str, Any]:
        """The answer for one record."""
        return answers(frame([record]))[0]


@bentoml.service(name="adaptive", logging=QUIET)
class Batching:
    """Adaptive batching: arrays of rows in, arrays of rows out.

    Arrays, because batches of data frames never return from the dispatcher of BentoML 1.4.
    """

    @bentoml.api(batchable=True, max_batch_size=128, max_latency_ms=10_000)
    def predict(self, rows: Annotated[np.ndarray, DType("object_")]) -> np.ndarray:
        """Probabilities in the order of the classes, for each row."""
        return pipeline.predict_proba(frame_of_columns(rows.T))
