"""A share of rows that count against a shadow, with the interval of its true value."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gnomon.compare.mean_interval import clustered_interval, mean_interval, units_still_needed
from gnomon.compare.sequential import Interval, rate_interval
from gnomon.compare.units import UnitShares
from gnomon.quantities import plural

__all__ = ["BadShare"]

_GOOD_AND_BAD = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class BadShare:
    """How many rows are bad, of how many, and how they are spread over units of evidence.

    Attributes:
        bad: rows that count against the shadow.
        rows: out of how many rows.
        units: the share of bad rows of each entity or request, and of each block of rows. With
            them, the interval is of the mean over units, each of weight one; without, each row is
            taken as independent.
        error_part: which part of the allowed error its interval may use.
        settles: when what known entities did lately will count; None if all of it does.
    """

    bad: int
    rows: int
    units: tuple[UnitShares, ...] = ()
    error_part: float = 1.0
    settles: datetime | None = None

    @property
    def value(self) -> float | None:
        """The share of the rows; None if there are none."""
        return self.bad / self.rows if self.rows else None

    @property
    def unit_count(self) -> int | None:
        """How many units there are, of the kind that has fewest; None if each row is one."""
        return min((len(units.values) for units in self.units), default=None)

    def interval(self, confidence: float) -> Interval:
        """Compute the confidence sequence of the share."""
        confidence = self._own(confidence)
        kinds = [(units.values, None) for units in self.units]
        if len(kinds) > 1:
            return clustered_interval(kinds, (_GOOD_AND_BAD, self._counts()), confidence)
        if kinds:
            return mean_interval(self.units[0].values, confidence)
        return mean_interval(_GOOD_AND_BAD, confidence, counts=self._counts())

    def rows_still_needed(self, limit: float, confidence: float) -> int | None:
        """Estimate how many more rows decide on which side of a limit it is.

        None if no number does; 0 if the units are enough, and only their numbers of rows differ.
        """
        most = 0
        for more in self._still_needed(limit, self._own(confidence)):
            if more is None:
                return None
            most = max(most, more)
        return most

    def entities_of(self, rows: int) -> int | None:
        """Return of how many entities so many rows are, as many as each has now.

        None where entities are not the units, as every row is of another one.
        """
        for units in self.units:
            if units.kind == "entity":
                return math.ceil(rows / units.rows_each)
        return None

    def at(self, total: int, confidence: float) -> Interval:
        """Estimate the interval after ``total`` rows if the share stays.

        It is that of the independent rows that give the mean the same variance: the effective
        sample size (L. Kish, *Survey Sampling*, 1965); and by `rate_interval`, which takes a
        thousandth of the time and is a little wider.
        """
        rate = self.value or 0.0
        parts = (_effective_part(units, rate, self.rows) for units in self.units)
        effective = round(total * min(parts, default=1.0))
        return rate_interval(round(rate * effective), effective, self._own(confidence))

    def _own(self, confidence: float) -> float:
        return 1 - (1 - confidence) * self.error_part

    def _counts(self) -> tuple[int, int]:
        return self.rows - self.bad, self.bad

    def _still_needed(self, limit: float, confidence: float) -> Iterator[int | None]:
        if not self.units:
            yield units_still_needed(_GOOD_AND_BAD, limit, confidence, counts=self._counts())
        for units in self.units:
            more = units_still_needed(units.values, limit, confidence)
            if more == 0 and units.kind == "block":
                more = 1  # Rows after the last whole block are not in it yet.
            yield None if more is None else round(more * units.rows_each)

    @property
    def counted(self) -> str:
        """How many rows there are, and how many units if they are other than rows."""
        units = "; ".join(units.says for units in self.units if len(units.values) != self.rows)
        rows = plural(self.rows, "row")
        return f"{rows} ({units})" if units else rows

    def __str__(self) -> str:
        """Write the rows, and the units if they are other than rows."""
        return f"{self.bad:,} of {self.counted}"


def _effective_part(units: UnitShares, rate: float, rows: int) -> float:
    """Return how many independent rows one row is worth."""
    if not len(units.values):
        return 1.0
    variance = float(units.values.var())
    effective = len(units.values) * (rate * (1 - rate) / variance if variance > 0 else 1.0)
    return min(effective / rows, 1.0)
