"""A bounded random sample of a stream: the rows with the smallest draws, or hashes, are kept.

Bottom-k sampling: Cohen and Kaplan, "Summarizing data using bottom-k sketches", PODC 2007. Each row
is as likely to be kept as any other, whatever came in which batches, and samples merge into the
sample of all that they saw.
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
    """At most ``size`` rows of whatever kind.

    Args:
        size: rows to keep.
        take: some of a batch's rows, by their indices.
        concat: batches as one.

    Attributes:
        seen: rows offered.
    """

    def __init__(
        self, size: int, take: Callable[[T, Places], T], concat: Callable[[Sequence[T]], T]
    ) -> None:
        self.seen = 0
        self._size, self._take, self._concat = size, take, concat
        self._below = np.inf
        self._parts: list[tuple[Floats, T]] = []
        self._held = 0

    def offer(self, places: Floats, rows: T) -> None:
        """See more rows, each with its place."""
        self.seen += len(places)
        chosen = np.flatnonzero(places < self._below)
        if len(chosen):
            self._parts.append((places[chosen], self._take(rows, chosen)))
            self._held += len(chosen)
        if self._held > 2 * self._size:
            self._shrink()

    def merge(self, other: BottomK[T]) -> None:
        """See all that another of the same size saw."""
        seen = self.seen + other.seen
        for places, rows in other._parts:
            self.offer(places, rows)
        self.seen = seen

    def kept(self) -> T | None:
        """The rows kept, by place; None when none were offered."""
        if not self._parts:
            return None
        self._shrink()
        return self._parts[0][1]

    def _shrink(self) -> None:
        places = np.concatenate([places for places, _ in self._parts])
        order = np.argsort(places, kind="stable")[: self._size]
        kept = self._take(self._concat([rows for _, rows in self._parts]), order)
        if len(places) > self._size:
            self._below = float(places[order[-1]])
        self._parts, self._held = [(places[order], kept)], len(order)
