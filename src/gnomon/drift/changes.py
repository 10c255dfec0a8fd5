"""Where within a range a column changed: suddenly, or gradually."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.drift.bins import Bins, Integers
from gnomon.drift.metrics import BinnedSides, measures, rows
from gnomon.drift.model import Effect
from gnomon.drift.verdicts import effects, overall, worst
from gnomon.policy import Drift

__all__ = ["DriftChange", "changes"]

_FEWEST_BEFORE = 3
"""Buckets that must lie before one that is called a sudden change."""

_UNUSUAL = 2.0
"""A bucket must lie this many times as far off as any before it did: a feature that follows the
hour of the day differs from bucket to bucket without having changed."""

_WHOLE = 0.5
"""A bucket with less than this part of the rows that buckets have at the median is not looked at by
itself: the first and the last are cut off."""

_DAY = 86_400

_FEWEST_IN_ALL = 6
"""Buckets in which a slow change can show: two in each third."""


@dataclass(frozen=True)
class DriftChange:
    """One change.

    Attributes:
        slow: whether it came gradually.
        at: the bucket it began in.
        sides: what came before, and what came since.
        metric: the one that shows it the most.
        effect: by how much.
    """

    slow: bool
    at: int
    sides: BinnedSides
    metric: str
    effect: Effect

    @property
    def sizes(self) -> tuple[int, int]:
        """Rows before and since."""
        bins = self.sides.bins
        return rows(bins, self.sides.before), rows(bins, self.sides.now)


def changes(
    bins: Bins, buckets: Mapping[int, Integers], policy: Drift, seconds: int
) -> list[DriftChange]:
    """Every sudden change of a column, in order of time; if there is none, a slow one.

    Args:
        buckets: counts by bucket, in order of time.
        seconds: the width of a bucket.
    """
    found = list(_sudden(bins, list(buckets), list(buckets.values()), policy))
    return found or list(_slow(bins, list(buckets), list(buckets.values()), policy, seconds))


def _sudden(
    bins: Bins, at: Sequence[int], counts: Sequence[Integers], policy: Drift
) -> Iterator[DriftChange]:
    """Each bucket against all since the last change, and against how far those were off."""
    sizes = [rows(bins, count) for count in counts]
    whole = [i for i, size in enumerate(sizes) if size >= _WHOLE * float(np.median(sizes))]
    at, counts = [at[i] for i in whole], [counts[i] for i in whole]
    begin, usual = 0, _usual(bins, counts[:_FEWEST_BEFORE])
    i = _FEWEST_BEFORE
    while i < len(at):
        sides = BinnedSides(bins, _sum(counts[begin:i]), counts[i])
        found = effects(sides, policy)
        unusual = {n: e for n, e in found.items() if e.value > _UNUSUAL * usual.get(n, 0.0)}
        if overall(unusual) == "drifted":
            metric = worst(unusual)
            since = BinnedSides(bins, sides.before, _sum(counts[i:]))
            yield DriftChange(False, at[i], since, metric, found[metric])
            begin, usual = i, _usual(bins, counts[i : i + _FEWEST_BEFORE])
            i += _FEWEST_BEFORE
        else:
            usual = _larger(usual, {name: effect.value for name, effect in found.items()})
            i += 1


def _slow(
    bins: Bins, at: Sequence[int], counts: Sequence[Integers], policy: Drift, seconds: int
) -> Iterator[DriftChange]:
    """The end of the range against its beginning; it began where the distance from the beginning
    turns from below its mean to above, at the least cumulative sum (Page, Biometrika 41, 1954)."""
    if len(at) < _FEWEST_IN_ALL:
        return
    length = _compared(at[-1] - at[0] + 1, seconds)
    early = sum(number < at[0] + length for number in at)
    late = sum(number > at[-1] - length for number in at)
    if not early:
        return
    first = _sum(counts[:early])
    sides = BinnedSides(bins, first, _sum(counts[-late:]))
    found = effects(sides, policy)
    if overall(found) != "drifted":
        return
    metric = worst(found)
    far = np.array([measures(BinnedSides(bins, first, c)).get(metric, 0.0) for c in counts])
    turn = min(int(np.cumsum(far - far.mean()).argmin()) + 1, len(at) - late)
    yield DriftChange(True, at[turn], sides, metric, found[metric])


def _compared(buckets: int, seconds: int) -> int:
    """How many buckets at either end of so many are compared: a third, but whole weeks or days.

    So the hours and weekdays at one end are those at the other, and what follows them is no change.
    A range of less than two days cannot tell a change from the hour: of it none are.
    """
    third, week, day = buckets // 3, 7 * _DAY // seconds, _DAY // seconds
    for rhythm in (week, day):
        if 1 <= rhythm <= third:
            return third - third % rhythm
    if day < 1:
        return third
    return day if 2 * day <= buckets else 0


def _usual(bins: Bins, counts: Sequence[Integers]) -> dict[str, float]:
    """How far each of a few buckets lies from the rest of them, at most."""
    usual: dict[str, float] = {}
    for i in range(len(counts)):
        rest = [count for j, count in enumerate(counts) if j != i]
        if rest:
            usual = _larger(usual, measures(BinnedSides(bins, _sum(rest), counts[i])))
    return usual


def _larger(left: dict[str, float], right: dict[str, float]) -> dict[str, float]:
    names = {*left, *right}
    return {name: max(left.get(name, 0.0), right.get(name, 0.0)) for name in names}


def _sum(counts: Sequence[Integers]) -> Integers:
    total: Integers = np.sum(counts, axis=0)
    return total
