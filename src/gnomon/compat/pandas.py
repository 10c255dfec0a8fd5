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
    """Make a frame from blocks of columns, each of one dtype.

    ``pandas.api.internals`` is meant for pyarrow and is not stable for others. The public
    alternative ``DataFrame(dict)`` copies and checks every column, which takes three times as long
    for each request. Seen in 3.0 and 3.1. Without it nothing is served: the import fails.

    Args:
        blocks: values, of shape (columns, rows) or an extension array, and the positions of their
            columns.
        index: the row labels.
        columns: the column labels.
    """
    frame: pd.DataFrame = create_dataframe_from_blocks(list(blocks), index, columns)
    return frame


def is_row_major(frame: pd.DataFrame) -> bool:
    """Return whether the numbers of a frame are stored row by row, as in a C-ordered array.

    A frame keeps the columns of one dtype in one block. ``DataFrame(array, copy=False)``, with
    which scikit-learn makes its data sets, keeps the layout of the array; most other ways store
    column by column. Uses the blocks of the frame's manager, because ``to_numpy`` copies a frame of
    several dtypes. Seen in 3.0 and 3.1. Without it the answer is no: sums may be added in another
    order than in training.

    Args:
        frame: the layout of its largest block of numbers is checked.
    """
    blocks = getattr(getattr(frame, "_mgr", None), "blocks", ())
    arrays = [block.values for block in blocks if getattr(block.values, "ndim", 1) == 2]
    numbers = [values for values in arrays if values.dtype.kind in "iuf" and min(values.shape) > 1]
    if not numbers:
        return False
    largest = max(numbers, key=lambda values: values.size)
    if sum(values.dtype == largest.dtype for values in arrays) > 1:
        return False  # Columns were added later; all are copied together when they are used.
    across_columns, along_rows = largest.strides
    return bool(abs(across_columns) < abs(along_rows))


def text_array(values: pa.Array, dtype: pd.StringDtype) -> Any:
    """Return strings as a pandas array, without a copy.

    Uses the undocumented ``dtype`` argument of ``ArrowStringArray``. Seen in 3.0 and 3.1. Without
    it nothing is served: the call fails.

    Args:
        values: of Arrow type ``large_string``.
        dtype: defines the missing value.
    """
    return ArrowStringArray(values, dtype=dtype)  # type: ignore[call-arg]
