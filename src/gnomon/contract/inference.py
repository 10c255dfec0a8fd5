"""Inference of a contract from the training frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from gnomon.compat.pandas import is_row_major
from gnomon.contract.column_inference import infer_feature
from gnomon.contract.contract import Contract, Output, Scalar, Task
from gnomon.contract.feature import label_text
from gnomon.contract.training_table import Carry, training_table
from gnomon.errors import ContractError
from gnomon.name_lists import as_names

__all__ = ["infer_contract"]


def infer_contract(
    X: Any,  # noqa: N803
    *,
    task: Task,
    classes: Sequence[Any] = (),
    probabilities: bool = True,
    outputs: Sequence[Output] | None = None,
    entity_key: str | Sequence[str] = (),
    event_time: str | None = None,
    carry: Carry = (),
    timezone: str | None = None,
    names: Sequence[str] = (),
) -> Contract:
    """Infer the contract that the training frame satisfies.

    A feature may be null online if it was null in training; then an absent key means null too.
    Range and domain are those of the training data; values outside are accepted and counted.
    Strings with at most 200 distinct values, each seen twice on average, are a ``category``.

    Args:
        X: the features in the form the pipeline was trained on, with carried columns: a frame of
            pandas or polars, an Arrow table, a Series or a list of texts, a list of dictionaries,
            or an array.
        task: what the pipeline does.
        classes: the classifier's ``classes_``.
        probabilities: whether the classifier has ``predict_proba``.
        outputs: the outputs; by default they follow from ``task``, ``classes`` and
            ``probabilities``.
        entity_key: the columns that together identify what a prediction is about.
        event_time: the timestamp column with the time the prediction was requested.
        carry: columns that are sent, logged and joined on, but not given to the pipeline: names of
            columns of ``X``, or a separate frame.
        timezone: the zone of timestamps without a zone.
        names: names of an array's columns, in order; by default ``x0``, ``x1``…

    Raises:
        ContractError: JSON cannot represent a column, or it could not be rebuilt exactly; the hint
            says what to do.
    """
    table = training_table(X, names, carry)
    frame = table.frame
    if frame.empty:
        raise ContractError("expected a frame with rows and columns, got an empty one")
    labels = tuple(_label(label) for label in classes)
    contract = Contract(
        task=task,
        features=tuple(
            infer_feature(
                column,
                timezone=timezone,
                carried=name in table.carried,
                may_lack=table.input == "records" and name not in table.carried,
            )
            for name, column in frame.items()
        ),
        outputs=_outputs(labels, probabilities) if outputs is None else tuple(outputs),
        classes=labels,
        entity_key=as_names(entity_key),
        event_time=event_time,
        input=table.input,
        layout="rows" if is_row_major(frame) else "columns",
    )
    contract.check()
    return contract


def _label(label: Any) -> Scalar:
    plain = label.item() if isinstance(label, np.generic) else label
    if not isinstance(plain, bool | int | float | str):
        raise ContractError(
            f"expected classes that are strings, numbers or booleans, got {plain!r}"
        )
    return plain


def _outputs(labels: Sequence[Scalar], probabilities: bool) -> tuple[Output, ...]:
    prediction = Output(name="prediction", type=_label_type(labels))
    if not probabilities:
        return (prediction,)
    names = map(label_text, labels)
    return (prediction, *(Output(name=f"probability_{x}", type="float") for x in names))


def _label_type(labels: Sequence[Scalar]) -> Literal["integer", "float", "boolean", "string"]:
    if labels and all(isinstance(label, bool) for label in labels):
        return "boolean"
    if labels and all(isinstance(label, int) for label in labels):
        return "integer"
    return "string" if any(isinstance(label, str) for label in labels) else "float"
