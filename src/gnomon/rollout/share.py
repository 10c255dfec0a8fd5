"""A share of rows that count against a shadow, with the interval of what it would be for ever."""

from __future__ import annotations

from dataclasses import dataclass

from gnomon.compare.entity_units import EvidenceUnits
from gnomon.compare.mean_interval import mean_interval, units_still_needed
from gnomon.compare.sequential import Interval, rate_interval, rows_still_needed

__all__ = ["Share"]


@dataclass(frozen=True, slots=True)
class Share:
    """How many rows are bad, of how many, and how they are spread over entities.

    Attributes:
        bad: rows that count against the shadow.
        rows: out of how many rows.
        entities: each entity's share of bad rows. With them, the interval is of the mean over
            entities, each of weight one; without, each row is taken as independent.
    """

    bad: int
    rows: int
    entities: EvidenceUnits | None = None

    @property
    def value(self) -> float | None:
        """The share of the rows; None if there are none."""
        return self.bad / self.rows if self.rows else None

    @property
    def entity_count(self) -> int | None:
        """How many entities the rows have; None if rows are not grouped."""
        return None if self.entities is None else len(self.entities.values)

    def interval(self, confidence: float) -> Interval:
        """Compute the confidence sequence of the share."""
        if self.entities is None:
            return rate_interval(self.bad, self.rows, confidence)
        return mean_interval(self.entities.values, confidence)

    def rows_still_needed(self, limit: float, confidence: float) -> int | None:
        """Estimate how many more rows decide on which side of a limit it is; None if no number."""
        if self.entities is None or not self.rows:
            return rows_still_needed(self.bad, self.rows, limit, confidence)
        units = units_still_needed(self.entities.values, limit, confidence)
        return None if units is None else round(units * self.rows / len(self.entities.values))

    def at(self, total: int, confidence: float) -> Interval:
        """Estimate the interval after ``total`` rows if the share stays.

        As many rows of one entity each are taken as give the same variance of the mean: the
        effective sample size (L. Kish, *Survey Sampling*, 1965).
        """
        rate = self.bad / self.rows if self.rows else 0.0
        effective = round(total * self._effective_part(rate))
        return rate_interval(round(rate * effective), effective, confidence)

    def _effective_part(self, rate: float) -> float:
        if self.entities is None or not self.rows:
            return 1.0
        entities = len(self.entities.values)
        variance = float(self.entities.values.var())
        independent = rate * (1 - rate)
        effective = entities * independent / variance if variance > 0 else entities
        return min(effective / self.rows, 1.0)

    def __str__(self) -> str:
        """Write the rows, and the entities if rows are grouped by them."""
        rows = f"{self.bad:,} of {self.rows:,} rows"
        if self.entity_count is None or self.entity_count == self.rows:
            return rows
        return f"{rows} of {'1 entity' if self.entity_count == 1 else f'{self.entity_count:,} entities'}"
