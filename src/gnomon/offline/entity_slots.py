"""How often entities repeat, from counters whose number does not grow with the entities."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.log.sampling import hash_to_unit_interval
from gnomon.offline.paired_rows import one_piece

__all__ = ["SLOTS", "EntitySlots", "repeats"]

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SLOTS = 512
"""Counters in a sketch: :func:`repeats` is off by 6%, the root of ``2 / 512``, in the mean."""


class EntitySlots(NamedTuple):
    """The counter of each row's entity, and the sign with which it is counted there.

    Squares of signed counts add up, in the mean, to the squares of each entity's rows: entities
    that share a counter cancel (Alon, Matias and Szegedy, STOC 1996; with one counter an entity,
    Thorup and Zhang, SODA 2004). Counts of parts of the rows add up to those of all.

    Attributes:
        slots: shape (n,): below :data:`SLOTS`.
        signs: shape (n,): 1 or -1.
    """

    slots: Numbers
    signs: Floats

    @classmethod
    def of(cls, entities: pa.Array | pa.ChunkedArray) -> EntitySlots:
        """Look up each row's entity, given as text, by hash: alike in any batch."""
        encoded = pc.dictionary_encode(one_piece(entities))
        places = hash_to_unit_interval(encoded.dictionary.to_pylist()) * (2 * SLOTS)
        numbers = places.astype(np.int64)[np.asarray(encoded.indices)]
        return cls(numbers // 2, 1.0 - 2.0 * (numbers % 2))

    def sums(self, groups: Numbers, of: int, chosen: npt.NDArray[np.bool_] | None = None) -> Floats:
        """Count rows by group: shape (``of``, :data:`SLOTS`), signed.

        Args:
            groups: shape (n,): the group of each row, below ``of``.
            of: how many groups there are.
            chosen: which rows to count; all when not given.
        """
        signs = self.signs if chosen is None else np.where(chosen, self.signs, 0.0)
        flat: Floats = np.bincount(groups * SLOTS + self.slots, signs, of * SLOTS).astype(
            np.float64
        )
        return flat.reshape(of, SLOTS)


def repeats(signed: Floats, rows: float) -> float:
    """Return of how many rows the entity of a row is, in the mean over rows.

    It is the sum of the squares of each entity's rows, over the rows: 1 if each row has an entity
    of its own. Where all rows of an entity are alike it is the design effect, by which rows
    outnumber the independent rows that say as much (Kish, *Survey Sampling*, 1965).

    Args:
        signed: shape (:data:`SLOTS`,): from :meth:`EntitySlots.sums`.
        rows: how many rows were counted.
    """
    return max(float((signed**2).sum()) / max(rows, 1.0), 1.0)
