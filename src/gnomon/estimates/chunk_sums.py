"""Sums of estimated and realised losses by chunk of time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gnomon.offline.entity_slots import SLOTS, EntitySlots, repeats
from gnomon.offline.time_buckets import FROM_MINUTES, TimeSums
from gnomon.policy import Metric

__all__ = ["ChunkSums", "LossSums"]

Floats = npt.NDArray[np.float64]

_HELD = 100
_MOST_CHUNKS = 24
_FEWEST_ROWS = 500
"""Chunks are widened until they have this many rows on average: with 20 bins, chance alone gives a
PSI of up to 0.2 between 500 rows and 500 others."""

_ROWS, _LABELLED = "rows", "labelled"


class LossSums(NamedTuple):
    """The losses of one chunk by one metric.

    Attributes:
        rows: rows with an estimate.
        estimated: the sum of their estimated losses.
        labelled: of those, rows with a label.
        labelled_estimated: the sum of their estimated losses.
        realised: the sum of their losses.
    """

    rows: float
    estimated: float
    labelled: float
    labelled_estimated: float
    realised: float


class ChunkSums:
    """Adds up losses. Memory does not grow with the rows.

    Args:
        metrics: the losses.
        least: the least width of a chunk; the first of a minute, 5 and 15 minutes, an hour, 6
            hours, a day, 7 and 28 days that is at least as wide is used. When not given, chunks are
            as wide as it takes for 24 of them, with 500 rows each.
    """

    def __init__(self, metrics: tuple[Metric, ...], least: timedelta | None = None) -> None:
        self._metrics, self._is_fixed = metrics, least is not None
        wanted = 0.0 if least is None else least.total_seconds()
        widths = tuple(w for w in FROM_MINUTES if w >= wanted) or FROM_MINUTES[-1:]
        self._sums = TimeSums(widths, _HELD, len(LossSums._fields))
        self._entities = TimeSums(widths, _HELD, SLOTS)
        self._row_count = 0

    def add(
        self,
        times: Floats,
        estimated: Mapping[Metric, Floats],
        realised: Mapping[Metric, Floats],
        beyond: npt.NDArray[np.bool_],
        entities: EntitySlots | None = None,
    ) -> None:
        """Add rows.

        Args:
            times: in seconds since 1970.
            estimated: the estimated loss of each row by metric; NaN without an answer.
            realised: its loss; NaN without a label.
            beyond: which answers are beyond those of the reference.
            entities: the entity of each row; None where the contract has no entity key.
        """
        buckets, places = self._sums.split(times)

        def summed(*columns: Floats) -> Floats:
            sums = np.zeros((len(buckets), len(LossSums._fields)))
            for place, column in enumerate(columns):
                sums[:, place] = np.bincount(places, np.nan_to_num(column), len(buckets))
            return sums

        found = {_ROWS: summed(np.ones(len(times)), beyond.astype(np.float64))}
        for metric in self._metrics:
            answered = ~np.isnan(estimated[metric])
            known = answered & ~np.isnan(realised[metric])
            found[metric] = summed(
                answered.astype(np.float64),
                estimated[metric],
                known.astype(np.float64),
                np.where(known, estimated[metric], 0.0),
                np.where(known, realised[metric], 0.0),
            )
        if entities is not None:
            labelled = np.any([~np.isnan(losses) for losses in realised.values()], axis=0)
            chosen = {_ROWS: None, _LABELLED: labelled}
            signed = {key: entities.sums(places, len(buckets), of) for key, of in chosen.items()}
            self._entities.add(buckets, signed)
        self._sums.add(buckets, found)
        self._row_count += len(times)

    def settle(self) -> int:
        """Widen the chunks until they are few and large enough; return their width in seconds."""
        if not self._is_fixed:
            most = max(1, min(_MOST_CHUNKS, self._row_count // _FEWEST_ROWS))
            self._sums.fit(most)
            self._entities.fit(most)
        return self._sums.seconds

    @property
    def buckets(self) -> list[int]:
        """The chunks that have rows: seconds since 1970 by their width."""
        numbers: list[int] = self._sums.numbers.tolist()
        return numbers

    def rows(self, chunk: int) -> int:
        """Return the rows of one chunk, by its place among :attr:`buckets`."""
        return int(self._sums.series[_ROWS][chunk, 0])

    def beyond(self, chunk: int) -> float:
        """Return the share of its answers that are beyond those of the reference."""
        rows, beyond = self._sums.series[_ROWS][chunk, :2]
        return float(beyond / rows)

    def repeats(self, chunk: int) -> float | None:
        """Return of how many rows a row's entity is, in the mean; None where they have none."""
        return self._repeats(_ROWS, chunk, self.rows(chunk))

    def labelled_repeats(self, chunk: int, labelled: int) -> float | None:
        """Return the same of the rows with a label, of which there are so many."""
        return self._repeats(_LABELLED, chunk, labelled)

    def _repeats(self, series: str, chunk: int, rows: int) -> float | None:
        signed = self._entities.series.get(series)
        return None if signed is None else repeats(signed[chunk], rows)

    def metric(self, chunk: int, metric: Metric) -> LossSums:
        """Return its losses by one metric."""
        return LossSums(*self._sums.series[metric][chunk].tolist())
