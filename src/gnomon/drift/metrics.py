"""Metrics of the difference between two counts of a column.

Every metric is an effect size, which does not grow with the number of rows. The effect of chance
alone becomes smaller with more rows; see :mod:`~gnomon.drift.chance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gnomon.drift.bins import GRAIN, Bins, Extra, Floats, Integers
from gnomon.drift.counted_rows import CountedRows
from gnomon.quantities import plural

__all__ = ["BinnedSides", "excess", "measures", "quantiles", "rows", "widths"]

_EXCESS = (Extra.EXCESS_BELOW, Extra.EXCESS_ABOVE)

_QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


@dataclass(frozen=True)
class BinnedSides:
    """Two counts over the same bins: the expected one, and the one to compare with it.

    Attributes:
        before: training, or earlier rows.
        now: the rows to compare.
        design_effects: by how much the rows of either side outnumber independent rows that say as
            much; 1 where rows are independent.
    """

    bins: Bins
    before: Integers
    now: Integers
    design_effects: tuple[float, float] = (1.0, 1.0)

    @classmethod
    def of(cls, bins: Bins, before: CountedRows, now: CountedRows) -> BinnedSides:
        """Compare counted rows with earlier ones."""
        return cls(bins, before.vector, now.vector, (before.design_effect, now.design_effect))

    @classmethod
    def from_training(cls, bins: Bins, now: CountedRows) -> BinnedSides:
        """Compare counted rows with training, whose rows count as independent."""
        return cls(bins, bins.training, now.vector, (1.0, now.design_effect))

    @property
    def independent_rows(self) -> tuple[float, float]:
        """Of how many independent rows the rows of either side, with nulls, say as much."""
        before, now = (n / by for n, by in zip(self.all_rows, self.design_effects, strict=True))
        return before, now

    @property
    def independent_values(self) -> tuple[float, float]:
        """As :attr:`independent_rows`, of rows that are not null."""
        before, now = (n / by for n, by in zip(self.valued, self.design_effects, strict=True))
        return before, now

    @cached_property
    def valued(self) -> tuple[int, int]:
        """Rows on either side that are not null."""
        size = self.bins.size
        return int(self.before[:size].sum()), int(self.now[:size].sum())

    @cached_property
    def all_rows(self) -> tuple[int, int]:
        """Rows on either side, including nulls; at least one."""
        return max(rows(self.bins, self.before), 1), max(rows(self.bins, self.now), 1)

    @property
    def counts_as(self) -> str:
        """Return in words as how many independent rows those to compare count; empty if each
        counts."""
        if self.design_effects[1] == 1.0:
            return ""
        return f"{plural(self.all_rows[1], 'row')} count as {round(self.independent_rows[1]):,}"

    def shares(self, smoothed: float = 0.0) -> tuple[Floats, Floats]:
        """Return the share of each non-empty bin on either side, with ``smoothed`` independent rows
        added."""
        counts = [side[: self.bins.size].astype(float) for side in (self.before, self.now)]
        used = (counts[0] + counts[1]) > 0
        before, now = (
            side[used] + smoothed * by for side, by in zip(counts, self.design_effects, strict=True)
        )
        return before / max(before.sum(), 1.0), now / max(now.sum(), 1.0)

    def rates(self, *which: Extra) -> tuple[float, float]:
        """Return the share of all rows on either side that are of these kinds."""
        counts = [
            sum(int(s[self.bins.size + kind]) for kind in which) for s in (self.before, self.now)
        ]
        return counts[0] / self.all_rows[0], counts[1] / self.all_rows[1]


def rows(bins: Bins, count: Integers) -> int:
    """Return how many rows were counted."""
    return int(count[: bins.size].sum() + count[bins.size + Extra.NULL])


def measures(sides: BinnedSides) -> dict[str, float]:
    """Compute every metric that applies to the column.

    ``ks``, ``wasserstein`` and ``outside`` apply only to numbers; ``new`` applies only where all of
    training's values are known.
    """
    values = {"nulls": abs(np.subtract(*sides.rates(Extra.NULL)))}
    if all(sides.valued):
        values |= {name: metric(sides) for name, metric in _SHAPE.items()}
    if sides.bins.edges is None:
        if sides.bins.known is not None:
            before, now = sides.rates(Extra.NEW)
            values["new"] = max(now - before, 0.0)
        return {name: float(value) for name, value in values.items()}
    before, now = sides.rates(Extra.BELOW, Extra.ABOVE)
    values["outside"] = max(now - before, 0.0)
    if all(sides.valued):
        values |= {"ks": ks(sides), "wasserstein": wasserstein(sides)}
    return {name: float(value) for name, value in values.items()}


def psi(sides: BinnedSides) -> float:
    """Population stability index: the sum of ``(q - p) ln(q / p)`` over bins.

    It is the divergence of Jeffreys (1946). Half an independent row is added to each bin on either
    side, so that an empty bin does not make it infinite (Krichevsky and Trofimov, 1981).
    """
    p, q = sides.shares(smoothed=0.5)
    return float(((q - p) * np.log(q / p)).sum())


def js(sides: BinnedSides) -> float:
    """Jensen-Shannon distance: the root of the divergence in bits, from 0 to 1.

    Endres and Schindelin, IEEE Trans. Inf. Theory 49 (2003).
    """
    p, q = sides.shares()
    middle = (p + q) / 2
    halves = [np.sum(s[s > 0] * np.log2(s[s > 0] / middle[s > 0])) / 2 for s in (p, q)]
    return math.sqrt(max(sum(halves), 0.0))


def linf(sides: BinnedSides) -> float:
    """L-infinity distance: the largest change of the share of one bin or value."""
    p, q = sides.shares()
    return float(np.abs(q - p).max(initial=0.0))


def ks(sides: BinnedSides) -> float:
    """Kolmogorov-Smirnov: the largest difference of the distribution functions at the bin edges.

    Between edges it may be larger: bins of 5% of training's rows hide at most 5%.
    """
    return float(np.abs(_gaps(sides)).max(initial=0.0))


def wasserstein(sides: BinnedSides) -> float:
    """Wasserstein distance of order 1, in standard deviations of the training column.

    It is the area between the two distribution functions (Vallender, 1974). Rows are assumed to be
    spread evenly between a bin's edges; in the outermost bins, to become fewer towards training's
    least and greatest value; and in a bin for one value, to be at that value. Rows outside
    training's range are counted with their distance from it. The standard deviation of a column
    that was constant in training is taken as 1. If both sides exceed the range at the same end,
    their mean distances are compared, which is a lower bound.
    """
    inner, std = _area(sides), sides.bins.std or 1.0
    return float(inner / std + sum(excess(sides, kind) for kind in _EXCESS))


def excess(sides: BinnedSides, kind: Extra) -> float:
    """Return the change of the mean distance beyond an end of training's range, in standard
    deviations."""
    before, now = (
        int(side[sides.bins.size + kind]) / GRAIN / size
        for side, size in zip((sides.before, sides.now), sides.valued, strict=True)
    )
    return abs(now - before)


def quantiles(bins: Bins, count: Integers) -> dict[str, float]:
    """Estimate quantiles of a number, linear within bins and limited to training's range."""
    total = int(count[: bins.size].sum())
    if bins.edges is None or not total or not math.isfinite(bins.low):
        return {}
    knots = np.concatenate([[bins.low], bins.edges, [bins.high]])
    up_to = np.concatenate([[0.0], np.cumsum(count[: bins.size]) / total])
    if bins.is_discrete:
        place = [int(np.searchsorted(up_to[1:], share - 1e-12)) for share in _QUANTILES.values()]
        return dict(zip(_QUANTILES, (float(knots[i]) for i in place), strict=True))
    values = np.interp(list(_QUANTILES.values()), up_to, knots)
    return dict(zip(_QUANTILES, values.tolist(), strict=True))


_SHAPE: Mapping[str, Callable[[BinnedSides], float]] = {"psi": psi, "js": js, "linf": linf}


def _gaps(sides: BinnedSides) -> Floats:
    """Return ``G - F`` at training's least value, the inner edges, and its greatest value."""
    size = sides.bins.size
    gaps = np.zeros(size + 1)
    for side, sign in ((sides.before, -1.0), (sides.now, 1.0)):
        total = max(int(side[:size].sum()), 1)
        up_to = np.concatenate([[side[size + Extra.BELOW]], np.cumsum(side[:size])]) / total
        up_to[-1] -= side[size + Extra.ABOVE] / total
        gaps += sign * up_to
    return gaps


def widths(bins: Bins) -> Floats:
    """Return the width of each bin of a number, within training's range."""
    assert bins.edges is not None
    if not math.isfinite(bins.low):
        return np.zeros(bins.size)
    return np.diff(np.concatenate([[bins.low], bins.edges, [bins.high]]))


def _area(sides: BinnedSides) -> float:
    """Return the area between the distribution functions within training's range."""
    gaps, bin_widths = _gaps(sides), widths(sides.bins)
    if sides.bins.is_discrete:
        return float((np.abs(gaps[1:]) * bin_widths).sum())
    left, right = gaps[:-1], gaps[1:]
    heights = np.abs(left) + np.abs(right)
    crossing = (left * right < 0) & (heights > 0)
    # Where the functions cross, two triangles; elsewhere a trapezoid.
    triangles = (left**2 + right**2) / np.where(heights > 0, heights, 1.0) / 2
    areas = np.where(crossing, triangles, heights / 2)
    if len(areas) > 1:  # In the outermost bins the density falls linearly to 0.
        areas[0] = (2 * abs(left[0]) + abs(right[0])) / 3
        areas[-1] = (abs(left[-1]) + 2 * abs(right[-1])) / 3
    return float((areas * bin_widths).sum())
