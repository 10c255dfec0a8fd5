"""The check whether numbers look as if they had another unit than in training.

A contract's ``unit`` is a word for people, and a number does not show its unit. But if the
quantiles of a feature differ from training by a well-known factor, and undoing it restores all of
them, another unit is the simplest explanation. It remains a suspicion.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "CONVERSIONS",
    "SHIFTS",
    "UNITS",
    "Conversion",
    "Trained",
    "suspect_unit",
    "trained",
]

Floats = npt.NDArray[np.float64]

MIN_VALUES = 300
"""With fewer values the rank of the median is not known to within 3% of the rows: its standard
error is half of 1 / sqrt(n)."""

MIN_BINS = 3
"""A factor is estimated from at least this many bins: two points fit any line."""

OFF = 0.05
"""How many ranks, as a share of the rows, quantiles must be off on average before units are tested:
the rows of one bin of the profile."""

FAR = 0.25
"""How many ranks quantiles must be off before a shift is tested: temperatures of the air or of a
body in another unit are beyond nearly all of training, which is 0.475."""

BACK = 0.02
"""How many ranks they may still be off when the change is undone. By chance the median of 300
values is 2.9% of the ranks off, of which half a bin, 2.5%, does not count."""

ROUNDED = 0.01
"""A value may have been rounded by this share of itself and of training's middle 90%."""

UNITS: dict[str, float] = {
    **{f"a factor of {10**k:,}": 10.0**k for k in range(1, 10)},
    "minutes and hours, or seconds and minutes": 60.0,
    "seconds and hours": 3_600.0,
    "hours and days": 24.0,
    "centimetres and inches": 2.54,
    "metres and feet": 1 / 0.3048,
    "kilometres and miles": 1.609344,
    "kilograms and pounds": 1 / 0.45359237,
}
"""Well-known pairs of units and the factor between them; NIST SP 811, 2008, appendix B.

They are few because quantiles determine a factor only to some per cent. With as many as a diagnosis
tries, which has both values of a row, one change in eight would get the wrong name, and any feature
that doubles would be suspected to be in knots.
"""

SHIFTS: dict[str, tuple[float, float]] = {
    "Celsius and Fahrenheit": (1.8, 32.0),
    "Celsius and Kelvin": (1.0, 273.15),
    "Fahrenheit and Kelvin": (1.8, -459.67),
}
"""Pairs of units that differ by a factor and a shift; NIST SP 811, 2008, appendix B.8. The last is
from Kelvin to Fahrenheit."""

NEAR = math.log(UNITS["centimetres and inches"] / UNITS["kilograms and pounds"]) / 3
"""How far the log of a ratio may be from that of a factor: a third of the gap between the two
nearest factors, so that it is near one and clearly not the other. About 5%."""

LARGE = 10.0
"""Drift does not make all values ten times as large. So undoing a factor of 10 or more, or of a
tenth or less, need not restore every quantile: the data may have drifted too."""

NEAR_LARGE = math.log(100 / 60) / 3
"""Like :data:`NEAR`, for large factors. About 17%."""

BETTER = 4.0
"""By which factor undoing a large factor must reduce the distance of the quantiles."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A change of unit: a served value is the training value times ``factor`` plus ``offset``.

    Attributes:
        units: the two units, named as in :data:`UNITS` or :data:`SHIFTS`.
    """

    units: str
    factor: float
    offset: float = 0.0

    @property
    def is_large(self) -> bool:
        """Whether the factor is too large for drift."""
        return not self.offset and max(self.factor, 1 / self.factor) >= LARGE

    @property
    def inverse(self) -> Conversion:
        """The same change in the other direction."""
        return Conversion(self.units, 1 / self.factor, -self.offset / self.factor)

    def undo(self, values: Floats) -> Floats:
        """Convert served values to the unit of training."""
        return (values - self.offset) / self.factor

    def __str__(self) -> str:
        shift = f" {self.offset:+.6g}" if self.offset else ""
        return f"x {self.factor:.6g}{shift} ({self.units})"


_FORWARD = (
    *(Conversion(units, factor) for units, factor in UNITS.items()),
    *(Conversion(units, factor, offset) for units, (factor, offset) in SHIFTS.items()),
)
CONVERSIONS = tuple(way for base in _FORWARD for way in (base, base.inverse))
"""The changes that are tested, each in both directions."""

ATOM = 0.075
"""A bin with more than 1.5 times the usual share, 1/20, contains mostly one value: equal quantiles
reduce the number of bins."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The bins of a number in the training profile that are not empty.

    Attributes:
        low, high: the ends of the bins.
        below: the share of training rows below each bin; a final 1 follows.
        typical: the middle of each bin, or its low end if nearly all its rows are there.
    """

    low: Floats
    high: Floats
    below: Floats
    typical: Floats

    @classmethod
    def of(cls, inner: Floats, counts: Floats, least: float, most: float) -> Trained:
        """Make the bins from the inner edges, counts and extremes of a row of the profile."""
        filled = counts > 0
        low = np.concatenate([[least], inner])[filled]
        high = np.concatenate([inner, [most]])[filled]
        below = np.concatenate([[0.0], np.cumsum(counts[filled]) / counts.sum()])
        atom = np.diff(below) > ATOM
        return cls(low, high, below, np.where(atom, low, (low + high) / 2))

    @property
    def median(self) -> float:
        """The approximate median of training."""
        return float(self.typical[np.searchsorted(self.below, 0.5) - 1])

    def quantiles(self, values: Floats) -> Floats:
        """Return the quantiles of sorted ``values`` at the rank of the middle of each bin."""
        quantiles: Floats = values[(self._middle * len(values)).astype(int)]
        return quantiles

    def distance(self, quantiles: Floats) -> float:
        """Return by how many ranks, as a share, quantiles differ from training on average."""
        span = self.low[-1] - self.high[0] if len(self.low) > 2 else self.high[-1] - self.low[0]
        slack = np.minimum(np.abs(quantiles), span) * ROUNDED
        most = self.below[np.searchsorted(self.low, quantiles + slack, side="right")]
        at_least = np.searchsorted(self.high, quantiles - slack, side="left")
        # A value at the top end of a bin is in the next one; only the last bin includes its end.
        least = self.below[np.minimum(at_least, len(self.low))]
        return float(np.maximum(least - self._middle, self._middle - most).clip(min=0).mean())

    def ratio(self, quantiles: Floats) -> float | None:
        """Return the ratio of quantiles to those of training, as the median over the bins."""
        same = self.typical * quantiles > 0
        if same.sum() < MIN_BINS:
            return None
        return float(np.median(quantiles[same] / self.typical[same]))

    @property
    def _middle(self) -> Floats:
        return (self.below[:-1] + self.below[1:]) / 2


def trained(profile: pa.Table) -> dict[str, Trained]:
    """Return the numeric inputs of a training profile that vary, by name.

    Args:
        profile: a table with the columns of :data:`gnomon.artifact.profile.SCHEMA`.
    """
    is_input = pc.equal(profile.column("kind"), "input")
    varies = pc.less(profile.column("minimum"), profile.column("maximum"))
    return {
        row["name"]: Trained.of(
            np.array(row["edges"], dtype=np.float64),
            np.array(row["counts"], dtype=np.float64),
            row["minimum"],
            row["maximum"],
        )
        for row in profile.filter(pc.and_kleene(is_input, varies)).to_pylist()
    }


def suspect_unit(values: Floats, training: Trained) -> Conversion | None:
    """Return the change of unit that explains how ``values`` differ from training, or None.

    Args:
        values: finite numbers, a sample of served values.
        training: the bins of the training profile.
    """
    if len(values) < MIN_VALUES:
        return None
    quantiles = training.quantiles(np.sort(values))
    off = training.distance(quantiles)
    if off < OFF:
        return None
    possible = [c for c in _possible(quantiles, training) if off >= FAR or not c.offset]
    fits = [(training.distance(c.undo(quantiles)), c) for c in possible]
    good = [
        (after, conversion)
        for after, conversion in fits
        if after <= BACK or (conversion.is_large and after <= off / BETTER)
    ]
    return min(good, key=lambda fit: fit[0], default=(0.0, None))[1]


def _possible(quantiles: Floats, training: Trained) -> Iterator[Conversion]:
    """Yield the conversions whose factor is near the quantiles' ratio, and all with an offset."""
    ratio = training.ratio(quantiles)
    for conversion in CONVERSIONS:
        near = NEAR_LARGE if conversion.is_large else NEAR
        is_near = ratio is not None and abs(math.log(ratio / conversion.factor)) <= near
        if is_near or conversion.offset:
            yield conversion
