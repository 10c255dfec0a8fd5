"""Shifted times at which to look up a table: by its versions, or by fixed lags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.quantities import duration, plural

__all__ = ["NOW", "SHIFTS", "History", "Shift", "Shifted", "changing"]

Places = npt.NDArray[np.int64]

_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Shift:
    """A shift from a row's time at which a table is looked up, in one of two ways.

    Attributes:
        step: by this many versions of the key; negative is earlier.
        hours: by this many hours; negative is earlier. A row is found only if it was known then.
    """

    step: int = 0
    hours: int = 0

    @property
    def what(self) -> str:
        """The shift in words, such as ``1 version earlier`` or ``7 days later``."""
        size = abs(self.hours) * _HOUR
        span = plural(abs(self.step), "version") if self.step else duration(size)
        return f"{span} {'later' if self.is_later else 'earlier'}"

    @property
    def is_later(self) -> bool:
        """Whether it is after the row's time."""
        return self.step + self.hours > 0

    @property
    def micros(self) -> int:
        """The lag in microseconds."""
        return self.hours * _HOUR * 1_000_000


NOW = Shift()
"""No shift: the row's time."""

SHIFTS = (
    Shift(step=-1),
    Shift(step=1),
    *(Shift(hours=sign * hours) for sign in (-1, 1) for hours in (1, 24, 168)),
)
"""The next versions, and the usual intervals at which features are recomputed: hours, days, weeks.
"""


@dataclass(frozen=True, slots=True)
class Shifted:
    """A table's values for some rows at a shifted time.

    Attributes:
        rows: the table's row for each; -1 where it has none.
        right: the table's columns; null where it has no row.
    """

    shift: Shift
    rows: Places
    right: pa.Table

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """The mask of rows that the table has."""
        return self.rows >= 0


History = Callable[[pa.Table, Shift], Shifted]
"""Looks up the table's values at a shifted time, for rows given as ``Pairs.about``."""


def changing(history: History, about: pa.Table) -> Iterator[Shifted]:
    """Yield the joined values, then each of :data:`SHIFTS` that gives other rows of the table."""
    joined = history(about, NOW)
    yield joined
    for shift in SHIFTS:
        shifted = history(about, shift)
        if (shifted.there & (shifted.rows != joined.rows)).any():
            yield shifted
