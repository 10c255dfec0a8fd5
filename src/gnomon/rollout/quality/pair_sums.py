"""Losses of the same rows summed per unit of evidence, in memory that grows with units only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.block_length import block_length, block_values
from gnomon.compare.sequential import Interval
from gnomon.policy import Metric
from gnomon.rollout.quality.losses import RowLosses

__all__ = ["MetricSums", "PairSums"]

Floats = npt.NDArray[np.float64]

FOLD_ROWS = 1 << 18
"""Sums of so many units are merged, as in `gnomon.rollout.evidence.unit_counts`."""

_PARTS = ("labelled", "live", "shadow", "difference", "comparable", "least", "most")
"""What is summed of each metric. ``least`` and ``most`` are the differences if each missing label
were the best, or the worst, for the shadow."""

_TIMES = ("arrived", "labelled_at")


class MetricSums:
    """The sums of one metric by unit, in the order in which the first row of each arrived.

    Attributes:
        rows: rows with a label that both answered.
        missing: rows without one.
        live: live's mean loss over these rows; None without them.
        shadow: the shadow's.
        one_row_each: whether no unit has more than one row, and no block of units is one.
    """

    def __init__(self, sums: Mapping[str, Floats], longest_burst: int | None) -> None:
        self._sums = sums
        self._longest_burst = longest_burst
        self.rows = round(sums["labelled"].sum())
        self.missing = round(sums["comparable"].sum()) - self.rows
        self.live: float | None = self._mean("live")
        self.shadow: float | None = self._mean("shadow")
        self.one_row_each = longest_burst is None and not (sums["comparable"] > 1).any()

    def _mean(self, part: str) -> float | None:
        return float(self._sums[part].sum()) / self.rows if self.rows else None

    @property
    def difference(self) -> float | None:
        """The mean over rows of the shadow's loss minus live's; None without labels."""
        return self._mean("difference")

    @property
    def possible_difference(self) -> Interval | None:
        """The mean difference over all rows, from each missing label at its best for the shadow to
        each at its worst; None without rows.
        """
        rows = self._sums["comparable"].sum()
        if not rows:
            return None
        least, most = (float(self._sums[part].sum() / rows) for part in ("least", "most"))
        return Interval(least, most)

    def units(self, part: str = "difference") -> Floats:
        """Return the mean of each unit of evidence, or of each block of units.

        Args:
            part: ``difference``, ``live`` or ``shadow``, over rows with a label; ``least`` or
                ``most``, over all rows.
        """
        of = "comparable" if part in ("least", "most") else "labelled"
        there = self._sums[of] > 0
        means = np.asarray(self._sums[part][there] / self._sums[of][there], np.float64)
        if self._longest_burst is None:
            return means
        return block_values(means, block_length(means, shortest=self._longest_burst))


class PairSums:
    """Sums the losses of each entity, or request, over any number of batches, in any order.

    Args:
        longest_burst: how many units one after the other may be alike; then blocks of at least so
            many are the units.
    """

    def __init__(self, longest_burst: int | None = None) -> None:
        self._longest_burst = longest_burst
        self._parts: list[pa.Table] = []
        self.live_clipped: dict[str, int] = {}
        self.shadow_clipped: dict[str, int] = {}
        self.better: dict[str, int] = {}
        self.worse: dict[str, int] = {}

    def add(self, units: pa.Array, arrived: pa.Array, losses: Mapping[Metric, RowLosses]) -> None:
        """Add rows.

        Args:
            units: the unit of each row, as text.
            arrived: when each arrived.
            losses: by metric.
        """
        known = ~np.isnan(next(iter(losses.values())).difference)
        labelled_at = pc.if_else(pa.array(known), arrived, pa.scalar(None, arrived.type))
        columns = {"unit": units, "arrived": arrived, "labelled_at": labelled_at}
        for metric, found in losses.items():
            for part, values in zip(_PARTS, _summands(found), strict=True):
                columns[f"{metric} {part}"] = pa.array(values)
            self._count(metric, found)
        self._parts.append(_by_unit([pa.table(columns)]))
        if sum(part.num_rows for part in self._parts[1:]) > FOLD_ROWS:
            self._parts = [_by_unit(self._parts)]

    def of(self, metric: str) -> MetricSums:
        """Return the sums of one metric so far."""
        sums = {part: np.zeros(0) for part in _PARTS}
        if self._parts:
            self._parts = [
                _by_unit(self._parts).sort_by([("arrived", "ascending"), ("unit", "ascending")])
            ]
            sums = {part: self._parts[0].column(f"{metric} {part}").to_numpy() for part in _PARTS}
        return MetricSums(sums, self._longest_burst)

    def first_labelled(self) -> pa.ChunkedArray:
        """Return when the first row with a label arrived, of each unit that has one."""
        if not self._parts:
            return pa.chunked_array([], pa.timestamp("us", tz="UTC"))
        self._parts = [_by_unit(self._parts)]
        return self._parts[0].column("labelled_at").drop_null()

    def _count(self, metric: str, found: RowLosses) -> None:
        difference = found.difference
        for counts, number in (
            (self.live_clipped, found.clipped[0]),
            (self.shadow_clipped, found.clipped[1]),
            (self.better, (difference < 0).sum()),
            (self.worse, (difference > 0).sum()),
        ):
            counts[metric] = counts.get(metric, 0) + int(number)


def _summands(found: RowLosses) -> Iterator[Floats]:
    """Yield what is summed of each row, in the order of :data:`_PARTS`."""
    difference = found.difference
    known, comparable = ~np.isnan(difference), ~np.isnan(found.least)
    yield known.astype(np.float64)
    for values in (found.live, found.shadow, difference):
        yield np.where(known, values, 0.0)
    yield comparable.astype(np.float64)
    for values in (found.least, found.most):
        yield np.where(known, difference, np.where(comparable, values, 0.0))


def _by_unit(parts: Sequence[pa.Table]) -> pa.Table:
    """Sum the columns of each unit, with the times of its first row and first label."""
    table = pa.concat_tables(parts)
    names = [name for name in table.column_names if name not in ("unit", *_TIMES)]
    found = table.group_by("unit").aggregate(
        [*((name, "min") for name in _TIMES), *((name, "sum") for name in names)]
    )
    plain = {f"{name}_min": name for name in _TIMES} | {f"{name}_sum": name for name in names}
    return found.rename_columns([plain.get(name, name) for name in found.column_names])
