"""Parts of numpy that are replaced temporarily."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

__all__ = ["seeded_generators"]


@contextmanager
def seeded_generators(seed: int) -> Iterator[None]:
    """Until the block ends, ``numpy.random.default_rng()`` without a seed gets this one.

    Replaces the public function ``default_rng``: numpy has a seed for its old global generator, and
    none for generators that are yet to be made. Code that imported the function by name before
    keeps the real one. Seen in numpy 2.0 to 2.4.
    """
    fresh: Any = np.random.default_rng
    replaced: Any = np.random
    replaced.default_rng = lambda given=None: fresh(seed if given is None else given)
    try:
        yield
    finally:
        replaced.default_rng = fresh
