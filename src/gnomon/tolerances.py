"""How close two numbers must be to count as equal, and why: every tolerance that no policy sets.

Differences are of float64 unless it says otherwise. Relative ones are shares of the larger side.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = [
    "CLOCK_HOURS",
    "CORRELATION",
    "LAST_DIGITS",
    "LEADING_DIGITS",
    "MOMENT_HOURS",
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
The last few of a float's 53 bits are theirs, and 1e-9 leaves 23 to them."""

ROUNDING_NEAR_ZERO = 1e-12
"""Absolute, beside :data:`ROUNDING`: what is left where terms cancel has no leading digits."""

SINGLE_ROUNDING = 1e-4
"""Relative: :data:`ROUNDING` for 32-bit floats, of 24 bits."""

LAST_DIGITS = 1e-14
"""Relative: one rounding to decimal digits, done twice; a few units in the last place."""

ON_A_LINE = 1e-8
"""Relative: a point on a straight line through two others, whose own rounding tilts the line."""

LEADING_DIGITS = 1e-7
"""Relative: the same ratio, told by quotients that were cut to nine digits."""

PROBABILITY_LEAD = 1e-9
"""Absolute: how far the largest probability must lead for it to decide the label. Scores this close
may come out as equal probabilities, or in the other order, once they are rounded."""

CORRELATION = 1e-12
"""Absolute: how far from 1 a correlation is that says "the same up to scale and shift"."""

MOMENT_HOURS = 1e-9
"""Hours, 3.6 microseconds: differences of moments and of clock readings, which are kept in hours
since 1970 (an epoch of half a million hours has 7e-11 to spare)."""

CLOCK_HOURS = 1e-6
"""Hours, 3.6 milliseconds: moments that went through text, which may have cut them to
milliseconds."""

TICK = 1e-9
"""Relative: so that the last round number of an axis is not lost to its own division."""


def close(one: Floats, other: Floats, *, relative: float = ROUNDING, absolute: float = 0.0) -> Mask:
    """Which values are equal, or near enough; NaN is near to nothing, infinity to itself only.

    Args:
        one: one side.
        other: the other; neither is taken for the true one.
        relative: share of the larger of the two that they may differ by.
        absolute: they may differ by this much at least.
    """
    with np.errstate(all="ignore"):
        apart, size = np.abs(one - other), np.fmax(np.abs(one), np.abs(other))
        within = np.isfinite(apart) & (apart <= np.fmax(relative * size, absolute))
        near: Mask = (one == other) | within
    return near
