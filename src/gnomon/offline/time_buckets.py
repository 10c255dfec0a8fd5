"""Time in buckets that widen as the range grows, so that what is held of a log is bounded."""

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

# Seconds, each a whole multiple of the one before, so that buckets merge without a rest.
FROM_SECONDS = (
    1, 5, 15, 60, 300, 900, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR,
    _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 3_640 * _DAY,
)  # fmt: skip
"""Widths for the plot of a log that may hold a minute or a decade."""

FROM_MINUTES = (60, 300, 900, _HOUR, 6 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY, 364 * _DAY, 3_640 * _DAY)
"""Widths for what needs many rows per bucket; few, because every one costs a vector per column."""

FROM_HOURS = (_HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 7 * _DAY, 28 * _DAY)
"""Widths for the consistency of a column hour by hour."""

NO_TIME = np.iinfo(np.int64).min
"""The bucket of rows without a time."""


def numbered(moments: Floats, seconds: int) -> Numbers:
    """The bucket of each time, counted from 1970; :data:`NO_TIME` for NaN and infinity."""
    known = np.isfinite(moments)
    numbers = np.floor(np.where(known, moments, 0.0) / seconds).astype(np.int64)
    return np.where(known, numbers, NO_TIME)


def wider(widths: tuple[int, ...], seconds: int) -> int | None:
    """The next width; None after the last."""
    return next((width for width in widths if width > seconds), None)


def moved(bucket: int, seconds: int, to: int) -> int:
    """The bucket of another width that one lies in."""
    return bucket if bucket == NO_TIME else bucket * seconds // to


@dataclass(slots=True)
class TimeSums:
    """Sums by bucket of time, of any number of series that are each several sums wide.

    Attributes:
        widths: what a bucket may be wide, in seconds, narrowest first.
        held: the most buckets to hold; beyond it they widen.
        columns: the sums of each series.
        seconds: the width of a bucket.
        numbers: of the buckets, rising: seconds since 1970 over the width.
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

    def split(self, moments: Floats) -> tuple[Numbers, Numbers]:
        """The buckets of some moments, rising, and which of them each moment is in."""
        found, places = np.unique(numbered(moments, self.seconds), return_inverse=True)
        return found, places

    def add(self, buckets: Numbers, sums: dict[str, Floats]) -> None:
        """Add to the series a row for each of these buckets, which are rising.

        Widens the buckets until there are no more than are to be held.
        """
        at = self._places(buckets)
        for name, more in sums.items():
            if name not in self.series:
                self.series[name] = np.zeros((len(self.numbers), self.columns))
            self.series[name][at] += more
        while len(self.numbers) > self.held and self._widen():
            pass

    def fit(self, most: int) -> None:
        """Widen until the range from the first to the last bucket is at most ``most`` of them."""
        while (
            len(self.numbers) and int(self.numbers[-1] - self.numbers[0]) >= most and self._widen()
        ):
            pass

    def _places(self, buckets: Numbers) -> Numbers:
        """Where these buckets are among the sums, which are made where they are new."""
        known = np.union1d(self.numbers, buckets)
        if len(known) > len(self.numbers):
            old = np.searchsorted(known, self.numbers)
            self.numbers = known
            for name, sums in self.series.items():
                self.series[name] = np.zeros((len(known), self.columns))
                self.series[name][old] = sums
        return np.searchsorted(known, buckets)

    def _widen(self) -> bool:
        to = wider(self.widths, self.seconds)
        if to is None:
            return False
        self.numbers, firsts = np.unique(self.numbers * self.seconds // to, return_index=True)
        self.series = {name: np.add.reduceat(sums, firsts) for name, sums in self.series.items()}
        self.seconds = to
        return True
