"""A bounded random sample of a stream of numbers, mergeable."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["Sample"]

Floats = npt.NDArray[np.float64]


class Sample:
    """Every value seen is in it with the same probability, whatever came in which batches.

    Each value draws a number; the ``size`` smallest draws stay. So two samples merge into the
    sample of both streams (bottom-k sampling: Cohen and Kaplan, "Summarizing data using bottom-k
    sketches", PODC 2007). The same batches in the same order give the same sample.

    >>> sample = Sample(3)
    >>> sample.add(np.arange(10.0))
    >>> sample.seen, len(sample.values)
    (10, 3)
    """

    __slots__ = ("_draws", "_random", "seen", "size", "values")

    def __init__(self, size: int = 4096, seed: int = 0) -> None:
        self.size = size
        self.seen = 0
        self.values: Floats = np.empty(0)
        self._draws: Floats = np.empty(0)
        self._random = np.random.default_rng(seed)

    def add(self, values: Floats) -> None:
        """See more values."""
        self._keep(self._random.random(len(values)), values, len(values))

    def merge(self, other: Sample) -> None:
        """See everything that ``other`` saw."""
        self._keep(other._draws, other.values, other.seen)

    def _keep(self, draws: Floats, values: Floats, seen: int) -> None:
        self.seen += seen
        draws = np.concatenate([self._draws, draws])
        values = np.concatenate([self.values, values])
        if len(draws) > self.size:
            least = np.argpartition(draws, self.size)[: self.size]
            draws, values = draws[least], values[least]
        self._draws, self.values = draws, values
