"""Parts of numpy that are replaced temporarily."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["seeded_generators"]


@contextmanager
def seeded_generators(seed: int) -> Iterator[None]:
    """Use ``seed`` in calls of ``numpy.random.default_rng()`` without a seed until the block ends.

    Replaces the public function ``default_rng``: numpy can seed its old global generator, but not
    generators that will be made later. Code that imported the function by name before the block
    keeps the original. Seen in numpy 2.0 to 2.4.
    """
    fresh: Any = np.random.default_rng
    replaced: Any = np.random
    replaced.default_rng = lambda given=None: fresh(seed if given is None else given)
    try:
        yield
    finally:
        replaced.default_rng = fresh
