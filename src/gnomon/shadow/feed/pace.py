"""The number of rows a shadow's worker is given at a time."""

from __future__ import annotations

from collections import Counter

__all__ = ["ENOUGH_TIMES", "Pace"]

ENOUGH_TIMES = 100
"""Batches of about live's size whose times are enough for the gate of latency in most cases: the
interval of their median is then about from the 30th to the 70th of them."""
FIRST_ROWS = 64
BATCH_MICROS = 1_000_000


class Pace:
    """The batch size that makes a batch take about a second.

    A fast pipeline gets large batches, which cost the least per row. A slow pipeline gets small
    batches: it reports progress, repeats little after a crash, and does not appear to hang.

    Args:
        most: the most rows in one batch.
    """

    def __init__(self, most: int) -> None:
        self.rows = min(FIRST_ROWS, most)
        """Rows for the next batch."""
        self._most = most
        self._timed: Counter[int] = Counter()

    def like_live(self, size: int, rows_waiting: int, *, first: bool) -> int:
        """Return the rows of the next batch if it must have live's size; 0 where any size will do.

        A shadow that lags would score hundreds of rows at once where live scored one at a time, and
        the latency gate compares batches of equal size. So the first rows of each size are scored
        in batches of live's size until there are enough for a median, and later occasionally.

        Args:
            size: rows in the batch in which live scored the next row.
            rows_waiting: rows to score.
            first: whether the next row is the first of those that were read together.
        """
        if size >= min(rows_waiting, self.rows):
            return 0
        size_class = size.bit_length()
        if not first and self._timed[size_class] >= ENOUGH_TIMES:
            return 0
        self._timed[size_class] += 1
        return size

    def took(self, rows: int, micros: int) -> None:
        """Record the time of a batch in microseconds; 0 if none of its rows was scored."""
        if micros:
            self.rows = min(max(rows * BATCH_MICROS // micros, 1), self._most)
