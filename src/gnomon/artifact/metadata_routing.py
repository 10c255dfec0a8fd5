"""scikit-learn's metadata requests, which say what ``fit`` passes on, and which no server needs."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["without_routing"]

_REQUESTS = "_metadata_request"
"""Where an estimator keeps them; they point back to it, and skops cannot store a circle."""


@contextmanager
def without_routing(pipeline: Any) -> Iterator[bool]:
    """Until the block ends, no estimator in a pipeline has metadata requests of its own.

    They route ``sample_weight`` and the like in training. A request is predicted from its features
    alone, so an artifact answers the same without them.

    Yields:
        Whether there were any.
    """
    finder = _Finder()
    with suppress(Exception):  # what cannot be pickled may still be stored
        finder.dump(pipeline)
    taken = [(owner, vars(owner).pop(_REQUESTS)) for owner in finder.found.values()]
    try:
        yield bool(taken)
    finally:
        for owner, requests in taken:
            setattr(owner, _REQUESTS, requests)


class _Finder(pickle.Pickler):
    """Sees every object of a pipeline."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.found: dict[int, Any] = {}

    def persistent_id(self, obj: Any) -> None:
        if _REQUESTS in getattr(obj, "__dict__", ()):
            self.found[id(obj)] = obj
