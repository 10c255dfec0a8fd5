"""Columns of the training frame that requests need not bring.

A pipeline that selects its columns first, as a ``ColumnTransformer`` with ``remainder="drop"``
does, can be fitted on frames with additional columns. The contract leaves these out.

A column is left out only if the structure of the pipeline says that it is not read. Answers for
training rows cannot prove it: a step may read a column only in rows that training does not have,
count its nulls, or compare it with a value that it never had in training. Served answers would then
differ from offline ones. What a user's own step seems not to read stays in the contract, and a
warning says how to leave it out.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer

from gnomon.contract.column_inference import infer_feature
from gnomon.contract.training_table import TrainingTable
from gnomon.errors import ContractError
from gnomon.name_lists import listed
from gnomon.pipeline.methods import method
from gnomon.pipeline.read_columns import first_steps, read_columns

__all__ = ["ROWS_ASKED", "UnusedColumnWarning", "answers", "same_answers", "without_unused"]

ROWS_ASKED = 50
"""Rows that are tried to find the columns that seem unused."""

_ROWS_CONFIRMED = 100_000
"""Rows whose answers must be the same without a column that cannot be sent: all of most training
frames, as a step may read a column only in a row that lacks another."""

_ROWS_ADVISED = 1_000
"""Rows whose answers must be the same without a column for the advice to leave it out."""

_COLUMNS_ADVISED = 200
"""Columns up to which they are tried for the advice: it takes a prediction for each."""

_ONE_MORE = "a column that training did not have"

_SHOWN = 5

_WRITTEN = 50
"""Names up to which a line to copy has all of them."""


class UnusedColumnWarning(UserWarning):
    """The pipeline does not read a column of the training frame, or does not seem to."""


def without_unused(
    pipeline: Any, table: TrainingTable, kept: Collection[str], stacklevel: int
) -> TrainingTable:
    """Return the table without the columns that the pipeline is known not to read.

    A column that cannot be sent is also left out if the answers for the training rows are the same
    without it, as it cannot be served otherwise.

    Args:
        pipeline: a fitted pipeline.
        table: the training table.
        kept: columns that the contract must have in any case, such as the entity key.
        stacklevel: the warning's, as for ``warnings.warn``.

    Warns:
        UnusedColumnWarning: a column is left out, or makes no difference to the answers.
    """
    named = {*kept, *table.carried}
    frame = table.frame.drop(columns=list(table.carried))
    columns = [name for name in frame.columns if str(name) not in named]
    unread = _unread(pipeline, frame, columns)
    rest = [name for name in columns if name not in unread]
    unsent = _unsendable(frame, columns)
    needless = _needless(pipeline, frame.drop(columns=unread), [n for n in rest if n in unsent])

    def warn(message: str) -> None:
        warnings.warn(message, UnusedColumnWarning, stacklevel + 2)

    for name in needless:
        warn(
            f"column `{name}` is not in the contract: {unsent[name].message}, and the pipeline "
            "gives the same answers without it for the rows of X. To do: nothing if no step reads "
            f"it, else convert it before the pipeline is fitted: {unsent[name].hint}"
        )
    if unread:
        them = "it" if len(unread) == 1 else "them"
        carried = [name for name in unread if name not in unsent]
        names = repr(tuple(carried)) if len(carried) <= _WRITTEN else "their names"
        to_do = f"; or, for requests to bring {them} to be logged and joined on, carry={names}"
        warn(
            f"not in the contract: {listed(unread, _SHOWN, '`{}`')}. The pipeline does not read "
            f"{them}. To do: nothing{to_do if carried else ''}"
        )
    left = table._replace(frame=table.frame.drop(columns=[*unread, *needless]))
    if seeming := _seemingly_unread(pipeline, left, [name for name in rest if name not in unsent]):
        them = "it" if len(seeming) == 1 else "them"
        warn(
            f"the first step gives the same output without {listed(seeming, _SHOWN, '`{}`')} for "
            f"{min(_ROWS_ADVISED, len(frame)):,} rows of X. The contract has {them}, and requests "
            f"must bring {them}, as a step may read {them} in other rows. To do: if no step reads "
            f"{them}, pack X without: X.drop(columns={seeming!r})"
        )
    return left


def answers(pipeline: Any, rows: Any) -> Any:
    """Return the pipeline's answers; None if it raises."""
    for role in ("probability", "prediction", "value", "score"):
        found = method(pipeline, role)
        if found is not None:
            return _tried(found, rows)
    return None


def same_answers(one: Any, other: Any) -> bool:
    """Return whether two answers are equal, up to rounding by the order of summation."""
    if one is None or other is None:
        return False
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same_answers, one, other))
    if sparse.issparse(one) and sparse.issparse(other):
        return one.shape == other.shape and not np.asarray((one != other).sum()).any()
    if isinstance(one, pd.DataFrame) and isinstance(other, pd.DataFrame):
        return list(one.columns) == list(other.columns) and all(
            same_answers(one.iloc[:, at], other.iloc[:, at]) for at in range(one.shape[1])
        )
    left, right = (np.asarray(side) for side in (one, other))
    if left.shape != right.shape:
        return False
    if left.dtype.kind == "f" and right.dtype.kind == "f":
        return bool(np.allclose(left, right, rtol=1e-9, atol=1e-12, equal_nan=True))
    return pd.Series([*left.ravel()], dtype=object).equals(
        pd.Series([*right.ravel()], dtype=object)
    )


def _unsendable(frame: pd.DataFrame, columns: Iterable[Any]) -> dict[Any, ContractError]:
    """Return the columns that requests cannot bring, each with the reason."""
    found = dict[Any, ContractError]()
    for name in columns:
        try:
            infer_feature(frame[name], timezone="UTC")
        except ContractError as error:
            found[name] = error
    return found


def _unread(pipeline: Any, frame: pd.DataFrame, columns: list[Any]) -> list[Any]:
    """Return the columns that the pipeline's first steps are known not to read."""
    read = read_columns(pipeline)
    if read is None:
        return []
    unread = [name for name in columns if name not in read]
    # A model of no column at all, as a constant one, has a contract of all columns.
    if not unread or len(unread) == frame.shape[1]:
        return []
    return unread if _same_without(pipeline, _spaced(frame, ROWS_ASKED), unread) else []


def _needless(pipeline: Any, frame: pd.DataFrame, columns: list[Any]) -> list[Any]:
    """Return the columns, all or none, without which the answers are the same."""
    if not columns or len(columns) == frame.shape[1]:
        return []
    few, many = (_spaced(frame, count) for count in (ROWS_ASKED, _ROWS_CONFIRMED))
    same = _same_without(pipeline, few, columns) and _same_without(pipeline, many, columns)
    return columns if same else []


def _seemingly_unread(pipeline: Any, table: TrainingTable, columns: list[Any]) -> list[Any]:
    """Return the columns that a user's own first step seems not to read."""
    if not 0 < len(columns) <= _COLUMNS_ADVISED or read_columns(pipeline) is not None:
        return []
    steps = first_steps(pipeline)
    if not all(_takes_any_columns(step) for step in steps):
        return []

    def given(rows: pd.DataFrame) -> list[Any]:
        return [answers(step, rows) for step in steps]

    frame = table.frame.drop(columns=list(table.carried))
    some, many = (_spaced(frame, count) for count in (ROWS_ASKED, _ROWS_ADVISED))
    expected = given(some)
    if not same_answers(expected, given(some.assign(**{_ONE_MORE: 0.0}))):
        return []  # it reads all columns, or accepts only those it was fitted on

    def search(names: list[Any]) -> list[Any]:
        if not names or same_answers(expected, given(some.drop(columns=names))):
            return names
        middle = len(names) // 2
        return [*search(names[:middle]), *search(names[middle:])] if middle else []

    found = search(columns)
    if not found or len(found) == frame.shape[1]:
        return []
    return found if same_answers(given(many), given(many.drop(columns=found))) else []


def _takes_any_columns(step: Any) -> bool:
    """Return whether a step may be given other columns than those it was fitted on.

    Others raise, and LightGBM also prints an error.
    """
    return isinstance(step, FunctionTransformer | ColumnTransformer) or (
        isinstance(step, BaseEstimator) and not hasattr(step, "n_features_in_")
    )


def _same_without(pipeline: Any, rows: pd.DataFrame, names: list[Any]) -> bool:
    return same_answers(answers(pipeline, rows), answers(pipeline, rows.drop(columns=names)))


def _spaced(frame: pd.DataFrame, count: int) -> pd.DataFrame:
    """Return at most ``count`` rows, from the whole frame."""
    return frame.iloc[np.linspace(0, len(frame) - 1, num=min(count, len(frame)), dtype=int)]


def _tried(call: Callable[[Any], Any], rows: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(rows)
    except Exception:  # the user's code
        return None
