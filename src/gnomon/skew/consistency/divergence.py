"""Divergence over time, in buckets that widen as the range grows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.offline.time_buckets import FROM_SECONDS, TimeSums

__all__ = ["DivergenceOverTime"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

_MOST_BUCKETS = 60
_HELD_BUCKETS = 4_000
_ROWS = "rows"


@dataclass(slots=True)
class DivergenceOverTime:
    """Rows and diverging rows by time, in buckets that widen as the range grows.

    Attributes:
        first: the time of the first diverging row, in seconds since 1970, and its request.
        last: the time of the last diverging row.
    """

    first: tuple[float, str] | None = None
    last: float | None = None
    _sums: TimeSums = field(default_factory=lambda: TimeSums(FROM_SECONDS, _HELD_BUCKETS, 2))

    @property
    def seconds(self) -> int:
        """The width of a bucket."""
        return self._sums.seconds

    @property
    def counts(self) -> dict[int, tuple[int, int]]:
        """Bucket number (seconds since 1970 / width) to rows and diverging rows."""
        sums = self._sums.series.get(_ROWS, np.empty((0, 2))).astype(int).tolist()
        numbers = self._sums.numbers.tolist()
        return {
            number: (rows, diverging)
            for number, (rows, diverging) in zip(numbers, sums, strict=True)
        }

    def add(self, row_times: Floats, diverged: Mask, requests: pa.ChunkedArray) -> None:
        """Count rows at ``row_times``, seconds since 1970; NaN is left out."""
        known = np.flatnonzero(np.isfinite(row_times))
        row_times, diverged = row_times[known], diverged[known]
        buckets, places = self._sums.split(row_times)
        rows = np.bincount(places, minlength=len(buckets))
        diverging_rows = np.bincount(places, weights=diverged, minlength=len(buckets))
        self._sums.add(buckets, {_ROWS: np.stack([rows, diverging_rows], axis=1)})
        if diverged.any():
            times = np.where(diverged, row_times, np.inf)
            earliest = int(times.argmin())
            request = requests[int(known[earliest])].as_py()
            self.first = min(self.first or (np.inf, ""), (float(times[earliest]), request))
            self.last = max(self.last or -np.inf, float(row_times[diverged].max()))

    def settle(self) -> None:
        """Widen the buckets until the range has at most 60 of them."""
        self._sums.fit(_MOST_BUCKETS)
