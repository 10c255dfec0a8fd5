"""Columns of the training frame that the pipeline does not read.

A pipeline that selects its columns first, as a ``ColumnTransformer`` with ``remainder="drop"``
does, can be fitted on frames with additional columns. Requests need not bring these, so the
contract does not have them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from gnomon.contract.column_inference import infer_feature
from gnomon.contract.training_table import TrainingTable
from gnomon.errors import ContractError
from gnomon.name_lists import listed
from gnomon.pipeline.methods import method

__all__ = ["ROWS_ASKED", "UnusedColumnWarning", "answers", "same_answers", "without_unused"]

ROWS_ASKED = 50
"""Rows that are tried to find the columns that seem unused."""

_ROWS_CONFIRMED = 100_000
"""Rows on which the columns that seem unused must change nothing: all of most training frames, as a
step may read a column only in a row that lacks another."""

_ONE_MORE = "a column that training did not have"

_SHOWN = 5


class UnusedColumnWarning(UserWarning):
    """A column of the training frame is left out of the contract."""


def without_unused(
    pipeline: Any, table: TrainingTable, kept: Collection[str], stacklevel: int
) -> TrainingTable:
    """Return the table without the columns that make no difference to the answers.

    Args:
        pipeline: a fitted pipeline.
        table: the training table.
        kept: columns that the contract must have in any case, such as the entity key.
        stacklevel: the warning's, as for ``warnings.warn``.

    Warns:
        UnusedColumnWarning: a column is left out.
    """
    named = {*kept, *table.carried}
    columns = [name for name in table.frame.columns if str(name) not in named]
    unsent = _unsendable(table, columns)
    frame = table.frame.drop(columns=list(table.carried))
    unused = _unused(pipeline, frame, columns)
    if not unused and unsent:  # with which no row can be asked; see whether it answers without
        some = frame.iloc[:ROWS_ASKED]
        if same_answers(answers(pipeline, some), answers(pipeline, some.drop(columns=[*unsent]))):
            unused = [*unsent]
    for name in unused:
        if name in unsent:
            warnings.warn(
                f"column `{name}` is not in the contract: {unsent[name].message}, and the pipeline "
                "gives the same answers without it. To do: nothing, or carry it in another form: "
                f"{unsent[name].hint}",
                UnusedColumnWarning,
                stacklevel + 1,
            )
    if extra := [name for name in unused if name not in unsent]:
        named_ones = listed(extra, _SHOWN, "`{}`")
        warnings.warn(
            f"not in the contract: {named_ones}. The pipeline does not read "
            f"{'it' if len(extra) == 1 else 'them'}, and gives the same answers without. To do: "
            f"nothing; or, for requests to bring {'it' if len(extra) == 1 else 'them'} to be "
            f"logged and joined on, carry={tuple(extra)!r}",
            UnusedColumnWarning,
            stacklevel + 1,
        )
    return table._replace(frame=table.frame.drop(columns=unused)) if unused else table


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


def _unsendable(table: TrainingTable, columns: Iterable[Any]) -> dict[Any, ContractError]:
    """Return the columns that requests cannot bring, each with the reason."""
    found = dict[Any, ContractError]()
    for name in columns:
        try:
            infer_feature(table.frame[name], timezone="UTC")
        except ContractError as error:
            found[name] = error
    return found


def _unused(pipeline: Any, frame: pd.DataFrame, columns: list[Any]) -> list[Any]:
    """Return the columns whose absence and values change nothing in the first step's output."""
    step = _first_step(pipeline)
    some = frame.iloc[:ROWS_ASKED]
    given = _tried(step, some)
    one_more = some.assign(**{_ONE_MORE: 0.0})
    if given is None or not same_answers(given, _tried(step, one_more)):
        return []  # like most of scikit-learn's, it accepts only the columns it was fitted on

    def search(names: list[Any]) -> list[Any]:
        if not names or same_answers(given, _tried(step, some.drop(columns=names))):
            return names
        middle = len(names) // 2
        return [*search(names[:middle]), *search(names[middle:])] if middle else []

    unused = search(columns)
    if not unused:
        return []
    spaced = np.linspace(0, len(frame) - 1, num=min(_ROWS_CONFIRMED, len(frame)), dtype=int)
    many = frame.iloc[spaced]
    expected = _tried(step, many)

    def change_nothing(names: list[Any]) -> bool:
        others = (many.drop(columns=names), _other_values(many, names))
        return all(same_answers(expected, _tried(step, other)) for other in others)

    if not change_nothing(unused):
        unused = [name for name in unused if change_nothing([name])]
    # A model of nothing but the index, or of nothing at all, has a contract of all columns.
    return unused if change_nothing(unused) and len(unused) < frame.shape[1] else []


def _first_step(pipeline: Any) -> Callable[[Any], Any]:
    """Return the first step that does something, or the complete pipeline if it has one step."""
    steps = [
        step for _, step in getattr(pipeline, "steps", ()) if step not in (None, "passthrough")
    ]
    if len(steps) > 1 and (transform := method(steps[0], "value")):
        return transform
    return lambda rows: answers(pipeline, rows)


def _tried(call: Callable[[Any], Any], rows: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return call(rows)
    except Exception:  # the user's code
        return None


def _other_values(frame: pd.DataFrame, names: list[Any]) -> pd.DataFrame:
    """Return the frame with other values of the same dtypes in some columns."""
    other = frame.copy()
    for name in names:
        column = frame[name]
        if pd.api.types.is_bool_dtype(column.dtype) and not column.hasnans:
            other[name] = ~column
        elif pd.api.types.is_numeric_dtype(column.dtype):
            other[name] = (column.iloc[::-1].to_numpy() - 1).astype(column.dtype)
        else:
            other[name] = column.iloc[::-1].array
    return other
