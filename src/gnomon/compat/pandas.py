"""Private parts of pandas that Gnomon uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
from pandas.api.internals import (  # type: ignore[import-not-found]  # not in pandas-stubs yet
    create_dataframe_from_blocks,
)
from pandas.arrays import ArrowStringArray

__all__ = ["frame_of_blocks", "is_row_major", "text_array"]


def frame_of_blocks(
    blocks: Sequence[tuple[Any, Any]], index: pd.Index[Any], columns: pd.Index[Any]
) -> pd.DataFrame:
    """A frame made of blocks of columns of one dtype each.

    ``pandas.api.internals`` is made for pyarrow and promises nothing to others. ``DataFrame(dict)``
    is the public way: it copies and checks every column, which takes three times as long for each
    request. Seen in 3.0 and 3.1. Without it nothing is served: the import fails.

    Args:
        blocks: values, of shape (columns, rows) or an extension array, and the places of their
            columns.
        index: of the rows.
        columns: of the frame.
    """
    frame: pd.DataFrame = create_dataframe_from_blocks(list(blocks), index, columns)
    return frame


def is_row_major(frame: pd.DataFrame) -> bool:
    """Whether the numbers of a frame lie row after row, as a NumPy array that it was made of.

    A frame of columns of one dtype has them in one block. ``DataFrame(array, copy=False)``, as
    scikit-learn makes its data sets, keeps the array as it lies; most else lays columns one after
    the other. Reaches the blocks of the frame's manager,
    as ``to_numpy`` copies a frame of several dtypes. Seen in 3.0 and 3.1. Without it the answer is
    no: sums may be added in another order than in training.

    Args:
        frame: of the largest block of numbers in it, the layout is told.
    """
    blocks = getattr(getattr(frame, "_mgr", None), "blocks", ())
    arrays = [block.values for block in blocks if getattr(block.values, "ndim", 1) == 2]
    numbers = [values for values in arrays if values.dtype.kind in "iuf" and min(values.shape) > 1]
    if not numbers:
        return False
    largest = max(numbers, key=lambda values: values.size)
    if sum(values.dtype == largest.dtype for values in arrays) > 1:
        return False  # Columns were added since, and all are copied together when they are used.
    across_columns, along_rows = largest.strides
    return bool(abs(across_columns) < abs(along_rows))


def text_array(values: pa.Array, dtype: pd.StringDtype) -> Any:
    """Texts as a pandas array, without a copy.

    Reaches the ``dtype`` of ``ArrowStringArray``'s constructor, which its documentation leaves out.
    Seen in 3.0 and 3.1. Without it nothing is served: the call fails.

    Args:
        values: of Arrow type ``large_string``.
        dtype: says what a missing value is.
    """
    return ArrowStringArray(values, dtype=dtype)  # type: ignore[call-arg]
