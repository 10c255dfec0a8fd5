"""The part of a column whose share of rows increased the most, and rows in it."""

from __future__ import annotations

from typing import NamedTuple

from gnomon.drift.bins import Extra
from gnomon.drift.drift_counts import ColumnCounts
from gnomon.drift.metrics import BinnedSides, rows
from gnomon.drift.segments import place_names
from gnomon.quantities import percent

__all__ = ["LargestIncrease", "largest_increase"]

_MOST_ROWS = 3

_NAMES = {
    Extra.NULL: "nulls",
    Extra.NEW: "new values",
    Extra.BELOW: "values below the training minimum",
    Extra.ABOVE: "values above the training maximum",
}

_EXTRAS_BY_METRIC = {
    "nulls": (Extra.NULL,),
    "new": (Extra.NEW,),
    "outside": (Extra.BELOW, Extra.ABOVE),
}


class LargestIncrease(NamedTuple):
    """The part that increased the most, in words, and ids of rows in it."""

    words: str
    rows: tuple[str, ...]


def largest_increase(
    counts: ColumnCounts, sides: BinnedSides, metric: str, since: int, segment: str | None = None
) -> LargestIncrease:
    """Find the part of a column whose share grew the most, among the parts that a metric measures.

    Args:
        since: example rows are taken from this bucket on.
        segment: example rows are taken from this segment, if it is given.
    """
    bins = counts.bins
    totals = [max(rows(bins, side), 1) for side in (sides.before, sides.now)]
    before, now = (
        side / total for side, total in zip((sides.before, sides.now), totals, strict=True)
    )
    growth = now - before
    places = [bins.size + extra for extra in _EXTRAS_BY_METRIC.get(metric, ())]
    if not places or growth[places].max() <= 0:
        places = list(range(bins.size))
    place = max(places, key=lambda index: growth[index])
    words = (
        f"{_name(counts, place)}: {percent(now[place])} of rows, {percent(before[place])} before"
    )
    return LargestIncrease(words, _rows(counts, place, since, segment))


def _name(counts: ColumnCounts, place: int) -> str:
    size = counts.bins.size
    if place >= size:
        return _NAMES[Extra(place - size)]
    return place_names(counts.bins)[place]


def _rows(counts: ColumnCounts, place: int, since: int, segment: str | None) -> tuple[str, ...]:
    """Return example rows of a place; new and out-of-range values are in the outer bins too."""
    size = counts.bins.size
    places = {place}
    if place == 0:
        places.add(size + Extra.BELOW)
    if place == size - 1:
        places |= {size + Extra.NEW, size + Extra.ABOVE}
    example_rows = sorted(
        example
        for (cell, where), example in counts.example_rows.items()
        if where in places and cell.bucket >= since and segment in (None, cell.segment)
    )
    return tuple(example.row for example in example_rows[:_MOST_ROWS])
