"""A share of rows that count against a shadow, with the interval of its true value."""

from __future__ import annotations

from dataclasses import dataclass

from gnomon.compare.mean_interval import mean_interval, units_still_needed
from gnomon.compare.sequential import Interval, rate_interval, rows_still_needed
from gnomon.rollout.unit_counts import UnitShares

__all__ = ["BadShare"]


@dataclass(frozen=True, slots=True)
class BadShare:
    """How many rows are bad, of how many, and how they are spread over units of evidence.

    Attributes:
        bad: rows that count against the shadow.
        rows: out of how many rows.
        units: the share of bad rows of each entity or block. With them, the interval is of the mean
            over units, each of weight one; without, each row is taken as independent.
    """

    bad: int
    rows: int
    units: UnitShares | None = None

    @property
    def value(self) -> float | None:
        """The share of the rows; None if there are none."""
        return self.bad / self.rows if self.rows else None

    @property
    def unit_count(self) -> int | None:
        """How many units the rows have; None if each row is one."""
        return None if self.units is None else len(self.units.values)

    def interval(self, confidence: float) -> Interval:
        """Compute the confidence sequence of the share."""
        if self.units is None:
            return rate_interval(self.bad, self.rows, confidence)
        return mean_interval(self.units.values, confidence)

    def rows_still_needed(self, limit: float, confidence: float) -> int | None:
        """Estimate how many more rows decide on which side of a limit it is.

        None if no number does; 0 if the entities are enough, and only their numbers of rows differ.
        """
        if self.units is None:
            return rows_still_needed(self.bad, self.rows, limit, confidence)
        more = units_still_needed(self.units.values, limit, confidence)
        if more == 0 and self.units.unit == "row":
            more = 1  # Rows after the last whole block are not in it yet.
        return None if more is None else round(more * self.units.rows_each)

    def at(self, total: int, confidence: float) -> Interval:
        """Estimate the interval after ``total`` rows if the share stays.

        It is that of the independent rows that give the mean the same variance: the effective
        sample size (L. Kish, *Survey Sampling*, 1965).
        """
        rate = self.value or 0.0
        effective = round(total * self._effective_part(rate))
        return rate_interval(round(rate * effective), effective, confidence)

    def _effective_part(self, rate: float) -> float:
        if self.units is None or not self.unit_count:
            return 1.0
        variance = float(self.units.values.var())
        effective = self.unit_count * (rate * (1 - rate) / variance if variance > 0 else 1.0)
        return min(effective / self.rows, 1.0)

    def __str__(self) -> str:
        """Write the rows, and the units if they are other than rows."""
        rows = f"{self.bad:,} of {self.rows:,} rows"
        if self.units is None or self.unit_count == self.rows:
            return rows
        return f"{rows} ({self.units.says})"
