"""How fast rows of new entities come: what a gate over entities waits for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["HALVES", "NewEntities", "recent_marks"]

HALVES = EARLIER, LATER = "earlier", "later"
"""The names of the marks of a row of the first half of the window, and of the second."""

_FEWEST_ROWS = 5
"""Of so many rows at even times, none is in the second half of a window in 3% of windows."""

_SURE = 2.0
"""The rate falls if the halves differ by more than so many standard errors."""


class NewEntities(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of a window, and the entities whose first row is among them.

    Attributes:
        seconds: the length of the window.
        rows: rows of the first half of it, and of the second.
        new: entities whose first row is in the first half, and in the second.
        is_estimate: whether they were not counted, but follow from a larger count.
    """

    seconds: float
    rows: tuple[float, float]
    new: tuple[float, float]
    is_estimate: bool = False

    @classmethod
    def of(
        cls,
        counts: Mapping[str, npt.NDArray[np.int64]],
        repeats: npt.NDArray[np.int64],
        all_rows: str,
        seconds: float,
    ) -> NewEntities:
        """Count them from the rows of each entity.

        Args:
            counts: how many rows of each mark an entity has.
            repeats: how many entities have these counts.
            all_rows: the mark of every row.
            seconds: the length of the window.
        """
        earlier, later = counts[EARLIER], counts[LATER]
        is_new = (counts[all_rows] == earlier + later) & (counts[all_rows] > 0)
        in_first = is_new & (earlier > 0)
        return cls(
            seconds=seconds,
            rows=(float((earlier * repeats).sum()), float((later * repeats).sum())),
            new=(float(repeats[in_first].sum()), float(repeats[is_new & ~in_first].sum())),
        )

    @classmethod
    def between(
        cls, start: datetime, end: datetime, firsts: pa.Array, arrived: pa.Array
    ) -> NewEntities:
        """Count them from times.

        Args:
            start: the start of the window.
            end: its end.
            firsts: when the first row of each entity arrived.
            arrived: when each row arrived.
        """
        halves = [recent_marks(times, start, end) for times in (arrived, firsts)]
        rows, new = ([pc.sum(half[name]).as_py() or 0 for name in HALVES] for half in halves)
        return cls(
            seconds=max((end - start).total_seconds(), 1.0),
            rows=(float(rows[0]), float(rows[1])),
            new=(float(new[0]), float(new[1])),
        )

    def sampled(self, share: float) -> NewEntities:
        """Return what a sample of so many of the entities has of it."""
        (rows, more_rows), (new, more_new) = self.rows, self.new
        return msgspec.structs.replace(
            self,
            rows=(rows * share, more_rows * share),
            new=(new * share, more_new * share),
            is_estimate=True,
        )

    @property
    def rate(self) -> float:
        """New entities per second."""
        return sum(self.new) / self.seconds

    @property
    def has_stopped(self) -> bool:
        """Whether no row came in the second half, beyond chance."""
        return self.rows[0] >= _FEWEST_ROWS and not self.rows[1]

    @property
    def falls(self) -> bool:
        """Whether fewer of the rows are of new entities in the second half, beyond chance."""
        if not all(self.rows):
            return False
        before, after = self._shares()
        error = math.sqrt(before / self.rows[0] + after / self.rows[1])
        return before - after > _SURE * error

    def seconds_until(self, entities: int) -> float | None:
        """Estimate when so many new entities will have come; None if they may never come.

        While the share of new entities falls, it is taken to fall on by the same factor, as it
        does if a fixed number of entities comes back at random. Their number is not known.
        """
        if not sum(self.new) or self.has_stopped:
            return None
        if not self.falls:
            return entities / self.rate
        before, after = self._shares()
        factor = after / before
        remaining = self.new[1] * factor / (1 - factor)
        if entities >= remaining:
            return None
        return self.seconds / 2 * math.log(1 - entities / remaining) / math.log(factor)

    def _shares(self) -> tuple[float, float]:
        return self.new[0] / self.rows[0], self.new[1] / self.rows[1]


def recent_marks(
    arrived: pa.Array | pa.ChunkedArray, start: datetime, end: datetime
) -> dict[str, pa.BooleanArray]:
    """Return which rows arrived in each half of a window; rows after its end are in the second."""
    instant = pa.timestamp("us", tz="UTC")
    first, middle = (pa.scalar(at, instant) for at in (start, start + (end - start) / 2))
    later = pc.greater_equal(arrived, middle)
    earlier = pc.and_(pc.greater_equal(arrived, first), pc.invert(later))
    return {EARLIER: earlier, LATER: later}
