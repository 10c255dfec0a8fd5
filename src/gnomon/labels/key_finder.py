"""Rows of the log found by exact keys, in memory that grows with the keys and not with the log."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["KeyFinder", "row_key"]


def row_key(request_ids: pa.Array, rows: pa.Array) -> pa.Array:
    """Return the key of a row of a request."""
    return pc.binary_join_element_wise(request_ids, pc.cast(rows, pa.string()), "/")


class KeyFinder:
    """Finds the rows with certain keys among batches.

    Keys are sorted, and a batch is compared only with the keys between its smallest and its
    largest: request ids sort by time, so that these are few.

    Args:
        keys: the keys, in any order; nulls are left out.
    """

    def __init__(self, keys: pa.Array | pa.ChunkedArray) -> None:
        unique = pc.unique(keys).drop_null()
        self.keys: pa.Array = unique.take(pc.sort_indices(unique))

    def find(self, keys: pa.Array) -> tuple[pa.Array, pa.Array]:
        """Return the positions in ``keys`` that are searched for, and the place of each key.

        The place is that in :attr:`keys`.
        """
        ends = pc.min_max(keys).as_py()
        if not len(self.keys) or ends["min"] is None:
            return pa.array([], pa.int64()), pa.array([], pa.int64())
        first = bisect_left(self.keys, ends["min"], key=_text)
        stop = bisect_right(self.keys, ends["max"], key=_text)
        places = pc.index_in(keys, value_set=self.keys[first:stop])
        found = pc.indices_nonzero(pc.is_valid(places))
        return found.cast(pa.int64()), pc.add(places.take(found).cast(pa.int64()), first)

    def places(self, keys: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
        """Return the place of each key in :attr:`keys`; -1 where it is not one of them."""
        found = pc.fill_null(pc.index_in(keys, value_set=self.keys), -1)
        return np.asarray(found).astype(np.int64)


def _text(value: Any) -> str:
    return str(value.as_py())
