"""Times other than each row's own at which to look up a table: its versions, and fixed lags."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.report.numbers import duration, plural

__all__ = ["NOW", "SHIFTS", "History", "Shift", "Shifted", "changing"]

Places = npt.NDArray[np.int64]

_HOUR = 3_600


@dataclass(frozen=True, slots=True)
class Shift:
    """How far from a row's own time a table is looked up, in one of two ways.

    Attributes:
        step: so many versions of the key later, or earlier.
        hours: so much later, or earlier: what the table knew then, nothing if that was nothing.
    """

    step: int = 0
    hours: int = 0

    @property
    def what(self) -> str:
        """``1 version earlier``, ``7 days later``."""
        size = abs(self.hours) * _HOUR
        span = plural(abs(self.step), "version") if self.step else duration(size)
        return f"{span} {'later' if self.is_later else 'earlier'}"

    @property
    def is_later(self) -> bool:
        """Whether that is after the row's own time."""
        return self.step + self.hours > 0

    @property
    def micros(self) -> int:
        """The lag in microseconds."""
        return self.hours * _HOUR * 1_000_000


NOW = Shift()
"""The row's own time."""

SHIFTS = (
    Shift(step=-1),
    Shift(step=1),
    *(Shift(hours=sign * hours) for sign in (-1, 1) for hours in (1, 24, 168)),
)
"""The next versions, and how often features are commonly recomputed: hours, days and weeks."""


@dataclass(frozen=True, slots=True)
class Shifted:
    """A table's values for some rows at another time.

    Attributes:
        rows: the table's row for each; -1 where it has none.
        right: its columns; null there.
    """

    shift: Shift
    rows: Places
    right: pa.Table

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Rows that the table has."""
        return self.rows >= 0


History = Callable[[pa.Table, Shift], Shifted]
"""Gives, for rows as ``Pairs.about`` has them, the table's values at another time."""


def changing(history: History, about: pa.Table) -> Iterator[Shifted]:
    """What was joined, then each of :data:`SHIFTS` that gives any other row of the table."""
    joined = history(about, NOW)
    yield joined
    for shift in SHIFTS:
        found = history(about, shift)
        if (found.there & (found.rows != joined.rows)).any():
            yield found
