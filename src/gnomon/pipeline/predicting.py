"""A pipeline's answers, as the contract's output columns.

The answers are bit for bit those of the pipeline's own methods, ``predict``, ``predict_proba`` and
so on, but computed with less work: a ``Pipeline`` preprocesses only once for all methods, and if a
label follows from the probabilities it is not computed again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from scipy import sparse
from sklearn.pipeline import Pipeline

from gnomon.contract.contract import Contract, Role
from gnomon.pipeline.methods import as_columns, method
from gnomon.pipeline.shortcuts import Transform, quick_model, shortcut
from gnomon.tolerances import PROBABILITY_LEAD

__all__ = ["DirectPredictor", "Predictor", "outputs"]

_ARGMAX = frozenset(
    {
        "DecisionTreeClassifier",
        "ExtraTreesClassifier",
        "HistGradientBoostingClassifier",
        "LogisticRegression",
        "RandomForestClassifier",
    }
)
"""scikit-learn's classifiers whose label is the class with the largest probability. Only these
exact classes: a subclass may predict differently."""


class Predictor:
    """A fitted pipeline's answers in the contract's output schema.

    Args:
        pipeline: a fitted pipeline.
        contract: defines the outputs.
    """

    def __init__(self, pipeline: Any, contract: Contract) -> None:
        self._contract = contract
        self._roles = _roles(contract)
        self._is_classifier = not contract.targets and self._roles == ["prediction", "probability"]
        self._steps: list[Any] = []
        while type(pipeline) is Pipeline:
            *steps, (_, pipeline) = pipeline.steps
            self._steps += [step for _, step in steps if step is not None and step != "passthrough"]
        self._model = pipeline
        self._transforms = [step.transform for step in self._steps]

    def __call__(self, frame: pd.DataFrame) -> pa.RecordBatch:
        """Return the outputs for every row of a frame of features like those of training.

        Raises:
            Exception: whatever the pipeline raises.
        """
        return self._ask(self._model, _through(self._transforms, frame))

    def _ask(self, model: Any, ready: Any) -> pa.RecordBatch:
        schema = self._contract.output_schema
        if self._is_classifier:
            labels, probabilities = _classify(model, ready)
            return _batch([*as_columns(labels), *as_columns(probabilities)], schema)
        return _batch(_answers(model, ready, self._roles), schema)

    def take_shortcuts(self, frame: pd.DataFrame) -> bool:
        """Use :mod:`~gnomon.pipeline.shortcuts` from now on, if they give the same bits.

        Args:
            frame: rows to try the shortcuts on.

        Returns:
            Whether, for these rows, the model's input and its answers are the same bits as without
            shortcuts; if not, the pipeline is still called without them.
        """
        try:
            shortcuts, model = [shortcut(step) for step in self._steps], quick_model(self._model)
            ready, steps = _through(shortcuts, frame), _through(self._transforms, frame)
            if not _same_bits(steps, ready) or not self._answer_alike(model, ready):
                return False
        except Exception:
            return False
        self._transforms, self._model = shortcuts, model
        return True

    def _answer_alike(self, model: Any, ready: Any) -> bool:
        if model is self._model:
            return True
        return bool(self._ask(model, ready).equals(self._ask(self._model, ready)))


class DirectPredictor:
    """A fitted pipeline's answers by direct calls of ``predict`` and its other methods.

    :class:`Predictor` gives the same answers with less work; this is the alternative, and the
    reference for its tests.

    Args:
        pipeline: a fitted pipeline.
        contract: defines the outputs.
    """

    def __init__(self, pipeline: Any, contract: Contract) -> None:
        self._pipeline, self._schema = pipeline, contract.output_schema
        self._roles = _roles(contract)

    def __call__(self, frame: pd.DataFrame) -> pa.RecordBatch:
        """Return the outputs for every row of a frame of features like those of training.

        Raises:
            Exception: whatever the pipeline raises.
        """
        return _batch(_answers(self._pipeline, frame, self._roles), self._schema)


def outputs(pipeline: Any, frame: pd.DataFrame, contract: Contract) -> pa.RecordBatch:
    """Return the outputs for every row of a frame, with :class:`Predictor`, without shortcuts."""
    return Predictor(pipeline, contract)(frame)


def _roles(contract: Contract) -> list[Role]:
    """Return the kinds of outputs in the contract, in order."""
    return list(dict.fromkeys(output.role for output in contract.outputs))


def _answers(model: Any, ready: Any, roles: Sequence[Role]) -> list[npt.NDArray[Any]]:
    """Return the columns of every kind of output.

    Raises:
        AttributeError: the model has no method for a kind.
    """
    columns = []
    for role in roles:
        answer = method(model, role)
        if answer is None:
            raise AttributeError(f"{type(model).__qualname__} has no method that gives a {role}")
        columns += as_columns(answer(ready), ready.shape[0] if hasattr(ready, "shape") else None)
    return columns


def _batch(columns: Sequence[npt.NDArray[Any]], schema: pa.Schema) -> pa.RecordBatch:
    if len(columns) != len(schema):
        raise ValueError(f"expected {len(schema)} outputs, as in the contract, got {len(columns)}")
    return pa.RecordBatch.from_arrays(
        [pa.array(values, type=field.type) for values, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


def _through(transforms: Sequence[Transform], frame: Any) -> Any:
    for transform in transforms:
        frame = transform(frame)
    return frame


def _same_bits(one: Any, other: Any) -> bool:
    """Return whether two matrices have the same class, type, memory layout and bits."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame):
        return bool(one.equals(other))
    if sparse.issparse(one):
        one, other = one.toarray(), other.toarray()
    if one.dtype != other.dtype or one.shape != other.shape or one.dtype == object:
        return False
    same_layout = one.flags.c_contiguous == other.flags.c_contiguous
    return bool(same_layout and one.tobytes() == other.tobytes())


def _classify(model: Any, ready: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return labels and probabilities."""
    probabilities = np.asarray(model.predict_proba(ready))
    if _takes_argmax(type(model)) and _is_clear(probabilities):
        return model.classes_[probabilities.argmax(axis=1)], probabilities
    return np.asarray(model.predict(ready)), probabilities


def _takes_argmax(kind: type) -> bool:
    return kind.__module__.startswith("sklearn.") and kind.__name__ in _ARGMAX


def _is_clear(probabilities: npt.NDArray[Any]) -> bool:
    """Return whether one class leads clearly in every row."""
    if probabilities.shape[1] == 2:
        leads = np.abs(probabilities[:, 0] - probabilities[:, 1])
    else:
        ordered = np.sort(probabilities, axis=1)
        leads = ordered[:, -1] - ordered[:, -2]
    return bool((leads > PROBABILITY_LEAD).all())
