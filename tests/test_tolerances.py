"""Tolerances for rounding errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gnomon.tolerances import ROUNDING, close


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        (0.1 + 0.2, 0.3, True),
        (1.0, 1.0 + 0.9 * ROUNDING, True),
        (1.0, 1.0 + 1.2 * ROUNDING, False),
        (-1e300, -1e300 * (1 + 0.9 * ROUNDING), True),
        (0.0, 1e-300, False),
        (0.0, -0.0, True),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (math.inf, 1.7e308, False),
        (math.nan, math.nan, False),
        (1.0, math.nan, False),
    ],
)
def test_near_is_a_share_of_the_larger_side(one: float, other: float, near: bool) -> None:
    """The same either way round; NaN is near to nothing, infinity to itself only."""
    for left, right in ((one, other), (other, one)):
        assert close(np.array([left]), np.array([right])).tolist() == [near]


def test_an_absolute_tolerance_holds_near_zero() -> None:
    """Relative tolerances are zero there."""
    one, other = np.array([0.0, 0.0, 100.0]), np.array([5e-13, 2e-12, 100.0 + 1e-9])
    assert close(one, other, absolute=1e-12).tolist() == [True, False, True]
