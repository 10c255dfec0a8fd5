"""The plots of a drift report: training and served data overlaid, and the drift over time."""

from __future__ import annotations

import math

from gnomon import quantities
from gnomon.drift.drift_report import DriftColumn, DriftReport
from gnomon.drift.drift_summary import METRICS
from gnomon.report import numbers
from gnomon.report.plots import Bar, LabelShares, Plot, Tick, ceiling, share_ticks, time_ticks

__all__ = ["effects", "labelled", "laid_over"]

_MOST_LABELS = 12
_TICKS = 4


def laid_over(column: DriftColumn) -> Plot | None:
    """Plot a number's bins at equal width: bars for training, an outline for served rows.

    Each bin has about the same number of training rows, so without drift the outline follows the
    flat bars. None if the column is not a number.
    """
    shape = column.shape
    if shape.labels or not any(shape.serving) or not any(shape.training):
        return None
    sides = [[n / sum(side) for n in side] for side in (shape.training, shape.serving)]
    top = ceiling(max(*sides[0], *sides[1]))
    width = 100 / len(sides[0])
    bars = tuple(
        Bar(i * width, width, 100 * share / top, _title(column, i, share, sides[1][i]))
        for i, share in enumerate(sides[0])
    )
    heights = [100 - 100 * share / top for share in sides[1]]
    steps = "".join(
        f"L{i * width:.3f} {h:.3f}L{(i + 1) * width:.3f} {h:.3f}" for i, h in enumerate(heights)
    )
    return Plot(bars, f"M0 100{steps}L100 100", tuple(_edges(column)), share_ticks(top))


def labelled(column: DriftColumn) -> tuple[LabelShares, ...]:
    """Return the values with the largest shares on either side; nothing for a number."""
    shape = column.shape
    sums = max(sum(shape.training), 1), max(sum(shape.serving), 1)
    entries = [
        (label, left / sums[0], right / sums[1])
        for label, left, right in zip(shape.labels, shape.training, shape.serving, strict=False)
        if left or right
    ]
    entries = sorted(entries, key=lambda entry: -max(entry[1:]))[:_MOST_LABELS]
    longest = max((max(entry[1:]) for entry in entries), default=1.0)
    return tuple(
        LabelShares(
            label,
            100 * left / longest,
            100 * right / longest,
            quantities.percent(left),
            quantities.percent(right),
        )
        for label, left, right in entries
    )


def effects(column: DriftColumn, report: DriftReport) -> Plot | None:
    """Plot a column's worst metric in each bucket, with the policy's limit as its outline.

    The limit is left out if it is above the plot. None if there are fewer than two buckets.
    """
    timeline, metric = column.timeline, column.worst
    if len(timeline) < 2:
        return None
    low, high = numbers.seconds(timeline[0].start), numbers.seconds(timeline[-1].end)
    limit = column.effects[metric].limit
    values = [bucket.values.get(metric, 0.0) for bucket in timeline]
    top = _ceiling(max(*values, min(limit, 1.0), 1e-9))
    bars = tuple(
        Bar(
            100 * (numbers.seconds(bucket.start) - low) / (high - low),
            100 * report.seconds / (high - low),
            100 * value / top,
            f"{numbers.utc_time(bucket.start, report.seconds)}: {METRICS[metric]} "
            f"{quantities.number(value, 3)} of {quantities.rows(bucket.rows)}, {bucket.verdict}",
        )
        for bucket, value in zip(timeline, values, strict=True)
    )
    marks = (*(moment.start for moment in timeline), timeline[-1].end)
    y = tuple(
        Tick(100 * fraction, quantities.number(fraction * top, 3)) for fraction in (0.0, 0.5, 1.0)
    )
    height = 100 - 100 * limit / top
    outline = f"M0 {height:.2f}L100 {height:.2f}" if limit <= top else ""
    return Plot(bars, outline, time_ticks(marks, report.seconds), y)


def _ceiling(value: float) -> float:
    """Return the next round number at or above a value, which may be above 1."""
    size: float = 10.0 ** (math.floor(math.log10(value)) + 1)
    return size * ceiling(value / size)


def _edges(column: DriftColumn) -> list[Tick]:
    """Return ticks for a few of the edges."""
    edges = column.shape.edges
    stride = max(math.ceil(len(edges) / _TICKS), 1)
    places = range(stride // 2, len(edges), stride)
    return [Tick(100 * (i + 1) / (len(edges) + 1), _text(column, edges[i])) for i in places]


def _text(column: DriftColumn, value: float) -> str:
    return numbers.timestamp(value) if column.is_time else quantities.number(value, 4)


def _title(column: DriftColumn, i: int, training: float, serving: float) -> str:
    edges = column.shape.edges
    low = _text(column, edges[i - 1]) if i else "below"
    high = _text(column, edges[i]) if i < len(edges) else "and above"
    to = " to " if i and i < len(edges) else " "
    place = f"{low}{to}{high}" if edges else "all values"
    before, since = quantities.percent(training), quantities.percent(serving)
    return f"{place}: {before} in training, {since} as served"
