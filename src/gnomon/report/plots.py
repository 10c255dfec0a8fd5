"""The geometry of the plots, in percent of the plot's box.

Labels are HTML next to a stretched SVG, so that text keeps its size on any screen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gnomon import quantities
from gnomon.report import numbers
from gnomon.report.model import Distribution, OverTime, Timeline
from gnomon.tolerances import TICK

__all__ = [
    "Bar",
    "LabelShares",
    "Plot",
    "Tick",
    "ceiling",
    "column_over_time",
    "histogram",
    "over_time",
    "pairs",
    "share_ticks",
    "time_ticks",
]


@dataclass(frozen=True, slots=True)
class Tick:
    """A label at ``at`` percent of the axis."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar in percent of the box, with the text shown when the pointer is on it."""

    x: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Bars for one side, an outline (SVG path over a 100 x 100 box) for the other."""

    bars: tuple[Bar, ...]
    outline: str
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class LabelShares:
    """One label with its share of rows on either side, in percent of the largest share."""

    label: str
    left: float
    right: float
    left_text: str
    right_text: str


def histogram(shape: Distribution, names: tuple[str, str]) -> Plot:
    """Plot two distributions over the same bins: bars for the left, an outline for the right."""
    low, high = shape.edges[0], shape.edges[-1]
    span = high - low
    top = ceiling(max(*shape.left, *shape.right, 1) / max(shape.rows, 1))
    places = [100 * (edge - low) / span for edge in shape.edges]
    scale = 100 / max(shape.rows, 1) / top
    heights = [[n * scale for n in side] for side in (shape.left, shape.right)]
    bars = tuple(
        Bar(x, end - x, heights[0][i], _bin_title(shape, i, names))
        for i, (x, end) in enumerate(pairwise(places))
    )
    outline = "M0 100" + "".join(
        f"L{x:.3f} {100 - h:.3f}L{end:.3f} {100 - h:.3f}"
        for x, end, h in zip(places, places[1:], heights[1], strict=False)
    )
    x = tuple(
        Tick(100 * (mark - low) / span, quantities.number(mark)) for mark in _steps(low, high, 6)
    )
    return Plot(bars, outline + "L100 100", x, share_ticks(top))


def pairs(shape: Distribution) -> tuple[LabelShares, ...]:
    """Return the shares of labels on both sides; nothing for numbers."""
    if not shape.labels:
        return ()
    longest = max(*shape.left, *shape.right, 1)
    return tuple(
        LabelShares(
            label,
            100 * left / longest,
            100 * right / longest,
            quantities.percent(left / max(shape.rows, 1)),
            quantities.percent(right / max(shape.rows, 1)),
        )
        for label, left, right in zip(shape.labels, shape.left, shape.right, strict=True)
    )


def over_time(timeline: Timeline) -> Plot:
    """Plot the share of diverging rows in each bucket."""
    starts = [numbers.seconds(b.start) for b in timeline.buckets]
    ends = [numbers.seconds(b.end) for b in timeline.buckets]
    low, span = starts[0], ends[-1] - starts[0]
    shares = [b.diverged / b.rows for b in timeline.buckets]
    top = ceiling(max(*shares, 0.01))
    bars = tuple(
        Bar(
            100 * (start - low) / span,
            100 * (end - start) / span,
            100 * share / top,
            f"{numbers.utc_time(b.start, timeline.seconds)}: {quantities.percent(share)} of "
            f"{quantities.rows(b.rows)} diverge",
        )
        for start, end, share, b in zip(starts, ends, shares, timeline.buckets, strict=True)
    )
    marks = (*(b.start for b in timeline.buckets), timeline.buckets[-1].end)
    return Plot(bars, "", time_ticks(marks, timeline.seconds), share_ticks(top))


def column_over_time(column: OverTime, begin: float, end: float) -> tuple[Bar, ...]:
    """Plot the share of rows that diverge in one column, on an axis from 0 to 100%.

    Args:
        column: the column over time.
        begin: the start of the time axis, in seconds since 1970.
        end: the end of the time axis.
    """
    width = 100 * column.seconds / (end - begin)
    return tuple(
        Bar(
            100 * (numbers.seconds(bucket.start) - begin) / (end - begin),
            width,
            100 * (1 - bucket.consistency),
            f"{numbers.utc_time(bucket.start, column.seconds)}: "
            f"{quantities.percent(1 - bucket.consistency)} of "
            f"{quantities.rows(bucket.rows)} diverge, "
            f"{quantities.percent(bucket.exact_rate)} exact, "
            f"{quantities.percent(bucket.coverage)} with both values",
        )
        for bucket in column.buckets
    )


def time_ticks(marks: Sequence[str], seconds: float) -> tuple[Tick, ...]:
    """Return ticks for the first and last of some times, and one between if it is in the middle.

    A time is a third as wide as the narrowest plot: elsewhere it would be written over another.
    """
    low, high = numbers.seconds(marks[0]), numbers.seconds(marks[-1])
    ticks = [
        Tick(100 * (numbers.seconds(mark) - low) / (high - low), numbers.utc_time(mark, seconds))
        for mark in marks
    ]
    middle = min(ticks, key=lambda tick: abs(tick.at - 50))
    return (ticks[0], *([middle] if 46 <= middle.at <= 54 else []), ticks[-1])


def _bin_title(shape: Distribution, i: int, names: tuple[str, str]) -> str:
    low, high = shape.edges[i], shape.edges[i + 1]
    left, right = (quantities.rows(side[i]) for side in (shape.left, shape.right))
    place = f"{quantities.number(low)} to {quantities.number(high)}"
    return f"{place}: {names[0]} {left}, {names[1]} {right}"


def ceiling(share: float) -> float:
    """Return the next round number at or above a share, so that the axis ends on a label."""
    size = 10.0 ** math.floor(math.log10(share))
    return min(next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= share * (1 - TICK)), 1.0)


def share_ticks(top: float) -> tuple[Tick, ...]:
    """Return the ticks of an axis of shares from 0 to ``top``."""
    return tuple(
        Tick(fraction * 100, quantities.percent(fraction * top)) for fraction in (0.0, 0.5, 1.0)
    )


def _steps(low: float, high: float, most: int) -> list[float]:
    """Return about ``most`` evenly spaced round numbers within [low, high]."""
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= rough)
    first = math.ceil(low / step)
    return [i * step for i in range(first, math.floor(high / step + TICK) + 1)]
