"""How many rows a shadow's worker is given at a time."""

from __future__ import annotations

__all__ = ["Pace"]

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

    def took(self, rows: int, micros: int) -> None:
        """A batch of so many rows took so many microseconds; none, when none of it was scored."""
        if micros:
            self.rows = min(max(rows * BATCH_MICROS // micros, 1), self._most)
