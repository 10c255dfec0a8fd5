"""The effect of a frame's memory layout on answers: the order in which sums are computed.

A linear model sums products along the rows of a matrix. The memory layout of the matrix decides
which BLAS kernel adds them, and in what order, so the last digits of the same sum may differ. In
any order, the result is the exact sum of terms that are each changed by at most gamma(n), which is
``n * u / (1 - n * u)`` for n terms and the unit roundoff u (Higham, *Accuracy and Stability of
Numerical Algorithms*, 2nd ed. 2002, section 4.2, equation 4.4). So two orders differ by at most
twice that share of the sum of the terms' absolute values.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from gnomon.compat.pandas import frame_of_blocks
from gnomon.pipeline.agreement import epsilon

__all__ = ["relaid", "rounding_bounds"]

Ask = Callable[[pd.DataFrame], pa.RecordBatch]
Floats = npt.NDArray[np.float64]

_DRAWS = 16
_STEP = 2.0**-10
"""Relative: how far inputs are moved. It is a power of two, so that the quotient is not rounded."""
_SEED = 0


def relaid(frame: pd.DataFrame, *, rows: bool) -> pd.DataFrame:
    """Copy a frame into the memory layout of a served frame.

    Args:
        frame: any frame.
        rows: whether numbers of one dtype are stored row by row; else column by column.
    """
    alike: dict[np.dtype[Any], list[int]] = {}
    blocks: list[tuple[Any, Any]] = []
    for place in range(frame.shape[1]):
        column = frame.iloc[:, place]
        if isinstance(column.dtype, np.dtype) and column.dtype.kind not in "mM":
            alike.setdefault(column.dtype, []).append(place)
        else:
            blocks.append((column.array.copy(), np.array([place])))
    for dtype, places in alike.items():
        block = np.empty((len(places), len(frame)), dtype, order="F" if rows else "C")
        for line, place in zip(block, places, strict=True):
            line[:] = frame.iloc[:, place].to_numpy()
        blocks.append((block, np.array(places)))
    return frame_of_blocks(blocks, pd.RangeIndex(len(frame)), frame.columns)


def rounding_bounds(ask: Ask, frame: pd.DataFrame, terms: int) -> dict[str, Floats]:
    """Return, for each float output, how far each row's answer may change with summation order.

    The bound is ``terms * epsilon * S``, where S bounds the sum over the inputs of
    ``|x * df/dx|``: for a linear model, the sum of its terms' absolute values. S is measured: each
    number is changed by a small share of itself, up or down at random. The mean square of the
    answer's change is the sum of the squares of the terms; its square root, times that of the
    number of inputs, is at least the sum of their absolute values (Cauchy and Schwarz). It is
    doubled, because a mean of 16 draws may be too small.

    Args:
        ask: returns the pipeline's outputs for a frame.
        frame: rows in the form of the training data.
        terms: the most numbers that one sum may have: the columns of the widest step.
    """
    places = [
        place
        for place, dtype in enumerate(frame.dtypes)
        if isinstance(dtype, np.dtype) and dtype.kind in "iuf"
    ]
    narrowest = max(
        (
            float(np.finfo(frame.dtypes.iloc[p]).eps)
            for p in places
            if frame.dtypes.iloc[p].kind == "f"
        ),
        default=0.0,
    )
    found = {}
    sums = _sums(ask, frame, places)
    for name, column in _floats(ask(frame)).items():
        digit = max(narrowest, epsilon(pd.Series(column), column))
        found[name] = digit * (terms * sums[name] + 2 * np.abs(column))
    return found


def _sums(ask: Ask, frame: pd.DataFrame, places: list[int]) -> dict[str, Floats]:
    """Return a bound of the sum of ``|x * df/dx|``, for each float output.

    If inputs cannot be changed, such as integers that are codes, it is the largest answer.
    """
    base = _floats(ask(frame))
    random = np.random.default_rng(_SEED)
    squares = {name: np.zeros(len(frame)) for name in base}
    try:
        still = _floats(ask(_moved(frame, places, np.zeros((len(frame), len(places))))))
        for _ in range(_DRAWS):
            signs = random.choice([-_STEP, _STEP], size=(len(frame), len(places)))
            for name, column in _floats(ask(_moved(frame, places, signs))).items():
                squares[name] += ((column - still[name]) / _STEP) ** 2
    except Exception:  # the user's code, which does not accept other values
        return {name: np.full(len(frame), np.abs(column).max()) for name, column in base.items()}
    return {name: 2 * np.sqrt(len(places) * square / _DRAWS) for name, square in squares.items()}


def _moved(frame: pd.DataFrame, places: list[int], shares: Floats) -> pd.DataFrame:
    moved = frame.copy()
    for at, place in enumerate(places):
        column = frame.iloc[:, place].to_numpy()
        factors = 1 + shares[:, at]
        kind = column.dtype if column.dtype.kind == "f" else np.float64
        moved.isetitem(place, (column * factors).astype(kind))
    return moved


def _floats(batch: pa.RecordBatch) -> dict[str, Floats]:
    return {
        field.name: batch.column(at).to_numpy(zero_copy_only=False)
        for at, field in enumerate(batch.schema)
        if pa.types.is_floating(field.type)
    }
