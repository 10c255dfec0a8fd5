"""Rows and diverging rows by time, in buckets that widen as the range grows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["TimeBuckets"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_DAY = 86_400
_WIDTHS = (
    1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 43_200,
    _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 3_640 * _DAY,
)  # fmt: skip
"""Seconds, each a whole multiple of the one before, so that buckets merge without a rest."""

_MOST_BUCKETS = 60
_HELD_BUCKETS = 4_000


@dataclass(slots=True)
class TimeBuckets:
    """Rows and diverging rows by time, in buckets that widen as the range grows.

    Attributes:
        seconds: the width of a bucket.
        counts: bucket number (seconds since 1970 over the width) to rows and diverging rows.
        first: when the first diverging row was, in seconds since 1970, and its request.
        last: when the last was.
    """

    seconds: int = _WIDTHS[0]
    counts: dict[int, tuple[int, int]] = field(default_factory=dict)
    first: tuple[float, str] | None = None
    last: float | None = None

    def add(self, moments: Floats, diverged: Mask, requests: pa.ChunkedArray) -> None:
        """Count rows at ``moments``, seconds since 1970; NaN is left out."""
        known = np.flatnonzero(np.isfinite(moments))
        moments, diverged = moments[known], diverged[known]
        numbers = np.floor(moments / self.seconds).astype(np.int64)
        found, places = np.unique(numbers, return_inverse=True)
        rows = np.bincount(places, minlength=len(found)).tolist()
        bad = np.bincount(places, weights=diverged, minlength=len(found)).astype(int).tolist()
        for number, n, b in zip(found.tolist(), rows, bad, strict=True):
            before = self.counts.get(number, (0, 0))
            self.counts[number] = (before[0] + n, before[1] + b)
        if diverged.any():
            times = np.where(diverged, moments, np.inf)
            earliest = int(times.argmin())
            request = requests[int(known[earliest])].as_py()
            self.first = min(self.first or (np.inf, ""), (float(times[earliest]), request))
            self.last = max(self.last or -np.inf, float(moments[diverged].max()))
        while len(self.counts) > _HELD_BUCKETS and self._widen():
            pass

    def settle(self) -> None:
        """Widen until the whole range is a few dozen buckets."""
        while (
            self.counts and max(self.counts) - min(self.counts) >= _MOST_BUCKETS and self._widen()
        ):
            pass

    def _widen(self) -> bool:
        wider = next((w for w in _WIDTHS if w > self.seconds), None)
        if wider is None:
            return False
        old, self.counts = self.counts, {}
        for number, (rows, bad) in old.items():
            place = number * self.seconds // wider
            before = self.counts.get(place, (0, 0))
            self.counts[place] = (before[0] + rows, before[1] + bad)
        self.seconds = wider
        return True
