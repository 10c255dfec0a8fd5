"""How many rows a shadow's worker is given at a time."""

from __future__ import annotations

from collections import Counter

__all__ = ["ENOUGH_TIMES", "Pace"]

ENOUGH_TIMES = 20
"""Rows, in batches of about the size that live had, on which a median of times may rest."""
FIRST_ROWS = 64
BATCH_MICROS = 1_000_000


class Pace:
    """Keeps batches so large that they take about a second.

    A fast pipeline gets large ones, which cost it least a row. A slow one gets small ones: it shows
    progress, repeats little after a crash, and is not taken for one that hangs.

    Args:
        most: the most rows in one batch.
    """

    def __init__(self, most: int) -> None:
        self.rows = min(FIRST_ROWS, most)
        """Rows for the next batch."""
        self._most = most
        self._timed: Counter[int] = Counter()

    def like_live(self, size: int, waiting: int, *, first: bool) -> int:
        """Rows for a batch of the size that live had; 0 where any size will do.

        Live may have had a row at a time where the shadow, behind it, would have hundreds, and the
        latency gate compares batches of one size. So the first rows of each size are scored as live
        scored them, until that is enough for a median, and later now and then.

        Args:
            size: rows in the batch in which live scored the next row.
            waiting: rows to score.
            first: whether these are the first of what was read at once.
        """
        if size >= min(waiting, self.rows):
            return 0
        alike = size.bit_length()
        if not first and self._timed[alike] >= ENOUGH_TIMES:
            return 0
        self._timed[alike] += size
        return size

    def took(self, rows: int, micros: int) -> None:
        """A batch of so many rows took so many microseconds; none, when none of it was scored."""
        if micros:
            self.rows = min(max(rows * BATCH_MICROS // micros, 1), self._most)
