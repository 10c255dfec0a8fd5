"""What the contenders share: the trained pipeline, and frames with the types it was trained on.

``PIPELINE`` names a file made by :mod:`benchmarks.race.cases`: the pipeline, and the dtype of every
column. A frame is built column by column, which was the fastest of four ways that were tried: 1.7
ms for 64 flights, where ``DataFrame(records).astype(dtypes)`` took 5.9.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import joblib
import pandas as pd

pipeline, dtypes = joblib.load(os.environ["PIPELINE"])

CLASSES: list[str] = pipeline.classes_.tolist()


def frame(records: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Make a frame with one row per record."""
    return frame_of_columns([record[name] for record in records] for name in dtypes)


def frame_of_columns(columns: Iterable[Sequence[Any]]) -> pd.DataFrame:
    """Make the same frame from the values of every column, in order."""
    return pd.DataFrame(
        {
            name: pd.array(values, dtype=dtype)
            for (name, dtype), values in zip(dtypes.items(), columns, strict=True)
        }
    )


def answers(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """The label and the probability of every class, for each row, from one call."""
    probabilities = pipeline.predict_proba(rows)
    return [
        {"prediction": CLASSES[best], "probabilities": dict(zip(CLASSES, row, strict=True))}
        for best, row in zip(probabilities.argmax(axis=1), probabilities.tolist(), strict=True)
    ]
