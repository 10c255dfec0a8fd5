"""Whether numbers look as if they came in another unit than in training.

A contract's ``unit`` is a word for people, and a number does not say what it counts. But where
the quantiles of a feature are off by one well-known factor, and undoing it puts all of them back
where training had them, another unit is the simplest reason. It stays a suspicion.
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
"""Of fewer values the rank of the median is not known to within 3% of the rows: its standard error
is half of 1 / sqrt(n)."""

MIN_BINS = 3
"""A factor is read off as many bins at least: two points fit any line."""

OFF = 0.05
"""How many ranks, as a share of the rows, quantiles are off on average before anything is asked:
the rows of one bin of the profile."""

FAR = 0.25
"""How many ranks off makes it worth asking for a shift: a temperature of the weather or a body in
another unit is beyond nearly all of training, which is 0.475."""

BACK = 0.02
"""How many they may still be off when the change is undone. Chance takes the median of 300 values
2.9% of the ranks away, of which half a bin, 2.5%, does not count."""

ROUNDED = 0.01
"""The share of itself, and of training's middle 90%, that a value may have been rounded by."""

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

They are few because quantiles know a factor to some per cent only. With as many as a diagnosis
tries, which has both values of a row, one change in eight is called by the wrong name, and any
feature that doubles is suspected of being in knots.
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
nearest, so that it is near one and clearly not the other. About 5%."""

LARGE = 10.0
"""No drift makes all values ten times as large. So a factor that is, or a tenth, need not leave
every quantile where it was: the season may have changed too."""

NEAR_LARGE = math.log(100 / 60) / 3
"""As :data:`NEAR`, among large factors. About 17%."""

BETTER = 4.0
"""How many times nearer undoing a large factor must bring the quantiles."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """A change of unit: what is served is what was trained on, times ``factor``, plus ``offset``.

    Attributes:
        units: the two units, as :data:`UNITS` or :data:`SHIFTS` name them.
    """

    units: str
    factor: float
    offset: float = 0.0

    @property
    def is_large(self) -> bool:
        """Whether no drift is as large."""
        return not self.offset and max(self.factor, 1 / self.factor) >= LARGE

    @property
    def inverse(self) -> Conversion:
        """The same change the other way."""
        return Conversion(self.units, 1 / self.factor, -self.offset / self.factor)

    def undo(self, values: Floats) -> Floats:
        """What was served, in the unit of training."""
        return (values - self.offset) / self.factor

    def __str__(self) -> str:
        shift = f" {self.offset:+.6g}" if self.offset else ""
        return f"x {self.factor:.6g}{shift} ({self.units})"


_FORWARD = (
    *(Conversion(units, factor) for units, factor in UNITS.items()),
    *(Conversion(units, factor, offset) for units, (factor, offset) in SHIFTS.items()),
)
CONVERSIONS = tuple(way for base in _FORWARD for way in (base, base.inverse))
"""What is looked for, each in both directions."""

ATOM = 0.075
"""A bin with a larger share than one and a half that of a bin, 1/20, is one value and few more:
quantiles that fall together make bins fewer."""


@dataclass(frozen=True, slots=True)
class Trained:
    """The bins of a number in the training profile that hold anything.

    Attributes:
        low, high: their ends.
        below: the share of training rows below each; the last is followed by 1.
        typical: the middle of each, or its low end where nearly all of it is there.
    """

    low: Floats
    high: Floats
    below: Floats
    typical: Floats

    @classmethod
    def of(cls, inner: Floats, counts: Floats, least: float, most: float) -> Trained:
        """From the inner edges and counts of a row of the profile, and its extremes."""
        filled = counts > 0
        low = np.concatenate([[least], inner])[filled]
        high = np.concatenate([inner, [most]])[filled]
        below = np.concatenate([[0.0], np.cumsum(counts[filled]) / counts.sum()])
        atom = np.diff(below) > ATOM
        return cls(low, high, below, np.where(atom, low, (low + high) / 2))

    @property
    def median(self) -> float:
        """About where the median of training was."""
        return float(self.typical[np.searchsorted(self.below, 0.5) - 1])

    def quantiles(self, values: Floats) -> Floats:
        """Of sorted ``values``, those that lie where the middle row of each bin did."""
        found: Floats = values[(self._middle * len(values)).astype(int)]
        return found

    def distance(self, quantiles: Floats) -> float:
        """How many ranks quantiles are off where training had them, on average."""
        span = self.low[-1] - self.high[0] if len(self.low) > 2 else self.high[-1] - self.low[0]
        slack = np.minimum(np.abs(quantiles), span) * ROUNDED
        most = self.below[np.searchsorted(self.low, quantiles + slack, side="right")]
        at_least = np.searchsorted(self.high, quantiles - slack, side="left")
        # A value at the top end of a bin is in the next one, but that the last has its end.
        least = self.below[np.minimum(at_least, len(self.low))]
        return float(np.maximum(least - self._middle, self._middle - most).clip(min=0).mean())

    def ratio(self, quantiles: Floats) -> float | None:
        """How many times as large quantiles are as in training, by the median over the bins."""
        same = self.typical * quantiles > 0
        if same.sum() < MIN_BINS:
            return None
        return float(np.median(quantiles[same] / self.typical[same]))

    @property
    def _middle(self) -> Floats:
        return (self.below[:-1] + self.below[1:]) / 2


def trained(profile: pa.Table) -> dict[str, Trained]:
    """The numbers among the inputs of a training profile that vary, by name.

    Args:
        profile: as :data:`gnomon.artifact.profile.SCHEMA` has it.
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
    """The change of unit that explains how far ``values`` are from training; None if none does.

    Args:
        values: finite numbers, a sample of what was served.
        training: where training had them.
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
    """The factors that the ratio of the quantiles is near, and what has an offset."""
    ratio = training.ratio(quantiles)
    for conversion in CONVERSIONS:
        near = NEAR_LARGE if conversion.is_large else NEAR
        is_near = ratio is not None and abs(math.log(ratio / conversion.factor)) <= near
        if is_near or conversion.offset:
            yield conversion
