"""Rows grouped by entity: the independent units of evidence where rows of one entity repeat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["EvidenceUnits", "entity_units"]


class EvidenceUnits(NamedTuple):
    """The units of evidence, in the order in which they first appeared.

    Attributes:
        values: the share of bad rows of each, which `mean_interval` takes.
        rows: how many rows each has. A unit has weight one whatever its rows.
    """

    values: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]

    @property
    def heaviest(self) -> int:
        """The rows of the unit that has the most; 0 without units."""
        return int(self.rows.max(initial=0))


def entity_units(
    entities: npt.ArrayLike, bad: npt.ArrayLike, *, closed_every: int | None = None
) -> EvidenceUnits:
    """Group rows by entity, or by request.

    The mean of the values is the mean share of bad rows of an entity, which is the share of bad
    rows unless heavy entities are better or worse than light ones.

    Args:
        entities: the key of each row's entity, in the order of arrival.
        bad: whether each row is bad.
        closed_every: look after each so many rows, and use of an entity only the rows that came
            until the look after its first row. Its value then never changes, and the promise of
            `mean_interval` is proven; without it, see there. With entities that come in turns, it
            leaves most rows out. The rows after the last look are not used yet.

    Raises:
        ValueError: the two differ in length.

    >>> entity_units(["a", "b", "a", "a"], [True, False, False, True])
    EvidenceUnits(values=array([0.66666667, 0.        ]), rows=array([3, 1]))
    >>> entity_units(["a", "b", "a", "a"], [True, False, False, True], closed_every=2)
    EvidenceUnits(values=array([1., 0.]), rows=array([1, 1]))
    """
    entities, bad = np.asarray(entities), np.asarray(bad, np.bool_)
    if entities.shape != bad.shape:
        raise ValueError(
            f"expected one entity for each of {len(bad)} rows, got {len(entities)} entities"
        )
    if closed_every is not None:
        whole = len(bad) // closed_every * closed_every
        entities, bad = entities[:whole], bad[:whole]
    _, first, unit = np.unique(entities, return_index=True, return_inverse=True)
    if closed_every is not None:
        used = np.arange(len(bad)) // closed_every == first[unit] // closed_every
        unit, bad = unit[used], bad[used]
    rows = np.bincount(unit, minlength=len(first))
    order = np.argsort(first)
    return EvidenceUnits(
        np.bincount(unit, bad, minlength=len(first))[order] / rows[order], rows[order]
    )
