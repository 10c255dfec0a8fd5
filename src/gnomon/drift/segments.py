"""A few segments of rows by the value of a feature, with readable names."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa

from gnomon.drift.bins import Bins
from gnomon.quantities import number
from gnomon.report.numbers import timestamp

__all__ = ["Segments", "place_names"]

_MOST = 12
_PARTS = 4


class Segments:
    """Segments of one feature: its most frequent values, or four ranges of a number."""

    def __init__(self, bins: Bins) -> None:
        self.bins = bins
        self._names = np.array([*_names(bins), "null"], dtype=object)

    def of(self, column: pa.Array) -> list[str]:
        """Return the segment of each row."""
        names: list[str] = self._names[self.bins.assign(column).bins].tolist()
        return names


def place_names(bins: Bins) -> tuple[str, ...]:
    """Return the name of each bin."""
    if bins.edges is None:
        return bins.labels()
    if not len(bins.edges):
        return ("all values",)
    if bins.is_discrete:
        return tuple(_text(bins, value) for value in [bins.low, *bins.edges])
    return _range_names([_text(bins, edge) for edge in bins.edges])


def _names(bins: Bins) -> list[str]:
    """Return the name of each bin's segment."""
    if bins.edges is None or bins.is_discrete:
        names = place_names(bins)
        frequent = set(names[: _MOST - 1])
        return [name if name in frequent else "all others" for name in names]
    part = [bin_ * _PARTS // bins.size for bin_ in range(bins.size)]
    starts = [part.index(p) for p in sorted(set(part))]
    names = _range_names([_text(bins, bins.edges[start - 1]) for start in starts[1:]])
    return [names[p] for p in np.unique(part, return_inverse=True)[1].tolist()]


def _text(bins: Bins, value: float) -> str:
    return timestamp(value) if bins.is_time else number(value)


def _range_names(edges: list[str]) -> tuple[str, ...]:
    if not edges:
        return ("all values",)
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return (f"below {edges[0]}", *between, f"{edges[-1]} and above")
