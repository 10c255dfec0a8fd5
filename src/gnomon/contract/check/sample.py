"""A bounded, mergeable random sample of a stream of numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gnomon.bottom_k import BottomK

__all__ = ["NumberSample"]

Floats = npt.NDArray[np.float64]


class NumberSample:
    """A sample that has every value with the same probability, however values are batched.

    Each value draws a number; the values with the ``size`` smallest draws are kept. The same
    batches in the same order give the same sample.

    >>> sample = NumberSample(3)
    >>> sample.add(np.arange(10.0))
    >>> sample.seen, len(sample.values)
    (10, 3)
    """

    __slots__ = ("_kept", "_random")

    def __init__(self, size: int = 4096, seed: int = 0) -> None:
        self._kept = BottomK[Floats](size, lambda values, places: values[places], np.concatenate)
        self._random = np.random.default_rng(seed)

    @property
    def seen(self) -> int:
        """How many values were added."""
        return self._kept.seen

    @property
    def values(self) -> Floats:
        """The values in the sample."""
        values = self._kept.kept()
        return np.empty(0) if values is None else values

    def add(self, values: Floats) -> None:
        """Add more values."""
        self._kept.offer(self._random.random(len(values)), values)

    def merge(self, other: NumberSample) -> None:
        """Add everything that was added to ``other``."""
        self._kept.merge(other._kept)
