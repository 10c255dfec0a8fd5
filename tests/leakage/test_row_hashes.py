"""Rows with the same values have the same hash."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnomon.leakage.row_hashes import exact, found_in, rounded


def frame(**columns: object) -> pd.DataFrame:
    """Two rows."""
    return pd.DataFrame({"miles": [1.0, 2.0], "kind": ["solo", "pool"], **columns})


@pytest.mark.parametrize(
    "same",
    [
        frame(miles=np.array([1, 2])),
        frame(miles=np.array([1, 2], np.int8)),
        frame(kind=pd.Series(["solo", "pool"], dtype="category")),
        frame(kind=pd.Series(["solo", "pool"], dtype="string")),
    ],
)
def test_equal_rows_have_equal_hashes_whatever_their_dtypes(same: pd.DataFrame) -> None:
    """A CSV file's whole numbers are the floats of a Parquet file."""
    assert exact(frame()).tolist() == exact(same).tolist()


def test_minus_zero_is_zero_and_null_is_null() -> None:
    """A reader of the rows would call them the same."""
    zero, null = frame(miles=[0.0, np.nan]), frame(miles=[-0.0, None])
    assert exact(zero).tolist() == exact(null).tolist()


def test_one_cell_more_or_less_is_another_row() -> None:
    """One cell of any column is enough."""
    for other in (frame(miles=[1.0, 2.5]), frame(kind=["solo", "poll"])):
        assert (exact(frame()) == exact(other)).tolist() == [True, False]


def test_rounded_rows_are_alike_but_for_noise_and_spelling() -> None:
    """A hundredth of the standard deviation, case, spaces and the form of accents do not count."""
    like = pd.DataFrame({"miles": np.arange(100.0), "city": ["Zürich"] * 100})
    near = pd.DataFrame({"miles": [10.0, 50.0], "city": ["Zürich", "Zürich"]})
    noisy = pd.DataFrame({"miles": [10.05, 51.0], "city": ["ZU\u0308RICH ", " zürich"]})
    assert (rounded(near, like) == rounded(noisy, like)).tolist() == [True, False]


def test_found_in_asks_for_any_of_them() -> None:
    """Their order does not matter."""
    assert found_in(exact(frame()), exact(frame()[1:])).tolist() == [False, True]
