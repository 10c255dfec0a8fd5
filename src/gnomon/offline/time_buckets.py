"""Time buckets that widen as the range grows, so that the memory for a log is bounded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = [
    "FROM_HOURS",
    "FROM_MINUTES",
    "FROM_SECONDS",
    "NO_TIME",
    "TimeSums",
    "moved",
    "numbered",
    "wider",
]

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

_HOUR = 3_600
_DAY = 24 * _HOUR

# In seconds, each a multiple of the previous one, so that buckets merge without a remainder.
FROM_SECONDS = (
    1, 5, 15, 60, 300, 900, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR,
    _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 3_640 * _DAY,
)  # fmt: skip
"""Widths for the plot of a log, which may cover a minute or a decade."""

FROM_MINUTES = (60, 300, 900, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 3_640 * _DAY)
"""Widths for counts that need many rows per bucket. There are few widths because every bucket costs
a vector per column."""

FROM_HOURS = (_HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY)
"""Widths for the consistency of a column over time."""

NO_TIME = np.iinfo(np.int64).min
"""The bucket of rows without a time."""


def numbered(times: Floats, seconds: int) -> Numbers:
    """Return the bucket of each time, counted from 1970; :data:`NO_TIME` for NaN and infinity."""
    known = np.isfinite(times)
    numbers = np.floor(np.where(known, times, 0.0) / seconds).astype(np.int64)
    return np.where(known, numbers, NO_TIME)


def wider(widths: tuple[int, ...], seconds: int) -> int | None:
    """Return the next width; None after the last."""
    return next((width for width in widths if width > seconds), None)


def moved(bucket: int, seconds: int, to: int) -> int:
    """Return the wider bucket that contains a bucket."""
    return bucket if bucket == NO_TIME else bucket * seconds // to


@dataclass(slots=True)
class TimeSums:
    """Sums by time bucket, for any number of series with several sums each.

    Attributes:
        widths: the possible widths of a bucket, in seconds, narrowest first.
        held: the most buckets to hold; if there are more, they widen.
        columns: the number of sums of each series.
        seconds: the width of a bucket.
        numbers: the bucket numbers in ascending order: seconds since 1970 / width.
        series: by name, a row of sums for each of ``numbers``.
    """

    widths: tuple[int, ...]
    held: int
    columns: int
    seconds: int = field(init=False)
    numbers: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    series: dict[str, Floats] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.seconds = self.widths[0]

    def split(self, times: Floats) -> tuple[Numbers, Numbers]:
        """Return the buckets of some times, in ascending order, and the bucket of each time."""
        buckets, places = np.unique(numbered(times, self.seconds), return_inverse=True)
        return buckets, places

    def add(self, buckets: Numbers, sums: dict[str, Floats]) -> None:
        """Add a row of sums to each series for each of these buckets, in ascending order.

        Widens the buckets until there are at most ``held`` of them.
        """
        positions = self._places(buckets)
        for name, rows in sums.items():
            if name not in self.series:
                self.series[name] = np.zeros((len(self.numbers), self.columns))
            self.series[name][positions] += rows
        while len(self.numbers) > self.held and self._widen():
            pass

    def fit(self, most: int) -> None:
        """Widen until there are at most ``most`` buckets from the first to the last."""
        while (
            len(self.numbers) and int(self.numbers[-1] - self.numbers[0]) >= most and self._widen()
        ):
            pass

    def _places(self, buckets: Numbers) -> Numbers:
        """Return the positions of buckets among the sums, with zero sums added for new ones."""
        known = np.union1d(self.numbers, buckets)
        if len(known) > len(self.numbers):
            positions = np.searchsorted(known, self.numbers)
            self.numbers = known
            for name, sums in self.series.items():
                self.series[name] = np.zeros((len(known), self.columns))
                self.series[name][positions] = sums
        return np.searchsorted(known, buckets)

    def _widen(self) -> bool:
        to = wider(self.widths, self.seconds)
        if to is None:
            return False
        self.numbers, firsts = np.unique(self.numbers * self.seconds // to, return_index=True)
        self.series = {name: np.add.reduceat(sums, firsts) for name, sums in self.series.items()}
        self.seconds = to
        return True
