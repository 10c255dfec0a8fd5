"""The ``X`` given to packing, as a table that the pipeline accepts."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gnomon.contract.column_inference import infer_feature
from gnomon.contract.training_table import Carry, TrainingTable, training_table
from gnomon.errors import ContractError, PackRefused
from gnomon.name_lists import listed

__all__ = ["UnusedColumnWarning", "as_fitted", "given_table", "other_columns"]

ROWS_ASKED = 50
"""How many rows are predicted to find out whether the pipeline uses a column."""

_SHOWN = 5


class UnusedColumnWarning(UserWarning):
    """A column of the training frame was left out of the contract."""


def given_table(X: Any, names: Sequence[str], carry: Carry) -> TrainingTable:  # noqa: N803
    """Return the rows as a table.

    Raises:
        PackRefused: their type is unknown; the hint has the line that makes a frame of them.
    """
    try:
        return training_table(X, names, carry)
    except ContractError as error:
        raise PackRefused(error.message, where=error.where, hint=error.hint) from None


def as_fitted(pipeline: Any, table: TrainingTable, stacklevel: int) -> TrainingTable:
    """Return the table in the form that the pipeline was fitted on.

    It is an array if the pipeline was fitted on one. Columns that requests cannot contain and that
    change no answer are left out.

    Warns:
        UnusedColumnWarning: a column is left out.

    Raises:
        PackRefused: the columns have no names, but the pipeline was fitted on named ones.
    """
    if table.input == "array" and hasattr(pipeline, "feature_names_in_"):
        raise PackRefused(
            "the pipeline was fitted on columns with names, and X has none: in another order, the "
            "columns would be mixed up",
            hint="pass the frame it was fitted on; if the order is the same: "
            "X = pd.DataFrame(X, columns=pipeline.feature_names_in_)",
        )
    if table.input != "frame":
        return table
    table = _without_unused(pipeline, table, stacklevel + 1)
    return table._replace(input="array") if _was_fitted_on_array(pipeline, table) else table


def other_columns(pipeline: Any, table: TrainingTable) -> PackRefused | None:
    """Return the refusal of a frame whose columns differ from those the pipeline was fitted on."""
    if table.input != "frame" or not hasattr(pipeline, "feature_names_in_"):
        return None
    fitted = list(pipeline.feature_names_in_)
    given = [name for name in table.frame.columns if name not in table.carried]
    select = "X = X[list(pipeline.feature_names_in_)]"
    if missing := [name for name in fitted if name not in given]:
        return PackRefused(
            f"X lacks columns that the pipeline was fitted on: {listed(missing, _SHOWN, '`{}`')}",
            hint="pass the frame it was fitted on",
        )
    if extra := [name for name in given if name not in fitted]:
        return PackRefused(
            f"X has columns that the pipeline was not fitted on: {listed(extra, _SHOWN, '`{}`')}",
            hint="if requests have them in addition to the features, as keys, times or notes: "
            f"carry={tuple(extra)!r}; else {select}",
        )
    if fitted != given:
        return PackRefused(
            "the columns of X are in another order than when the pipeline was fitted", hint=select
        )
    return None


def _was_fitted_on_array(pipeline: Any, table: TrainingTable) -> bool:
    """Return whether the pipeline knows the number of columns but not their names.

    scikit-learn would then use the columns of a frame by position, and only warn.
    """
    columns = [name for name in table.frame.columns if name not in table.carried]
    if not all(isinstance(name, str) for name in columns) or hasattr(pipeline, "feature_names_in_"):
        return False
    if getattr(pipeline, "n_features_in_", None) != len(columns):
        return False
    frame = table.frame[columns]
    if len({str(dtype) for dtype in frame.dtypes}) != 1 or frame.dtypes.iloc[0].kind not in "biuf":
        return False
    rows = frame.iloc[:ROWS_ASKED]
    return _same(_answers(pipeline, rows), _answers(pipeline, rows.to_numpy()))


def _without_unused(pipeline: Any, table: TrainingTable, stacklevel: int) -> TrainingTable:
    frame, left_out = table.frame, dict[Any, ContractError]()
    for name, column in frame.items():
        try:
            infer_feature(column, timezone="UTC", carried=name in table.carried)
        except ContractError as error:
            left_out[name] = error
    unused = [name for name in left_out if name not in table.carried]
    if not unused:
        return table
    given = frame.drop(columns=list(table.carried)).iloc[:ROWS_ASKED]
    if not _same(_answers(pipeline, given), _answers(pipeline, given.drop(columns=unused))):
        return table
    for name in unused:
        warnings.warn(
            f"column `{name}` is not in the contract: {left_out[name].message}, and the pipeline "
            "gives the same answers without it. To do: nothing, or carry it in another form: "
            f"{left_out[name].hint}",
            UnusedColumnWarning,
            stacklevel + 1,
        )
    return table._replace(frame=frame.drop(columns=unused))


def _answers(pipeline: Any, rows: Any) -> Any:
    """Return the pipeline's answers; None if it raises."""
    for name in ("predict_proba", "predict", "transform", "score_samples"):
        method = getattr(pipeline, name, None)
        if method is not None:
            break
    else:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return method(rows)
    except Exception:  # the user's code
        return None


def _same(one: Any, other: Any) -> bool:
    """Return whether two answers are the same, up to rounding by the order of summation."""
    if one is None or other is None:
        return False
    left, right = (np.asarray(side) for side in (one, other))
    if left.shape != right.shape:
        return False
    if left.dtype.kind == "f" and right.dtype.kind == "f":
        return bool(np.allclose(left, right, rtol=1e-9, atol=1e-12, equal_nan=True))
    return bool(pd.Series(list(left)).equals(pd.Series(list(right))))
