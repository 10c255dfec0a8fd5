"""The last row of an entity at or before a time, in memory that grows with the labels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

__all__ = ["LastRequests", "micros"]

_NONE = np.iinfo(np.int64).min


class LastRequests:
    """For each label of an entity, the last row at or before its time among all batches seen.

    Args:
        entities: the number of each label's entity.
        times: each label's time, in microseconds.
        within: how long before its time a row may have arrived, in microseconds.
    """

    def __init__(
        self, entities: npt.NDArray[np.int64], times: npt.NDArray[np.int64], within: int
    ) -> None:
        self._order = np.lexsort((times, entities))
        self._entities, self._times = entities[self._order], times[self._order]
        self._within = within
        self.arrived = np.full(len(times), _NONE)
        """When the best row of each label arrived; the smallest integer if none was seen."""
        self.ties = np.zeros(len(times), np.int64)
        """How many rows of the entity arrived then."""
        self.row = np.full(len(times), -1)
        """The best row, by the number given to it."""

    def see(
        self,
        entities: npt.NDArray[np.int64],
        arrived: npt.NDArray[np.int64],
        numbers: npt.NDArray[np.int64],
    ) -> None:
        """Look at rows: the entity of each, when it arrived, and its number."""
        concerned = np.flatnonzero(np.isin(self._entities, entities))
        if not len(concerned):
            return
        codes = _codes(entities, arrived, self._entities[concerned], self._times[concerned])
        order = np.argsort(codes[0], kind="stable")
        of_rows = codes[0][order]
        stop = np.searchsorted(of_rows, codes[1], side="right")
        last = order[np.maximum(stop - 1, 0)]
        wanted, times = self._entities[concerned], self._times[concerned]
        is_there = (stop > 0) & (entities[last] == wanted) & (times - arrived[last] <= self._within)
        ties = stop - np.searchsorted(of_rows, of_rows[np.maximum(stop - 1, 0)])
        labels, last, ties = self._order[concerned][is_there], last[is_there], ties[is_there]
        same = arrived[last] == self.arrived[labels]
        self.ties[labels[same]] += ties[same]
        later = arrived[last] > self.arrived[labels]
        labels, last = labels[later], last[later]
        self.arrived[labels], self.row[labels] = arrived[last], numbers[last]
        self.ties[labels] = ties[later]


def _codes(
    entities: npt.NDArray[np.int64],
    arrived: npt.NDArray[np.int64],
    label_entities: npt.NDArray[np.int64],
    label_times: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return a number for each row and each label that sorts by entity, then by time."""
    ranks = np.unique(np.concatenate([arrived, label_times]), return_inverse=True)[1]
    rows = len(arrived)
    return (entities << 32) | ranks[:rows], (label_entities << 32) | ranks[rows:]


def micros(times: pa.Array | pa.ChunkedArray) -> npt.NDArray[np.int64]:
    """Return times without nulls as microseconds since 1970."""
    return np.asarray(times.cast(pa.int64()))
