"""Whether a row's answer is its own, or depends on the rows it came with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.errors import PackRefused, PredictionFailed
from gnomon.preprocessing.tracing import trace

__all__ = ["check_rows_alone"]

Predict = Callable[[pd.DataFrame], pa.RecordBatch]
Seen = dict[str, pd.DataFrame]
View = Callable[[pd.DataFrame], Seen]
Numbers = np.ndarray[Any, np.dtype[np.float64]]
Mask = np.ndarray[Any, np.dtype[np.bool_]]

_SEED = 0
_OUTPUTS = ""
_LEARN = "learn from the training data in `fit`, and use only that in `transform`"
_STATE = "it keeps state between calls, or draws at random; make it do neither"


def check_rows_alone(pipeline: Any, frame: pd.DataFrame, predict: Predict) -> None:
    """Refuse a pipeline that answers a row differently in other company.

    Online, a row travels alone or with whatever else arrives. Each row's steps and outputs must
    be the same alone, in the batch, in the batch in another order, and in the batch asked again.
    Floats must agree in half their digits (the square root of their epsilon, relative to the
    largest value of the column): summing in another order moves them by less, the mean of another
    batch by far more.

    Args:
        pipeline: fitted.
        frame: some tens of rows; with nulls and rare values, if the pipeline treats them apart.
        predict: the pipeline's outputs for a frame.

    Raises:
        PackRefused: an answer depends on other rows, or a row alone raises; ``where`` names the
            first step and column that part.
    """

    def outputs(rows: pd.DataFrame) -> Seen:
        return {_OUTPUTS: predict(rows).to_pandas()}

    frame = frame.reset_index(drop=True)
    _check(lambda rows: trace(pipeline, rows), frame)
    _check(outputs, frame)


def _check(view: View, frame: pd.DataFrame) -> None:
    batch = view(frame)
    _compare(batch, view(frame), "asked again", _STATE)
    shuffled = np.random.default_rng(_SEED).permutation(len(frame))
    reordered = view(frame.iloc[shuffled].reset_index(drop=True))
    _compare(batch, _ordered(reordered, np.argsort(shuffled)), "in another order", _LEARN)
    alone = [_alone(view, frame.iloc[[row]].reset_index(drop=True)) for row in range(len(frame))]
    _compare(batch, _joined(alone, batch), "alone", _LEARN)


def _alone(view: View, row: pd.DataFrame) -> Seen:
    try:
        return view(row)
    except Exception as error:
        step = error.where if isinstance(error, PredictionFailed) else None
        raise PackRefused(
            f"a row alone raises {error.__cause__ or error!r}",
            where=f"step `{step}`" if step else "the outputs",
            hint=_LEARN,
        ) from error


def _ordered(seen: Seen, order: np.ndarray[Any, np.dtype[np.intp]]) -> Seen:
    return {path: output.iloc[order].reset_index(drop=True) for path, output in seen.items()}


def _joined(alone: list[Seen], batch: Seen) -> Seen:
    """Rows seen alone, one below the other."""
    joined = {}
    for path, output in batch.items():
        rows = [_aligned(seen[path], output, path, 1) for seen in alone]
        joined[path] = pd.concat(rows, ignore_index=True)
    return joined


def _aligned(output: pd.DataFrame, like: pd.DataFrame, path: str, rows: int) -> pd.DataFrame:
    """``output`` with the columns of ``like``: of a sparse step, only active ones are there."""
    width, expected = (frame.attrs.get("width") for frame in (output, like))
    if len(output) != rows or width != expected:
        raise PackRefused(
            f"{rows} of the rows come out as {len(output)} rows of {width} columns; all of them, "
            f"as rows of {expected} columns",
            where=f"step `{path}`" if path else "the outputs",
            hint=_LEARN,
        )
    return output.reindex(columns=like.columns, fill_value=0)


def _compare(batch: Seen, other: Seen, company: str, hint: str) -> None:
    for path, left in batch.items():
        right = _aligned(other[path], left, path, len(left))
        for column in left.columns:
            parts = np.flatnonzero(~_agree(left[column], right[column]))
            if parts.size:
                row = parts[0]
                raise PackRefused(
                    f"{parts.size} of {len(left)} rows come out differently {company}: row {row} "
                    f"is {left[column][row]!r} in the batch, {right[column][row]!r} {company}",
                    where=_place(path, str(column)),
                    hint=hint,
                )


def _place(path: str, column: str) -> str:
    return f"output `{column}`" if path == _OUTPUTS else f"step `{path}`, column `{column}`"


def _agree(left: pd.Series[Any], right: pd.Series[Any]) -> Mask:
    if pd.api.types.is_float_dtype(left) and pd.api.types.is_numeric_dtype(right):
        values = left.to_numpy(np.float64, na_value=np.nan)
        others = right.to_numpy(np.float64, na_value=np.nan)
        return _near(values, others, _epsilon(left, values))
    return np.asarray(_objects(left) == _objects(right), bool)


def _objects(column: pd.Series[Any]) -> np.ndarray[Any, np.dtype[np.object_]]:
    """The values as Python objects, every kind of null as None."""
    return column.astype(object).where(column.notna(), None).to_numpy(object)


def _near(values: Numbers, others: Numbers, epsilon: float) -> Mask:
    largest = np.abs(values[np.isfinite(values)]).max(initial=0.0)
    with np.errstate(invalid="ignore"):  # infinity less infinity
        near: Mask = (values == others) | (np.abs(values - others) <= largest * epsilon**0.5)
    return near | (np.isnan(values) & np.isnan(others))


def _epsilon(column: pd.Series[Any], values: Numbers) -> float:
    """The epsilon of the column's type, or of the narrower type its values were computed in."""
    known = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        narrow = bool((known == known.astype(np.float32)).all() and (known % 1).any())
    return float(np.finfo(np.float32 if narrow else str(column.dtype).lower()).eps)
