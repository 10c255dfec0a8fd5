"""The basic parts of a report: values, and counts of rows."""

from __future__ import annotations

from typing import Literal

import msgspec

__all__ = ["Column", "Count", "Share", "Value"]

Value = bool | int | float | str | None


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """``rows`` out of ``of``, with the interval of the true share.

    Attributes:
        low: the interval's lower end, 0 to 1; see ``compare/sequential.py``.
        high: its upper end.
        confidence: the confidence of the interval.
        units: of what the interval is, where rows may repeat each other, such as ``300 entities``;
            None if it is of rows.
    """

    rows: int
    of: int
    low: float
    high: float
    confidence: float
    units: str | None = None

    @property
    def share(self) -> float:
        """``rows / of``; 0 if there are no rows."""
        return self.rows / self.of if self.of else 0.0


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """A number of rows, with the reason why they are counted separately."""

    reason: str
    rows: int
    example: str | None = None


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """One column on both sides.

    Attributes:
        kind: ``output``, ``feature`` (as decoded from the request) or ``step``.
        tolerance: what counts as agreeing, in words.
        rows: rows compared; each is ``exact`` (bit-identical), within tolerance, or ``diverged``.
        left_null: rows with null on the left only; they diverge.
        right_null: rows with null on the right only; they diverge.
        both_null: rows with null on both sides; they agree.
        flips: rows whose decision differs; None for a column that decides nothing.
        smape: symmetric mean absolute percentage error of finite pairs, a share from 0 to 2; None
            for labels and timestamps.
        quantiles: ``min``, ``p01`` ... ``max`` of left minus right: over all rows, or in a walk
            over the rows that differ; empty for labels.
        estimate: the share of all compared rows that diverge, where ``rows`` is a sample in which
            diverging rows are more frequent.
    """

    name: str
    kind: Literal["output", "feature", "step"]
    tolerance: str
    rows: int
    exact: int
    diverged: int
    left_null: int = 0
    right_null: int = 0
    both_null: int = 0
    flips: int | None = None
    smape: float | None = None
    quantiles: dict[str, float] = {}
    unit: str | None = None
    estimate: float | None = None

    @property
    def share(self) -> float:
        """The share of rows that diverge."""
        if self.estimate is not None:
            return self.estimate
        return self.diverged / self.rows if self.rows else 0.0

    @property
    def place(self) -> str:
        """The pipeline step that computes the column; else ``inputs`` or ``outputs``."""
        if self.kind == "step":
            return self.name.rpartition("/")[0]
        return "inputs" if self.kind == "feature" else "outputs"

    @property
    def bare(self) -> str:
        """The name without its step."""
        return self.name.rpartition("/")[2] if self.kind == "step" else self.name
