"""Sums of a comparison, computed in one pass over any number of batches."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from gnomon.compare.comparators import Compared, ComparedColumn
from gnomon.compare.sketch import Sketch

__all__ = ["Comparison", "ComparisonColumn", "DisagreeingRow"]

_SHARES = {
    "min": 0.0, "p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95,
    "p99": 0.99, "max": 1.0,
}  # fmt: skip


@dataclass(slots=True)
class ComparisonColumn:
    """The sums of one column over all rows compared so far; NaN counts as null.

    Attributes:
        rows: rows compared.
        agreed: within the tolerance, or null on both sides.
        exact: equal without tolerance, or null on both sides.
        left_null: null on the left only.
        right_null: null on the right only.
        both_null: null on both sides.
        flips: rows whose decision differs; None for a column that decides nothing.
        differences: ``left - right`` of rows where both are finite; None for labels.
    """

    rows: int = 0
    agreed: int = 0
    exact: int = 0
    left_null: int = 0
    right_null: int = 0
    both_null: int = 0
    flips: int | None = None
    differences: Sketch | None = None
    _smape: float | None = None

    @property
    def consistency(self) -> float | None:
        """Share of rows that agree; None if there are no rows."""
        return self.agreed / self.rows if self.rows else None

    @property
    def exact_rate(self) -> float | None:
        """Share of rows that are equal without tolerance; None if there are no rows."""
        return self.exact / self.rows if self.rows else None

    @property
    def smape(self) -> float | None:
        """Symmetric mean absolute percentage error, as a share from 0 to 2, of finite pairs."""
        if self._smape is None or self.differences is None or not self.differences.count:
            return None
        return self._smape / self.differences.count

    @property
    def quantiles(self) -> dict[str, float]:
        """``min``, ``p01`` … ``max`` of ``left - right``, each within 1% of its value."""
        if self.differences is None or not self.differences.count:
            return {}
        values = self.differences.quantiles(list(_SHARES.values()))
        return dict(zip(_SHARES, values, strict=True))

    def add(self, column: ComparedColumn) -> None:
        """Count one more batch."""
        part = ComparisonColumn(
            rows=len(column.agree),
            agreed=int(column.agree.sum()),
            exact=int(column.exact.sum()),
            left_null=int(column.left_null.sum()),
            right_null=int(column.right_null.sum()),
            both_null=int(column.both_null.sum()),
            flips=None if column.flip is None else int(column.flip.sum()),
        )
        if column.difference is not None:
            part.differences = Sketch()
            part.differences.add(column.difference)
            if column.smape is not None:
                part._smape = float(column.smape[np.isfinite(column.difference)].sum())
        self.merge(part)

    def merge(self, other: ComparisonColumn) -> None:
        """Add the counts of ``other``."""
        self.rows += other.rows
        self.agreed += other.agreed
        self.exact += other.exact
        self.left_null += other.left_null
        self.right_null += other.right_null
        self.both_null += other.both_null
        if other.flips is not None:
            self.flips = (self.flips or 0) + other.flips
        if other.differences is not None:
            self.differences = self.differences or Sketch()
            self.differences.merge(other.differences)
        if other._smape is not None:
            self._smape = (self._smape or 0.0) + other._smape


@dataclass(frozen=True, slots=True, order=True)
class DisagreeingRow:
    """One row that disagrees, as evidence. It sorts by flip, then by difference.

    Attributes:
        flipped: its decision differs.
        difference: its largest absolute difference; -1 if there is none between numbers.
        row: its id, or its position where no ids were given.
        columns: the columns that disagree.
        left: all its values on the left.
        right: all its values on the right.
    """

    flipped: bool
    difference: float
    row: str = field(compare=False)
    columns: tuple[str, ...] = field(compare=False)
    left: dict[str, Any] = field(compare=False)
    right: dict[str, Any] = field(compare=False)


@dataclass(slots=True)
class Comparison:
    """The sum of many :class:`~gnomon.compare.comparators.Compared`, in bounded memory.

    Batches may be added, and comparisons merged, in any order: the counts are the same, and the
    quantiles are within the error of :class:`~gnomon.compare.sketch.Sketch`.

    Attributes:
        keep: how many example rows to keep.
        columns: the sums of each column.
        rows: rows compared.
        agreed: rows on which every column agrees.
        flipped: rows whose decision differs.
        differences: a sketch of each row's largest absolute difference.
    """

    keep: int = 20
    columns: dict[str, ComparisonColumn] = field(default_factory=dict)
    rows: int = 0
    agreed: int = 0
    flipped: int = 0
    differences: Sketch = field(default_factory=Sketch)
    _worst: list[DisagreeingRow] = field(default_factory=list)

    @property
    def disagreed(self) -> int:
        """Rows with at least one column that disagrees."""
        return self.rows - self.agreed

    @property
    def examples(self) -> list[DisagreeingRow]:
        """Rows that disagree or flip, at most ``keep``: flips first, then by difference."""
        return list(self._worst)

    def add(self, compared: Compared, ids: Sequence[str] | None = None) -> None:
        """Count one more batch; ``ids`` name its rows in :attr:`examples`."""
        for name, column in compared.columns.items():
            self.columns.setdefault(name, ComparisonColumn()).add(column)
        self._worst = heapq.nlargest(self.keep, [*self._worst, *self._worst_of(compared, ids)])
        self.rows += len(compared.agreed)
        self.agreed += int(compared.agreed.sum())
        self.flipped += int(compared.flipped.sum())
        self.differences.add(compared.difference)

    def merge(self, other: Comparison) -> None:
        """Add the counts of ``other``."""
        for name, column in other.columns.items():
            self.columns.setdefault(name, ComparisonColumn()).merge(column)
        self._worst = heapq.nlargest(self.keep, [*self._worst, *other._worst])
        self.rows += other.rows
        self.agreed += other.agreed
        self.flipped += other.flipped
        self.differences.merge(other.differences)

    def _worst_of(self, compared: Compared, ids: Sequence[str] | None) -> list[DisagreeingRow]:
        disagreeing = np.flatnonzero(~compared.agreed | compared.flipped)
        difference = np.where(np.isnan(compared.difference), -1.0, compared.difference)
        order = np.lexsort((-difference[disagreeing], ~compared.flipped[disagreeing]))
        worst = disagreeing[order[: self.keep]]
        if not len(worst):
            return []
        left = compared.left.take(pa.array(worst)).to_pylist()
        right = compared.right.take(pa.array(worst)).to_pylist()
        return [
            DisagreeingRow(
                flipped=bool(compared.flipped[row]),
                difference=float(difference[row]),
                row=str(self.rows + row) if ids is None else ids[row],
                columns=tuple(n for n, c in compared.columns.items() if not c.agree[row]),
                left=left[index],
                right=right[index],
            )
            for index, row in enumerate(worst.tolist())
        ]
