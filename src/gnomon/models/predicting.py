"""What a pipeline answers, as the contract's output columns.

The answers are bit for bit those of ``pipeline.predict`` and ``pipeline.predict_proba``. They are
only reached with less work: a ``Pipeline`` is preprocessed once for both, and where a label
follows from the probabilities it is not computed again.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from sklearn.pipeline import Pipeline

from gnomon.preprocessing.contract import Contract

__all__ = ["outputs"]

_ARGMAX = frozenset(
    {
        "DecisionTreeClassifier",
        "ExtraTreesClassifier",
        "HistGradientBoostingClassifier",
        "LogisticRegression",
        "RandomForestClassifier",
    }
)
"""scikit-learn's classifiers whose label is the class of the largest score, where a larger score is
a larger probability. Only these exact classes: a subclass may predict otherwise."""

_CLEAR = 1e-9
"""How far the largest probability must lead for it to decide the label. Scores this close may
come out as equal probabilities, or in the other order, once they are rounded."""


def outputs(pipeline: Any, frame: pd.DataFrame, contract: Contract) -> pa.RecordBatch:
    """The outputs for every row of a frame, in the contract's output schema.

    Args:
        pipeline: a fitted pipeline.
        frame: features as the pipeline was trained on.
        contract: says which outputs there are.

    Raises:
        Exception: whatever the pipeline raises.
    """
    schema = contract.output_schema
    if contract.probability_columns:
        labels, probabilities = _classify(pipeline, frame)
        columns = [_column(labels, schema.field(0))]
        columns += [
            _column(probabilities[:, index], schema.field(1 + index))
            for index in range(probabilities.shape[1])
        ]
    else:
        columns = [_column(np.asarray(pipeline.predict(frame)), schema.field(0))]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _classify(pipeline: Any, frame: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Labels and probabilities."""
    while type(pipeline) is Pipeline:
        *steps, (_, last) = pipeline.steps
        for _, step in steps:
            if step is not None and step != "passthrough":
                frame = step.transform(frame)
        pipeline = last
    probabilities = np.asarray(pipeline.predict_proba(frame))
    if _takes_argmax(type(pipeline)) and _is_clear(probabilities):
        return pipeline.classes_[probabilities.argmax(axis=1)], probabilities
    return np.asarray(pipeline.predict(frame)), probabilities


def _takes_argmax(kind: type) -> bool:
    return kind.__module__.startswith("sklearn.") and kind.__name__ in _ARGMAX


def _is_clear(probabilities: npt.NDArray[Any]) -> bool:
    """Whether one class leads in every row."""
    if probabilities.shape[1] == 2:
        leads = np.abs(probabilities[:, 0] - probabilities[:, 1])
    else:
        ordered = np.sort(probabilities, axis=1)
        leads = ordered[:, -1] - ordered[:, -2]
    return bool((leads > _CLEAR).all())


def _column(values: npt.NDArray[Any], field: pa.Field) -> pa.Array:
    return pa.array(values, type=field.type)
