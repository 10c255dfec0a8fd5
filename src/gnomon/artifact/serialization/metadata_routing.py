"""scikit-learn's metadata requests, which say what ``fit`` passes on; not needed for serving."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

__all__ = ["without_routing"]

_REQUESTS = "_metadata_request"
"""The attribute with them; they refer back to the estimator, and skops cannot store a cycle."""


@contextmanager
def without_routing(pipeline: Any) -> Iterator[bool]:
    """Remove the metadata requests of a pipeline's estimators until the block ends.

    They route ``sample_weight`` and the like in training. A request is predicted only from its
    features, so an artifact gives the same answers without them.

    Yields:
        Whether there were any.
    """
    finder = _Finder()
    with suppress(Exception):  # a pipeline that cannot be pickled may still be stored
        finder.dump(pipeline)
    taken = [(owner, vars(owner).pop(_REQUESTS)) for owner in finder.found.values()]
    try:
        yield bool(taken)
    finally:
        for owner, requests in taken:
            setattr(owner, _REQUESTS, requests)


class _Finder(pickle.Pickler):
    """A pickler that visits every object of a pipeline."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), protocol=5)
        self.found: dict[int, Any] = {}

    def persistent_id(self, obj: Any) -> None:
        if _REQUESTS in getattr(obj, "__dict__", ()):
            self.found[id(obj)] = obj
