"""Rows of a shadow in the order of arrival, as blocks: bad rows may come in bursts."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.block_length import block_length, block_values

__all__ = ["MARKS", "OrderedRows", "RowOrder", "marks_of"]

MARKS = ("failed", "done", "disagreed", "compared", "flipped", "decided")
"""What a row may be, by the names of the counts that are shares of each other."""


def marks_of(records: pa.RecordBatch) -> dict[str, pa.BooleanArray]:
    """Return which of a shadow's records have each of the marks."""
    scored = pc.equal(records.column("outcome"), "scored")
    agreed, flipped = records.column("agreed"), records.column("flipped")
    masks = (
        pc.invert(scored),
        pc.is_valid(scored),
        pc.fill_null(pc.invert(agreed), False),
        pc.is_valid(agreed),
        pc.fill_null(flipped, False),
        pc.is_valid(flipped),
    )
    return dict(zip(MARKS, masks, strict=True))


class OrderedRows(NamedTuple):
    """The marks of rows in the order of arrival.

    Attributes:
        marks: one bit for each of `MARKS`.
        longest_burst: how many rows in a row may be bad together.
    """

    marks: npt.NDArray[np.uint8]
    longest_burst: int

    def blocks(self, bad: str, of: str) -> tuple[npt.NDArray[np.float64], int]:
        """Return the share of bad rows of each block, and the rows of a block."""
        values = self._has(bad)[self._has(of)]
        length = block_length(values, shortest=self.longest_burst)
        return block_values(values, length), length

    def _has(self, mark: str) -> npt.NDArray[np.bool_]:
        return self.marks & (1 << MARKS.index(mark)) > 0


class RowOrder:
    """Puts rows in the order of arrival, from batches in any order; a row takes 9 bytes."""

    def __init__(self, longest_burst: int) -> None:
        self._longest_burst = longest_burst
        self._arrived: list[npt.NDArray[np.int64]] = [np.zeros(0, np.int64)]
        self._marks: list[npt.NDArray[np.uint8]] = [np.zeros(0, np.uint8)]

    def add(self, arrived: pa.Array, marks: dict[str, pa.BooleanArray]) -> None:
        """Take the rows of a batch."""
        bits = np.zeros(len(arrived), np.uint8)
        for bit, mask in enumerate(marks.values()):
            bits |= np.asarray(mask).astype(np.uint8) << bit
        self._arrived.append(pc.cast(arrived, pa.int64()).to_numpy(zero_copy_only=False))
        self._marks.append(bits)

    def ordered(self) -> OrderedRows:
        """Return the rows so far."""
        order = np.argsort(np.concatenate(self._arrived), kind="stable")
        return OrderedRows(np.concatenate(self._marks)[order], self._longest_burst)
