"""A bounded random sample of a stream: the rows with the smallest draws or hashes are kept.

Bottom-k sampling: Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007. Every
row is equally likely to be kept, however the rows are split into batches. Merging samples gives the
sample of all their rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["BottomK"]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
T = TypeVar("T")


class BottomK(Generic[T]):
    """A sample of at most ``size`` rows of any type.

    Args:
        size: rows to keep.
        take: returns the rows of a batch at some indices.
        concat: joins batches into one.

    Attributes:
        seen: how many rows were offered.
    """

    def __init__(
        self, size: int, take: Callable[[T, Places], T], concat: Callable[[Sequence[T]], T]
    ) -> None:
        self.seen = 0
        self._size, self._take, self._concat = size, take, concat
        self._bound = np.inf
        self._parts: list[tuple[Floats, T]] = []
        self._row_count = 0

    def offer(self, places: Floats, rows: T) -> None:
        """Offer more rows, each with its draw or hash."""
        self.seen += len(places)
        chosen = np.flatnonzero(places < self._bound)
        if len(chosen):
            self._parts.append((places[chosen], self._take(rows, chosen)))
            self._row_count += len(chosen)
        if self._row_count > 2 * self._size:
            self._shrink()

    def merge(self, other: BottomK[T]) -> None:
        """Merge another sample of the same size into this one."""
        seen = self.seen + other.seen
        for places, rows in other._parts:
            self.offer(places, rows)
        self.seen = seen

    def kept(self) -> T | None:
        """Return the rows kept, ordered by draw or hash; None when none were offered."""
        if not self._parts:
            return None
        self._shrink()
        return self._parts[0][1]

    def _shrink(self) -> None:
        places = np.concatenate([places for places, _ in self._parts])
        order = np.argsort(places, kind="stable")[: self._size]
        kept = self._take(self._concat([rows for _, rows in self._parts]), order)
        if len(places) > self._size:
            self._bound = float(places[order[-1]])
        self._parts, self._row_count = [(places[order], kept)], len(order)
