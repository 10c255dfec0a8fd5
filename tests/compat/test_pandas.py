"""The private parts of pandas that Gnomon uses exist and behave as expected."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from gnomon.compat.pandas import frame_of_blocks, is_row_major, text_array


def test_blocks_become_a_frame() -> None:
    """Blocks of numbers and of an extension array are put in the order of the columns."""
    blocks = [
        (np.array([[1.0, 2.0], [5.0, 6.0]]), np.array([0, 2])),
        (pd.array([3, 4], dtype="Int64"), np.array([1])),
    ]
    frame = frame_of_blocks(blocks, pd.RangeIndex(2), pd.Index(["a", "b", "c"]))
    expected = pd.DataFrame(
        {"a": [1.0, 2.0], "b": pd.array([3, 4], dtype="Int64"), "c": [5.0, 6.0]}
    )
    assert frame.equals(expected), (
        f"pandas {pd.__version__} makes another frame of the same blocks: every request would be "
        "predicted from it; see gnomon.compat.pandas.frame_of_blocks"
    )


@pytest.mark.parametrize("dtype", [pd.StringDtype("pyarrow", na_value=np.nan), pd.StringDtype()])
def test_texts_become_an_array(dtype: pd.StringDtype) -> None:
    """The array has exactly the dtype that was asked for, with that dtype's missing value."""
    values = pa.array(["a", None, ""], pa.large_string())
    array = text_array(values, dtype)
    assert array.dtype == dtype, (
        f"pandas {pd.__version__} gives `{array.dtype!r}` where `{dtype!r}` was asked for; see "
        "gnomon.compat.pandas.text_array"
    )
    assert pd.Series(array).isna().tolist() == [False, True, False]
    assert pd.Series(array).fillna("?").tolist() == ["a", "?", ""]


def test_the_layout_of_a_frame_is_seen() -> None:
    """A frame of an array that is not copied keeps its rows together; one of columns does not."""
    array = np.arange(12.0).reshape(4, 3)
    of_array = pd.DataFrame(array, columns=list("abc"), copy=False)
    of_columns = pd.DataFrame({name: of_array[name].to_numpy() for name in "abc"})
    assert [
        is_row_major(frame)
        for frame in (of_array, of_array.iloc[1:3], of_array.assign(d="x"), of_columns)
    ] == [True, True, True, False], (
        f"pandas {pd.__version__} keeps its blocks otherwise: linear models may differ in their "
        "last digits from the pipeline; see gnomon.compat.pandas.is_row_major"
    )
    assert not is_row_major(of_array[["a"]])
    assert not is_row_major(of_array.assign(d=1.0))  # to_numpy() lays both blocks out anew
    assert of_array.assign(d=1.0).to_numpy().flags.f_contiguous
    assert not is_row_major(pd.DataFrame({"d": ["x", "y"]}))
