"""The check that a row's answer does not depend on the other rows of its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from gnomon.errors import PackRefused, PredictionFailed
from gnomon.pipeline.agreement import agree, type_family
from gnomon.pipeline.tracing import trace

__all__ = ["check_rows_alone"]

Predict = Callable[[pd.DataFrame], pa.RecordBatch]
Seen = dict[str, pd.DataFrame]
View = Callable[[pd.DataFrame], Seen]
Places = np.ndarray[Any, np.dtype[np.intp]]

_SEED = 0
_OUTPUTS = ""
_SIZES = (2, 3, 5, 8, 13)

_LEARN = "learn from the training data in `fit`, and use only that in `transform`"
_STATE = "it keeps state between calls or draws random numbers; make it do neither"
_TYPES = (
    'set the type explicitly, for instance with .astype("float64"); pandas infers another from '
    "other rows"
)


class _Composition(NamedTuple):
    """A batch composition: its name, the share of digits that must agree, and a hint."""

    called: str
    digits: float
    hint: str


_AGAIN = _Composition("on a second call", 0.75, _STATE)
_ORDER = _Composition("in another order", 0.5, _LEARN)
_TWICE = _Composition("with each row twice in the batch", 0.5, _LEARN)
_FEW = _Composition("among fewer rows", 0.5, _LEARN)
_MANY = _Composition("among more rows", 0.5, _LEARN)
_ALONE = _Composition("in a batch of one", 0.5, _LEARN)


def check_rows_alone(
    pipeline: Any,
    frame: pd.DataFrame,
    predict: Predict,
    *,
    unusual: pd.DataFrame | None = None,
    others: pd.DataFrame | None = None,
    given: Callable[[pd.DataFrame], Any] = lambda rows: rows,
) -> None:
    """Refuse a pipeline that answers a row differently in another batch.

    Online, a row is predicted alone or with any other rows. Each row's steps and outputs must
    be the same in the batch, in the same batch again and in another order, in batches of other
    sizes, together with a copy of itself, and alone. The types must be the same too, so that a
    single row does not become text or a nullable integer because all its values are whole or null.

    Floats must agree in half their digits (the square root of their epsilon, relative to the
    largest value of the column): summing in another order changes them by less, the mean of
    another batch by far more. The same batch again must agree in three quarters of the digits:
    only threads may add in another order.

    Args:
        pipeline: a fitted pipeline.
        frame: some tens of rows; with nulls and rare values, if the pipeline treats them specially.
        predict: returns the pipeline's outputs for a frame.
        unusual: more such rows; rows on which the pipeline fails in every batch are left out.
        others: rows that only fill the batch.
        given: converts a frame to the pipeline's argument.

    Raises:
        PackRefused: an answer depends on other rows, or a row alone raises; ``where`` names the
            first step and column that differ.
    """

    def outputs(rows: pd.DataFrame) -> Seen:
        return {_OUTPUTS: predict(rows).to_pandas()}

    frame = frame.reset_index(drop=True)
    if unusual is not None:
        frame = _with_answered(frame, unusual, predict)
    for view in (lambda rows: trace(pipeline, given(rows)), outputs):
        _check(view, frame, others)


def _with_answered(frame: pd.DataFrame, unusual: pd.DataFrame, predict: Predict) -> pd.DataFrame:
    """Append the unusual rows that get an answer in a batch or alone."""
    for at in range(len(unusual)):
        row = unusual.iloc[[at]].reset_index(drop=True)
        more = pd.concat([frame, row], ignore_index=True)
        if _answers(predict, more) or _answers(predict, row):
            frame = more
    return frame


def _answers(predict: Predict, rows: pd.DataFrame) -> bool:
    try:
        predict(rows)
    except Exception:  # the user's code
        return False
    return True


def _check(view: View, frame: pd.DataFrame, others: pd.DataFrame | None) -> None:
    rows = np.arange(len(frame))
    batch = view(frame)
    shuffled = np.random.default_rng(_SEED).permutation(len(frame))
    for composition, parts in (
        (_AGAIN, [rows]),
        (_ORDER, [shuffled]),
        (_ALONE, [rows[at : at + 1] for at in rows]),
        (_FEW, list(_parts(shuffled))),
    ):
        asked = [_asked(view, _taken(frame, part), batch, composition, len(part)) for part in parts]
        _compare(batch, _joined(asked, np.argsort(np.concatenate(parts))), composition)
    for composition, before in ((_TWICE, frame), (_MANY, others)):
        if before is not None and len(before):
            together = pd.concat([before, frame], ignore_index=True)
            seen = _asked(view, together, batch, composition, len(together))
            _compare(batch, _joined([seen], rows + len(before)), composition)


def _parts(shuffled: Places) -> Iterator[Places]:
    """Split the rows into parts of several sizes."""
    start = 0
    for size in cycle(_SIZES):
        if start >= len(shuffled):
            return
        yield shuffled[start : start + size]
        start += size


def _taken(frame: pd.DataFrame, places: Places) -> pd.DataFrame:
    return frame.iloc[places].reset_index(drop=True)


def _asked(
    view: View, frame: pd.DataFrame, batch: Seen, composition: _Composition, rows: int
) -> Seen:
    """Return the view of rows in a batch composition, with the columns and types of the batch."""
    try:
        seen = view(frame)
    except Exception as error:
        step = error.where if isinstance(error, PredictionFailed) else None
        raise PackRefused(
            f"{'a row' if rows == 1 else f'a batch of {rows} rows'} {composition.called} raises "
            f"{error.__cause__ or error!r}",
            where=f"step `{step}`" if step else "the outputs",
            hint=composition.hint,
        ) from error
    for path, output in batch.items():
        _check_types(path, output, seen[path], composition)
    return {path: _aligned(seen[path], output, path, rows) for path, output in batch.items()}


def _joined(parts: Sequence[Seen], places: Places) -> Seen:
    """Concatenate parts and take some of their rows."""
    return {
        path: pd.concat([seen[path] for seen in parts], ignore_index=True)
        .iloc[places]
        .reset_index(drop=True)
        for path in parts[0]
    }


def _aligned(output: pd.DataFrame, like: pd.DataFrame, path: str, rows: int) -> pd.DataFrame:
    """Return ``output`` with the columns of ``like``; a sparse step has only its active ones."""
    width, expected = (frame.attrs.get("width") for frame in (output, like))
    if len(output) != rows or width != expected:
        raise PackRefused(
            f"{rows} of the rows become {len(output)} rows of {width} columns; all of them "
            f"become rows of {expected} columns",
            where=f"step `{path}`" if path else "the outputs",
            hint=_LEARN,
        )
    return output.reindex(columns=like.columns, fill_value=0)


def _check_types(
    path: str, batch: pd.DataFrame, other: pd.DataFrame, composition: _Composition
) -> None:
    """Refuse a column that has another type in another batch."""
    expected, found = (frame.attrs.get("types", {}) for frame in (batch, other))
    for name, dtype in expected.items():
        now = found.get(name, dtype)
        if type_family(now) != type_family(dtype):
            raise PackRefused(
                f"the type depends on the rows in the batch: `{dtype}` in the batch, `{now}` "
                f"{composition.called}",
                where=_place(path, name) if name else f"step `{path}`",
                hint=_TYPES,
            )


def _compare(batch: Seen, other: Seen, composition: _Composition) -> None:
    for path, left in batch.items():
        right = other[path]
        for column in left.columns:
            parts = np.flatnonzero(~agree(left[column], right[column], composition.digits))
            if parts.size:
                row = parts[0]
                raise PackRefused(
                    f"{parts.size} of {len(left)} rows differ {composition.called}: row "
                    f"{row} is {_plain(left[column][row])!r} in the batch, "
                    f"{_plain(right[column][row])!r} "
                    f"{composition.called}",
                    where=_place(path, str(column)),
                    hint=composition.hint,
                )


def _plain(value: Any) -> Any:
    """Convert a numpy value to a Python value, to show 1 instead of np.int64(1)."""
    return value.item() if isinstance(value, np.generic) else value


def _place(path: str, column: str) -> str:
    return f"output `{column}`" if path == _OUTPUTS else f"step `{path}`, column `{column}`"
