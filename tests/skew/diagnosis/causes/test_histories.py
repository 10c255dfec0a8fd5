"""One side is computed from the other's values so far."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.skew.diagnosis.cases import explained

RNG = np.random.default_rng(12)
VALUES = RNG.normal(60, 15, 400)
SHOP = RNG.integers(0, 6, 400)
SERIES = pd.Series(VALUES)


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (SERIES.rolling(3, min_periods=1).mean(), "is the mean of the last 3 values on"),
        (SERIES.expanding().mean(), "is the mean of the values so far on"),
        (SERIES.cumsum(), "is the sum of the values so far on"),
        (SERIES.cummax(), "is the largest value so far on"),
        (SERIES.cummin(), "is the smallest value so far on"),
        (SERIES.diff(), "is the change from the value before on"),
        (
            SERIES.rolling(3, min_periods=1, center=True).mean(),
            "is the mean of the values before, at and after it on",
        ),
    ],
)
def test_what_is_computed_from_the_rows_before_is_described(left: Any, says: str) -> None:
    """In the order of time, and not called stale because it was there before."""
    found, *_ = explained(left.to_numpy(), VALUES).found
    assert not found.is_confirmed
    assert says in found.proposal.finding


def test_each_group_has_its_own_history() -> None:
    """Rows of other groups come between."""
    rolled = SERIES.groupby(SHOP).rolling(4, min_periods=1).mean()
    own = rolled.reset_index(level=0, drop=True).sort_index().to_numpy()
    (found,) = explained(own, VALUES, groups=[("shop", SHOP)]).found
    assert "the mean of the last 4 values of the same `shop`" in found.proposal.finding


def test_rows_are_taken_in_the_order_of_time() -> None:
    """Not in the order in which they are listed."""
    order = RNG.permutation(400)
    total = np.cumsum(VALUES)
    (found,) = explained(total[order], VALUES[order], row_times=order.astype(float)).found
    assert found.proposal.cause == "cumulative values"
