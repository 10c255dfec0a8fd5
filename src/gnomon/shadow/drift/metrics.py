"""How far two counts of a column lie apart, and how far they would by chance alone.

Every metric is an effect size: it tells how much, and does not grow with the number of rows. What
chance alone gives, its *floor*, shrinks with them. Only what is above a limit and above the floor
counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.shadow.drift.bins import GRAIN, Bins, Extra, Floats, Integers

__all__ = ["SURE", "Sides", "floors", "measures", "quantiles"]

SURE = 3.29
"""Standard deviations that a normal variable exceeds, on either side, once in a thousand times."""

_QUANTILES = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


@dataclass(frozen=True)
class Sides:
    """Two counts over the same bins: what is expected, and what is looked at.

    Attributes:
        before: training, or earlier rows.
        now: the rows looked at.
    """

    bins: Bins
    before: Integers
    now: Integers

    @property
    def spread(self) -> float:
        """``1/n + 1/m``, of the rows on either side that are not null; infinite without any."""
        n, m = (int(side[: self.bins.size].sum()) for side in (self.before, self.now))
        return 1 / n + 1 / m if n and m else math.inf

    @property
    def all_spread(self) -> float:
        """``1/n + 1/m`` of all rows, nulls with them."""
        n, m = (rows(self.bins, side) for side in (self.before, self.now))
        return 1 / n + 1 / m if n and m else math.inf

    def shares(self, smoothed: float = 0.0) -> tuple[Floats, Floats]:
        """The share of each bin on either side; with so many rows more in each bin that is used."""
        counts = [side[: self.bins.size].astype(float) for side in (self.before, self.now)]
        used = (counts[0] + counts[1]) > 0
        both = [side[used] + smoothed for side in counts]
        return both[0] / max(both[0].sum(), 1.0), both[1] / max(both[1].sum(), 1.0)

    def rates(self, *which: Extra) -> tuple[float, float]:
        """The share of all rows on either side that are of these kinds."""
        counts = [
            sum(int(s[self.bins.size + kind]) for kind in which) for s in (self.before, self.now)
        ]
        sizes = [max(rows(self.bins, side), 1) for side in (self.before, self.now)]
        return counts[0] / sizes[0], counts[1] / sizes[1]


def rows(bins: Bins, count: Integers) -> int:
    """Rows that were counted."""
    return int(count[: bins.size].sum() + count[bins.size + Extra.NULL])


def measures(sides: Sides) -> dict[str, float]:
    """Every metric that the column has.

    Those of order, ``ks`` and ``wasserstein``, only for numbers; ``outside`` likewise; ``new`` only
    where training's values are all known.
    """
    found = {"nulls": abs(np.subtract(*sides.rates(Extra.NULL)))}
    if math.isfinite(sides.spread):
        found |= {name: metric(sides) for name, metric in _SHAPE.items()}
    if sides.bins.edges is None:
        if sides.bins.known is not None:
            before, now = sides.rates(Extra.NEW)
            found["new"] = max(now - before, 0.0)
        return {name: float(value) for name, value in found.items()}
    before, now = sides.rates(Extra.BELOW, Extra.ABOVE)
    found["outside"] = max(now - before, 0.0)
    if math.isfinite(sides.spread):
        found |= {"ks": ks(sides), "wasserstein": wasserstein(sides)}
    return {name: float(value) for name, value in found.items()}


def psi(sides: Sides) -> float:
    """Population stability index: the sum of ``(q - p) ln(q / p)`` over bins.

    It is the divergence of Jeffreys (1946). Each bin has half a row more on either side, so that an
    empty one does not make it infinite (Krichevsky and Trofimov, 1981).
    """
    p, q = sides.shares(smoothed=0.5)
    return float(((q - p) * np.log(q / p)).sum())


def js(sides: Sides) -> float:
    """Jensen-Shannon distance: the root of the divergence in bits, from 0 to 1.

    Endres and Schindelin, IEEE Trans. Inf. Theory 49 (2003).
    """
    p, q = sides.shares()
    middle = (p + q) / 2
    halves = [np.sum(s[s > 0] * np.log2(s[s > 0] / middle[s > 0])) / 2 for s in (p, q)]
    return math.sqrt(max(sum(halves), 0.0))


def linf(sides: Sides) -> float:
    """The largest change of the share of one bin or value."""
    p, q = sides.shares()
    return float(np.abs(q - p).max(initial=0.0))


def ks(sides: Sides) -> float:
    """The largest difference of the two distribution functions, at the frozen edges.

    Between edges it may be larger: bins of 5% of training's rows hide at most 5%.
    """
    return float(np.abs(_gaps(sides)).max(initial=0.0))


def wasserstein(sides: Sides) -> float:
    """Wasserstein distance of order 1, in standard deviations of the training column.

    It is the area between the two distribution functions (Vallender, 1974). Rows are taken to lie
    evenly between a bin's edges, to thin out towards training's least and greatest value in the
    outermost bins, and to be all on one value in a bin that stands for it. What
    lies out of training's range is counted with its own distance from it. A column that was
    constant in training has 1 for its standard deviation. Of two sides that both reach out of it
    on one end, the means there are compared, which is a lower bound.
    """
    inner, std = _area(sides), sides.bins.std or 1.0
    sizes = [max(int(side[: sides.bins.size].sum()), 1) for side in (sides.before, sides.now)]
    beyond = 0.0
    for kind in (Extra.EXCESS_BELOW, Extra.EXCESS_ABOVE):
        far = [
            int(side[sides.bins.size + kind]) / GRAIN / size
            for side, size in zip((sides.before, sides.now), sizes, strict=True)
        ]
        beyond += abs(far[1] - far[0])
    return float(inner / std + beyond)


def floors(sides: Sides) -> dict[str, float]:
    """What each metric stays below without any drift, in all but about one of a thousand cases.

    PSI: without drift it is ``1/n + 1/m`` times a chi-squared variable of ``B - 1`` degrees of
    freedom, its mean ``(B - 1)(1/n + 1/m)`` (Yurdakul and Naranjo, *Statistical properties of the
    population stability index*, 2020); of chi-squared, mean and :data:`SURE` standard deviations.
    Jensen-Shannon: the squared distance is to second order PSI by ``8 ln 2``. Kolmogorov-Smirnov:
    Smirnov's (1948) limit at one in a thousand. L-infinity and nulls: :data:`SURE` standard
    deviations of a share. Wasserstein: the same of the difference of the two distribution
    functions, integrated. New and outside: a value that was never seen in ``m`` rows has a share
    of up to ``ln(1000) / m``. Rows that follow each other are often alike, and chance then goes
    further than this says.
    """
    spread, everything = sides.spread, sides.all_spread
    rare = math.log(1000) * everything
    found = {
        "nulls": _of_share(sum(sides.rates(Extra.NULL)) / 2, everything),
        "new": rare,
        "outside": rare,
    }
    if not math.isfinite(spread):
        return found
    p, q = sides.shares()
    freedom = max(len(p) - 1, 0)
    stability = spread * (freedom + SURE * math.sqrt(2 * freedom))
    middle = (p + q) / 2
    at = float(np.sqrt(middle * (1 - middle)).max(initial=0.0))
    return found | {
        "psi": stability,
        "js": math.sqrt(stability / (8 * math.log(2))),
        "ks": math.sqrt(-math.log(0.001 / 2) / 2) * math.sqrt(spread),
        "wasserstein": _chance_area(sides) / (sides.bins.std or 1.0),
        "linf": SURE * at * math.sqrt(spread),
    }


def quantiles(bins: Bins, count: Integers) -> dict[str, float]:
    """Quantiles of a number, evenly between the edges of a bin; within training's range."""
    total = int(count[: bins.size].sum())
    if bins.edges is None or not total or not math.isfinite(bins.low):
        return {}
    knots = np.concatenate([[bins.low], bins.edges, [bins.high]])
    up_to = np.concatenate([[0.0], np.cumsum(count[: bins.size]) / total])
    if bins.is_discrete:
        place = [int(np.searchsorted(up_to[1:], at - 1e-12)) for at in _QUANTILES.values()]
        return dict(zip(_QUANTILES, (float(knots[i]) for i in place), strict=True))
    found = np.interp(list(_QUANTILES.values()), up_to, knots)
    return dict(zip(_QUANTILES, found.tolist(), strict=True))


_SHAPE: Mapping[str, Callable[[Sides], float]] = {"psi": psi, "js": js, "linf": linf}


def _gaps(sides: Sides) -> Floats:
    """``G - F`` at training's least value, the inner edges, and its greatest value."""
    size = sides.bins.size
    gaps = np.zeros(size + 1)
    for side, sign in ((sides.before, -1.0), (sides.now, 1.0)):
        total = max(int(side[:size].sum()), 1)
        up_to = np.concatenate([[side[size + Extra.BELOW]], np.cumsum(side[:size])]) / total
        up_to[-1] -= side[size + Extra.ABOVE] / total
        gaps += sign * up_to
    return gaps


def _widths(bins: Bins) -> Floats:
    assert bins.edges is not None
    if not math.isfinite(bins.low):
        return np.zeros(bins.size)
    return np.diff(np.concatenate([[bins.low], bins.edges, [bins.high]]))


def _area(sides: Sides) -> float:
    """The area between the distribution functions within training's range."""
    gaps, widths = _gaps(sides), _widths(sides.bins)
    if sides.bins.is_discrete:
        return float((np.abs(gaps[1:]) * widths).sum())
    left, right = gaps[:-1], gaps[1:]
    whole = np.abs(left) + np.abs(right)
    crossing = (left * right < 0) & (whole > 0)
    # Where the functions cross, two triangles; elsewhere a trapezoid.
    triangles = (left**2 + right**2) / np.where(whole > 0, whole, 1.0) / 2
    areas = np.where(crossing, triangles, whole / 2)
    if len(areas) > 1:  # In the outermost bins rows thin out evenly, to none at the end.
        areas[0] = (2 * abs(left[0]) + abs(right[0])) / 3
        areas[-1] = (abs(left[-1]) + 2 * abs(right[-1])) / 3
    return float((areas * widths).sum())


def _chance_area(sides: Sides) -> float:
    """:data:`SURE` standard deviations of ``G - F``, integrated over training's range."""
    if sides.bins.edges is None:
        return 0.0
    p = (sides.before + sides.now)[: sides.bins.size].astype(float)
    up_to = np.concatenate([[0.0], np.cumsum(p) / max(p.sum(), 1.0)])
    deviation = np.sqrt(np.clip(up_to * (1 - up_to), 0.0, None) * sides.spread)
    at = deviation[1:] if sides.bins.is_discrete else (deviation[:-1] + deviation[1:]) / 2
    return float(SURE * (at * _widths(sides.bins)).sum())


def _of_share(share: float, spread: float) -> float:
    """:data:`SURE` standard deviations of the difference of two shares; of a share of none, that
    of one row in a thousand."""
    return SURE * math.sqrt(max(share * (1 - share), 0.001) * spread)
