"""Counted rows of a column, and how many independent ones they are worth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gnomon.drift.bins import Extra, Floats, Integers
from gnomon.offline.entity_slots import repeats

__all__ = ["CountedRows", "likeness"]

_FEWEST_ENTITIES = 20
"""Of so many entities or fewer, weighted by their rows, likeness has too large an error: columns
that are constant in part were called drifted in healthy traffic."""

_SURE = 2.0
"""Standard errors by which :func:`likeness` is taken higher than measured."""


@dataclass(frozen=True, slots=True)
class CountedRows:
    """Rows of one column.

    Attributes:
        vector: a count vector as in :mod:`~gnomon.drift.bins`.
        entities: the rows by the slot of their entity, signed, see
            :class:`~gnomon.offline.entity_slots.EntitySlots`; None where rows are independent.
        likeness: how alike the rows of one entity are in this column, see :func:`likeness`.
    """

    vector: Integers
    entities: Floats | None = None
    likeness: float = 1.0

    def __add__(self, other: CountedRows) -> CountedRows:
        """Return these rows and others of the column."""
        return replace(
            self,
            vector=self.vector + other.vector,
            entities=_signed(self.entities, other.entities, 1.0),
        )

    def __sub__(self, other: CountedRows) -> CountedRows:
        """Return these rows without some of them."""
        return replace(
            self,
            vector=self.vector - other.vector,
            entities=_signed(self.entities, other.entities, -1.0),
        )

    @property
    def design_effect(self) -> float:
        """By how much these rows outnumber the independent rows that say as much of the column.

        It is ``1 + (m - 1) * likeness``, where an entity has ``m`` rows (Kish, *Survey Sampling*,
        1965).
        """
        if self.entities is None:
            return 1.0
        rows = int(self.vector[: 1 + Extra.NULL - len(Extra)].sum())
        each = repeats(self.entities, rows)
        # How alike rows of one entity are is not known from a few entities.
        likeness = self.likeness if rows > _FEWEST_ENTITIES * each else 1.0
        return 1.0 + (each - 1.0) * likeness


def likeness(signed: Floats, slot_rows: Floats, bin_rows: Integers) -> float:
    """Measure how alike the rows of one entity are: 0 as any other rows, 1 always in one bin.

    It is 1 less the share of pairs of rows of one entity that are in different bins, over that
    share of pairs of different entities: the intraclass correlation of a column with bins (Fleiss
    and Cuzick, Appl. Psychol. Meas. 3, 1979). Because it decides how much is chance, it is taken
    two standard errors higher than measured; slots are random groups, whose differences give the
    standard error (Wolter, *Introduction to Variance Estimation*, 2007).

    Args:
        signed: shape (bins, slots): rows by bin, nulls as one of them, and slot, signed.
        slot_rows: shape (slots,): rows.
        bin_rows: shape (bins,): rows.
    """
    in_slot = signed.sum(axis=0) ** 2
    apart, pairs = in_slot - (signed**2).sum(axis=0), in_slot - slot_rows
    rows, of_one = float(slot_rows.sum()), float(pairs.sum())
    of_others = rows**2 - float(in_slot.sum())
    if of_one <= 0 or of_others <= 0:
        return 1.0
    all_apart = rows**2 - float((bin_rows.astype(np.float64) ** 2).sum())
    expected = (all_apart - float(apart.sum())) / of_others
    found = float(apart.sum()) / of_one
    error = float(np.sqrt(((apart - found * pairs) ** 2).sum())) / of_one
    if expected <= 0:
        return 1.0
    return float(np.clip(1.0 - (found - _SURE * error) / expected, 0.0, 1.0))


def _signed(left: Floats | None, right: Floats | None, sign: float) -> Floats | None:
    return None if left is None or right is None else left + sign * right
