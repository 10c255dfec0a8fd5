"""What the leakage checks read of a model: the features it gets, and its answers as scores."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.contract import Contract

__all__ = ["checked_features", "class_scores"]


def class_scores(batch: pa.RecordBatch, contract: Contract) -> npt.NDArray[np.float64]:
    """Return outputs as scores: a column for each class, or the predictions of a regression.

    A classifier without probabilities gives the label it predicts the score 1.
    """
    predicted = batch.column("prediction").to_numpy(zero_copy_only=False)
    if not contract.classes:
        return np.asarray(predicted, np.float64)[:, None]
    names = contract.probability_columns
    columns = (
        [batch.column(name).to_numpy(zero_copy_only=False) for name in names]
        if names
        else [predicted == label for label in contract.classes]
    )
    return np.column_stack([np.asarray(column, np.float64) for column in columns])


def checked_features(contract: Contract) -> list[str]:
    """Return the features that are checked for leakage: those the pipeline gets, except lists."""
    return [
        feature.name
        for feature in contract.features
        if not feature.carried and feature.type != "list"
    ]
