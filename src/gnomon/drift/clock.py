"""Time in buckets that widen as the range grows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["WIDTHS", "numbered", "wider"]

_DAY = 86_400
WIDTHS = (60, 300, 900, 3_600, 21_600, _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 3_640 * _DAY)
"""Seconds, each a whole multiple of the one before, so that buckets merge without a rest."""

NEVER = np.iinfo(np.int64).min
"""The bucket of rows without a time."""


def numbered(moments: npt.NDArray[np.float64], seconds: int) -> npt.NDArray[np.int64]:
    """The bucket of each moment, counted from 1970; :data:`NEVER` for NaN."""
    known = np.isfinite(moments)
    numbers = np.floor(np.where(known, moments, 0.0) / seconds).astype(np.int64)
    return np.where(known, numbers, NEVER)


def wider(seconds: int) -> int | None:
    """The next width; None after the last."""
    return next((width for width in WIDTHS if width > seconds), None)


def moved(bucket: int, seconds: int, to: int) -> int:
    """The bucket of another width that one lies in."""
    return bucket if bucket == NEVER else bucket * seconds // to
