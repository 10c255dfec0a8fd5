"""How close two numbers must be to count as equal, and why: all tolerances outside the policy.

Numbers are float64 unless stated otherwise. Relative differences are shares of the larger number.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "CLOCK_HOURS",
    "CORRELATION",
    "INSTANT_HOURS",
    "LAST_DIGITS",
    "LEADING_DIGITS",
    "ON_A_LINE",
    "PROBABILITY_LEAD",
    "ROUNDING",
    "ROUNDING_NEAR_ZERO",
    "SINGLE_ROUNDING",
    "TICK",
    "close",
]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

ROUNDING = 1e-9
"""Relative: the same arithmetic in another order, on another processor, or undone and done again.
These change the last few of a float's 53 bits; 1e-9 allows for 23."""

ROUNDING_NEAR_ZERO = 1e-12
"""Absolute, in addition to :data:`ROUNDING`: when terms cancel, the rest has no correct digits."""

SINGLE_ROUNDING = 1e-4
"""Relative: :data:`ROUNDING` for 32-bit floats, which have 24 bits."""

LAST_DIGITS = 1e-14
"""Relative: the same rounding to decimal digits done twice; a few units in the last place."""

ON_A_LINE = 1e-8
"""Relative: a point on a straight line through two others, whose own rounding tilts the line."""

LEADING_DIGITS = 1e-7
"""Relative: the same ratio, computed from quotients that were cut to nine digits."""

PROBABILITY_LEAD = 1e-9
"""Absolute: how far the largest probability must lead for it to decide the label. Scores this close
may be equal or in the other order after rounding."""

CORRELATION = 1e-12
"""Absolute: how far from 1 a correlation may be that means "the same up to scale and shift"."""

INSTANT_HOURS = 1e-9
"""Hours, 3.6 microseconds: differences of times and of clock readings, which are kept in hours
since 1970 (at half a million hours a float is exact to 7e-11)."""

CLOCK_HOURS = 1e-6
"""Hours, 3.6 milliseconds: times that were written as text, perhaps cut to milliseconds."""

TICK = 1e-9
"""Relative: so that rounding in a division does not lose the last tick of an axis."""


def close(
    left: Floats, right: Floats, *, relative: float = ROUNDING, absolute: float = 0.0
) -> Mask:
    """Return which values are close: NaN is close to nothing, infinity only to itself.

    Args:
        left: one side.
        right: the other; the two are treated alike.
        relative: they may differ by this share of the larger value.
        absolute: they may always differ by this much.
    """
    with np.errstate(all="ignore"):
        distance, size = np.abs(left - right), np.fmax(np.abs(left), np.abs(right))
        within = np.isfinite(distance) & (distance <= np.fmax(relative * size, absolute))
        is_close: Mask = (left == right) | within
    return is_close
