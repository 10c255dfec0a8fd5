"""Rows of a table by key and, within a key, by the time at which they were known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Versions"]

Places = npt.NDArray[np.int64]
Micros = npt.NDArray[np.int64]


class Versions:
    """Finds, for a key and a time, the latest row known then.

    Attributes:
        codes: of each row, the number of its key.

    Args:
        keys: of the rows.
        rows: their numbers.
        known: when each was known, microseconds since 1970; None where that plays no part.
    """

    def __init__(self, keys: pd.Index, rows: Places, known: Micros | None) -> None:
        self.codes, distinct = keys.factorize()
        self._keys = pd.Index(distinct)
        if known is None:
            known = np.zeros(len(rows), dtype=np.int64)
        # A key and a moment as one number, so that one binary search finds both.
        self._times = np.unique(known)
        self._width = len(self._times) + 1
        marks = self.codes * self._width + np.searchsorted(self._times, known) + 1
        order = np.argsort(marks, kind="stable")
        self._marks, self._rows = marks[order], rows[order]

    @property
    def several(self) -> bool:
        """Whether a key has more than one row."""
        return len(self._rows) > len(self._keys)

    @property
    def repeated(self) -> Places:
        """Rows with the key and the time of a row before them."""
        again = np.flatnonzero(self._marks[1:] == self._marks[:-1]) + 1
        return np.sort(self._rows[again])

    def find(
        self,
        keys: pd.Index,
        moments: Micros | None = None,
        step: int = 0,
        *,
        foresee: bool = True,
    ) -> Places:
        """The latest row of each key known at its time; -1 where there is none.

        Args:
            keys: to look for.
            moments: microseconds since 1970; the last row of a key where not given.
            step: so many rows of the key further on, or back.
            foresee: give a key of which nothing was known yet the first of its rows: to see what
                nobody could know is how leakage is found.
        """
        found = np.full(len(keys), -1, dtype=np.int64)
        codes = self._keys.get_indexer(keys)
        met = np.flatnonzero(codes >= 0)
        marks = codes[met] * self._width
        ranks = np.full(len(met), len(self._times))
        if moments is not None:
            ranks = np.searchsorted(self._times, moments[met], side="right")
        begin, end = (np.searchsorted(self._marks, marks + more) for more in (0, self._width))
        at = np.searchsorted(self._marks, marks + ranks, side="right") - 1
        at = (np.maximum(at, begin) if foresee else at) + step
        within = (begin <= at) & (at < end)
        found[met[within]] = self._rows[at[within]]
        return found
