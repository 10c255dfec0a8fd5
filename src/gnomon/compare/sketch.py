"""Quantiles of a stream in one pass and bounded memory."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["RELATIVE_ERROR", "Sketch"]

RELATIVE_ERROR = 0.01
"""A quantile from a sketch is within this share of the true one."""

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = float(np.log(_GAMMA))
_SMALLEST = float(np.finfo(np.float64).tiny)


class Sketch:
    """A DDSketch of signed numbers, which can be merged in any order with the same result.

    Counts values in bins whose bounds grow by a constant factor, so a quantile's error is at most
    1% *of its value* (:data:`RELATIVE_ERROR`); ``minimum`` and ``maximum`` are exact. Values
    smaller than the smallest normal float count as 0. At most about 142,000 bins exist over the
    whole range of floats; data of a few orders of magnitude use a few hundred.

    Source: Masson, Rim, Lee, "DDSketch: a fast and fully-mergeable quantile sketch with
    relative-error guarantees", PVLDB 12(12), 2019.

    >>> sketch = Sketch()
    >>> sketch.add(np.arange(1.0, 1001.0))
    >>> abs(sketch.quantile(0.5) - 500.5) <= 0.01 * 500.5
    True
    """

    __slots__ = ("_bins", "count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self._bins: dict[int, int] = {}
        self.count = 0
        self.total = 0.0
        self.minimum = float("inf")
        self.maximum = float("-inf")

    def add(self, values: npt.NDArray[np.float64]) -> None:
        """Count ``values``; those that are not finite are left out."""
        values = values[np.isfinite(values)]
        if not len(values):
            return
        others = values[values != 0]  # most differences are 0, which needs no logarithm
        if zeros := len(values) - len(others):
            self._bins[0] = self._bins.get(0, 0) + zeros
        keys, counts = np.unique(_keys(others), return_counts=True)
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            self._bins[key] = self._bins.get(key, 0) + count
        self.count += len(values)
        self.total += float(values.sum())
        self.minimum = min(self.minimum, float(values.min()))
        self.maximum = max(self.maximum, float(values.max()))

    def merge(self, other: Sketch) -> None:
        """Add the counts of ``other``."""
        for key, count in other._bins.items():
            self._bins[key] = self._bins.get(key, 0) + count
        self.count += other.count
        self.total += other.total
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)

    @property
    def mean(self) -> float | None:
        """The mean; None if there are no values."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Return the value at or below which a ``share`` (0 to 1) of the values are, or None."""
        return self.quantiles((share,))[0] if self.count else None

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """Return several quantiles at once; empty if there are no values."""
        if not self.count:
            return []
        keys = np.array(sorted(self._bins), dtype=np.int64)
        reached = np.cumsum([self._bins[key] for key in keys.tolist()])
        ranks = np.ceil(np.asarray(shares, dtype=np.float64) * self.count).clip(1)
        keys_at_ranks = keys[np.searchsorted(reached, ranks, side="left").clip(max=len(keys) - 1)]
        values = _values(keys_at_ranks).clip(self.minimum, self.maximum)
        values = np.where(ranks <= 1, self.minimum, values)
        values = np.where(ranks >= self.count, self.maximum, values)
        return [float(value) for value in values]


# Keys have the order of their values: 0 is zero, a bin of x > 0 is positive, and the bin of -x is
# its negative.
_OFFSET = 1 - int(np.floor(np.log(_SMALLEST) / _LOG_GAMMA))


def _keys(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    size = np.abs(values)
    bins = np.ceil(np.log(size.clip(min=_SMALLEST)) / _LOG_GAMMA).astype(np.int64) + _OFFSET
    return np.where(size < _SMALLEST, 0, np.sign(values).astype(np.int64) * bins)


def _values(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    with np.errstate(over="ignore"):
        size = 2 / (1 + _GAMMA) * np.exp((np.abs(keys) - _OFFSET) * _LOG_GAMMA)
    return np.where(keys == 0, 0.0, np.sign(keys) * size)
