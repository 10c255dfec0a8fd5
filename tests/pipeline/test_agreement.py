"""When two answers of a pipeline count as equal."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from gnomon.pipeline.agreement import agree, type_family


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("int8", "float64", True),
        ("bool", "uint16", True),
        ("object", "str", True),
        ("<U7", "|S3", True),
        ("Int64", "int64", False),
        ("Float32", "float32", False),
        ("category", "object", False),
        ("datetime64[us, UTC]", "datetime64[ns]", True),
        ("datetime64[us, UTC]", "int64", False),
    ],
)
def test_dtypes_are_alike_where_every_estimator_takes_both(
    one: str, other: str, same: bool
) -> None:
    """numpy's numbers are one family; pandas' nullable ones and objects are not of it."""
    assert (type_family(one) == type_family(other)) == same


def agreeing(left: Any, right: Any, digits: float = 0.5) -> list[bool]:
    """Row by row."""
    return agree(pd.Series(left), pd.Series(right), digits).tolist()


def test_floats_agree_in_a_share_of_their_digits() -> None:
    """The share is of the largest value of the column, as sums lose digits by their largest
    term.
    """
    assert agreeing([1.0, 1.0, 1.0], [1.0 + 1e-9, 1.0 + 1e-7, np.nan]) == [True, False, False]
    assert agreeing([1e9, 1.0], [1e9, 1.5]) == [True, True]
    assert agreeing([1e9, 1.0], [1e9, 1.5], digits=0.9) == [True, False]


def test_what_was_computed_in_32_bits_has_their_digits() -> None:
    """Half the digits of 24 bits, whatever type the values were then written in."""
    narrow = np.array([0.1, 0.2], np.float32)
    assert agreeing(narrow.astype(float), narrow.astype(float) + 1e-5) == [True, True]
    assert agreeing([0.1, 0.2], [0.1 + 1e-5, 0.2]) == [False, True]


def test_null_agrees_with_null_of_any_kind() -> None:
    """It agrees with nothing else; infinity agrees with itself."""
    assert agreeing([np.nan, np.inf, -np.inf], [np.nan, np.inf, np.inf]) == [True, True, False]
    assert agreeing(["a", None, None], ["a", np.nan, "b"]) == [True, True, False]


def test_labels_are_equal_or_not() -> None:
    """Texts and whole numbers are compared exactly."""
    assert agreeing(["a", "b"], ["a", "B"]) == [True, False]
    assert agreeing([1, 2], [1, 3]) == [True, False]
