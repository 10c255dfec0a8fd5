"""Training dtypes by name."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given

from gnomon.contract import Feature
from gnomon.contract.dtypes import dtype_name, training_dtype
from gnomon.errors import ContractError
from tests.contract.strategies import features


@given(features())
def test_a_name_stands_for_its_dtype(feature: Feature) -> None:
    """A column of the training dtype is called what the contract calls it."""
    column = pd.Series([], dtype=training_dtype(feature))
    assert dtype_name(column) == re.sub(r"object\[.+\]", "object", feature.dtype)


def test_categories_are_in_the_domains_order() -> None:
    """The dtype has the domain's order, not the alphabet's."""
    feature = Feature(name="x", type="category", dtype="category", domain=("b", "a"))
    assert training_dtype(feature) == pd.CategoricalDtype(["b", "a"])
    assert list(training_dtype(feature).categories) == ["b", "a"]  # type: ignore[union-attr]


def test_nulls_of_several_kinds_are_refused() -> None:
    """An object column with both None and NaN has no one way to be rebuilt."""
    with pytest.raises(ContractError, match="NoneType, float"):
        dtype_name(pd.Series(["a", None, np.nan], dtype=object))
