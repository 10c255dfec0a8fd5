"""Rows of a table by key and, within a key, by the time at which they were known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Versions"]

Places = npt.NDArray[np.int64]
Micros = npt.NDArray[np.int64]


class Versions:
    """Finds, for a key and a time, the latest row that was known then.

    Attributes:
        codes: the number of each row's key.

    Args:
        keys: the keys of the rows.
        rows: the row numbers.
        known: when each row was known, in microseconds since 1970; None if time does not matter.
    """

    def __init__(self, keys: pd.Index, rows: Places, known: Micros | None) -> None:
        self.codes, distinct = keys.factorize()
        self._keys = pd.Index(distinct)
        if known is None:
            known = np.zeros(len(rows), dtype=np.int64)
        # A key and a time are combined into one number, so that one binary search finds both.
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
        """Rows that repeat the key and the time of an earlier row."""
        repeated = np.flatnonzero(self._marks[1:] == self._marks[:-1]) + 1
        return np.sort(self._rows[repeated])

    def find(
        self,
        keys: pd.Index,
        row_times: Micros | None = None,
        step: int = 0,
        *,
        foresee: bool = True,
    ) -> Places:
        """Find the latest row of each key that was known at its time; -1 where there is none.

        Args:
            keys: the keys to find.
            row_times: the time for each key, in microseconds since 1970; without it, the last row.
            step: move by this many rows of the key, to later (positive) or earlier ones.
            foresee: use the first row of a key if none was known yet. Values that were not known
                yet are needed to detect leakage.
        """
        rows = np.full(len(keys), -1, dtype=np.int64)
        codes = self._keys.get_indexer(keys)
        matched = np.flatnonzero(codes >= 0)
        marks = codes[matched] * self._width
        ranks = np.full(len(matched), len(self._times))
        if row_times is not None:
            ranks = np.searchsorted(self._times, row_times[matched], side="right")
        begin, end = (np.searchsorted(self._marks, marks + more) for more in (0, self._width))
        positions = np.searchsorted(self._marks, marks + ranks, side="right") - 1
        positions = (np.maximum(positions, begin) if foresee else positions) + step
        within = (begin <= positions) & (positions < end)
        rows[matched[within]] = self._rows[positions[within]]
        return rows
