"""Relations that describe how two sides differ where no cause is known.

Each is tried as a cause is: fitted on a part of the rows, and held against the rest. They say what
is true of the values, and not why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from gnomon.quantities import number
from gnomon.report.numbers import value
from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal
from gnomon.tolerances import ROUNDING, close

__all__ = [
    "LOOSE",
    "OF_A_CURVE",
    "added_noise",
    "bounded",
    "merged_labels",
    "of_other_rows",
    "on_a_grid",
    "one_for_one",
    "per_group",
]

Floats = npt.NDArray[np.float64]

_FEWEST_BEYOND = 3
"""Distinct values beyond a bound, so that it is a bound and not one wrong value."""

_MOST_MERGED = 0.7
"""Of the labels on one side, at most this share are merged into another."""

_FEWEST_POINTS = 12
"""Distinct values that a curve must pass through, many of them unseen."""

OF_A_CURVE = 100
"""What a curve of no known form counts as, in parameters: more than any form."""

LOOSE = 1_000
"""What counts as more than that: what holds on many rows without saying what their values are."""

_LARGEST_NOISE = 0.5
"""Noise of more than this share of the column's spread is no noise: values are unrelated."""


def bounded(case: Case) -> Iterator[Proposal]:
    """Describe that one side never goes above, or below, a value that the other goes beyond."""
    if not case.is_numeric:
        return
    sides = (case.left_numbers, case.right_numbers)
    for index, name in enumerate(case.names):
        inside, beyond = sides[index], sides[1 - index]
        known = case.fitted & case.finite
        if known.sum() < FEWEST_ROWS // 2:
            continue
        low, high = _bound(inside, beyond, known, below=True), _bound(inside, beyond, known)
        if low is None and high is None:
            continue
        clipped = np.clip(beyond, -np.inf if low is None else low, np.inf if high is None else high)
        holds = case.finite & close(inside, clipped)
        explained = holds & case.differs
        if explained.sum() < case.enough or len(np.unique(beyond[explained])) < _FEWEST_BEYOND:
            continue
        is_everywhere = not case.agrees.any() or holds[case.agrees].mean() >= CONFIRMED
        kept = (
            f"is never {_bounds(low, high)} on the {name} side"
            if is_everywhere
            else f"is cut to {_limits(low, high)} on the {name} side on the rows that differ"
        )
        yield _shape(
            "bounded values",
            f"{kept}; {case.names[1 - index]} it goes from {number(float(np.nanmin(beyond)))} to "
            f"{number(float(np.nanmax(beyond)))}",
            "With both sides cut there",
            f"Look for clipping, capping, or a range that the {name} side's source cannot exceed.",
            holds,
            parameters=(low is not None) + (high is not None),
            of_one_side=True,
        )


def on_a_grid(case: Case) -> Iterator[Proposal]:
    """Describe that one side has only multiples of a step: the nearest, or the one below."""
    if not case.is_numeric:
        return
    sides = (case.left_numbers, case.right_numbers)
    for index, name in enumerate(case.names):
        coarse, fine = sides[index], sides[1 - index]
        step = _step(coarse[case.fitted & case.finite])
        if step is None:
            continue
        for cut, how in ((np.round, "nearest"), (np.floor, "next lower"), (np.ceil, "next higher")):
            at = cut(fine / step) * step
            at_half = np.abs(np.abs(fine / step % 1) - 0.5) < ROUNDING  # Half goes either way.
            near = close(coarse, at, absolute=ROUNDING * step)
            either = at_half & (np.abs(coarse - fine) <= step / 2 * (1 + ROUNDING))
            holds: Mask = case.finite & (near | either if how == "nearest" else near)
            if case.is_enough(holds) and case.has_pattern(holds):
                yield _shape(
                    "coarse grid",
                    f"is the {how} multiple of {number(step)} on the {name} side",
                    f"With both sides on multiples of {number(step)}",
                    f"Look for binning, or a source that measures in steps of {number(step)}.",
                    holds,
                )
                return


def merged_labels(case: Case) -> Iterator[Proposal]:
    """Describe that several labels of one side are one label on the other."""
    if not case.is_text:
        return
    texts = (case.left.to_pylist(), case.right.to_pylist())
    for index, name in enumerate(case.names):
        merged, whole = texts[index], texts[1 - index]
        fitted = np.flatnonzero(case.fitted).tolist()
        into = Counter(merged[i] for i in fitted if merged[i] is not None)
        if len(into) != 1:
            continue
        (label,) = into
        gone = {whole[i] for i in np.flatnonzero(case.differs).tolist() if whole[i] is not None}
        labels = {text for text in whole if text is not None}
        if len(gone) < 2 or len(gone) > _MOST_MERGED * len(labels):
            continue
        pairs = zip(merged, whole, strict=True)
        holds = np.array([a == (label if b in gone else b) and b is not None for a, b in pairs])
        # What is merged is merged everywhere, else rows are replaced and not labels.
        if not case.agrees.any() or holds[case.agrees].mean() < CONFIRMED:
            continue
        counts = Counter(whole)
        most, least = (f([counts[t] for t in g]) for f, g in ((max, gone), (min, labels - gone)))
        rare = ", all rarer than any other" if most <= least else ""
        examples = ", ".join(value(text) for text in sorted(gone)[:3])
        more = " and others" if len(gone) > 3 else ""
        yield _shape(
            "merged labels",
            f"is {value(label)} on the {name} side wherever {case.names[1 - index]} is {examples}"
            f"{more} ({len(gone)} labels{rare})",
            "With the same labels merged on both sides",
            "Look for a list of frequent labels that was made from other data, or a default for "
            "rare ones.",
            holds,
            of_one_side=True,
        )


def of_other_rows(case: Case) -> Iterator[Proposal]:
    """Describe that one side has the values of other rows, in an order that is not known."""
    left, right = case.left.to_pylist(), case.right.to_pylist()
    rows = np.flatnonzero(case.differs).tolist()
    if len(rows) < FEWEST_ROWS:
        return
    there = Counter(right[i] for i in rows)
    if max(there.values()) > len(rows) / 4 or None in there:
        return  # Values that are frequent are found in other rows by chance.
    among = {v for v in right if v is not None}
    holds = np.zeros(len(left), dtype=bool)
    holds[[i for i in rows if left[i] in among]] = True
    if holds.sum() < case.enough or not _distinct_enough(case):
        return
    exchanged = sum((Counter(left[i] for i in rows) & there).values()) >= CONFIRMED * len(rows)
    yield _shape(
        "values of other rows",
        f"has values that {case.names[1]} other rows have"
        + (", the same values in another order" if exchanged else ""),
        "With the rows that have the same values",
        "Check how rows were matched, and the key of the lookup that gives this value.",
        holds,
        of_one_side=True,
    )


def one_for_one(case: Case) -> Iterator[Proposal]:
    """Describe that one side is an increasing, or decreasing, function of the other."""
    if not case.is_numeric:
        return
    known = case.finite & (case.fitted | case.agrees)
    x, y = case.right_numbers[known], case.left_numbers[known]
    if len(np.unique(x)) < _FEWEST_POINTS:
        return
    order = np.argsort(x, kind="stable")
    for rising in (True, False):
        steps = np.diff(y[order]) if rising else -np.diff(y[order])
        if (steps < -ROUNDING * np.abs(y).max(initial=0.0)).any():
            continue
        low, high = _between(case.right_numbers, x[order], y[order], rising)
        size = ROUNDING * np.fmax(np.abs(low), np.abs(high))
        inside = (case.left_numbers >= low - size) & (case.left_numbers <= high + size)
        holds: Mask = case.finite & inside
        yield _shape(
            "monotone function",
            f"is {'an increasing' if rising else 'a decreasing'} function of {case.names[1]}, of "
            f"no form that was tried: {_points(x[order], y[order])}",
            "With the same function on both sides",
            "Look for a transformation that only one side has, such as a logarithm, a root or a "
            "table of values.",
            holds,
            parameters=OF_A_CURVE,
        )
        return


def per_group(case: Case) -> Iterator[Proposal]:
    """Describe that the sides differ by a constant, or a factor, of each group."""
    if not case.is_numeric:
        return
    ratio = case.left_numbers / case.right_numbers
    for amounts, how in ((ratio, "times"), (case.left_numbers - case.right_numbers, "higher than")):
        for group, codes in case.context.groups:
            if codes.max() >= len(codes) / 8:
                continue
            middles = _middles(amounts, codes, case.fitted & case.finite)
            own = np.where(np.isfinite(middles), middles, 1.0 if how == "times" else 0.0)[codes]
            expected = case.right_numbers * own if how == "times" else case.right_numbers + own
            holds: Mask = case.finite & case.near(case.left_numbers, expected)
            known = middles[np.isfinite(middles)]
            if not case.is_enough(holds) or len(np.unique(known.round(6))) < 2:
                continue
            yield _shape(
                "constant per group",
                f"is {_range(known, how)} {case.names[1]}, the same for each `{group}`",
                f"With the same for each `{group}` undone",
                f"Look for a table or a statistic by `{group}` that differs between the sides.",
                holds,
                parameters=len(known),
            )
            return


def added_noise(case: Case) -> Iterator[Proposal]:
    """Describe that the sides differ by noise around 0 of a size, or of a share of the value."""
    if not case.is_numeric:
        return
    known = case.fitted & case.finite
    if known.sum() < 4 * FEWEST_ROWS or not _distinct_enough(case):
        return
    difference = case.left_numbers - case.right_numbers
    if np.std(difference[known]) > _LARGEST_NOISE * np.nanstd(case.right_numbers):
        return
    value = np.where(case.right_numbers == 0, np.nan, np.abs(case.right_numbers))
    for noise, what in ((difference / value, "share"), (difference, "size")):
        own = noise[known & np.isfinite(noise)]
        if len(own) < 4 * FEWEST_ROWS:
            continue
        size, error = float(np.std(own)), float(np.std(own)) / np.sqrt(len(own))
        depends = _rank_correlation(np.abs(noise[known]), value[known])
        if abs(np.mean(own)) > 3 * error or abs(depends) > 4 / np.sqrt(len(own)):
            continue
        holds: Mask = case.finite & (np.abs(noise) <= 5 * size)
        amount = f"{size:.2g} of its value" if what == "share" else f"{size:.2g}"
        yield _shape(
            "noise",
            f"differs from {case.names[1]} by noise around 0 with a standard deviation of {amount}",
            "Within five standard deviations",
            "Look for a random draw, a sensor of another precision, or noise that is added to "
            "protect privacy.",
            holds,
            parameters=LOOSE,
        )
        return


def _shape(
    name: str,
    finding: str,
    undone: str,
    action: str,
    holds: Mask,
    *,
    parameters: int = 1,
    of_one_side: bool = False,
) -> Proposal:
    return Proposal(
        cause=name,
        finding=finding,
        undone=undone,
        action=action,
        holds=holds,
        parameters=parameters,
        of_one_side=of_one_side,
        is_named=False,
    )


def _bound(inside: Floats, beyond: Floats, known: Mask, *, below: bool = False) -> float | None:
    """Return the value that one side has wherever the other is beyond it; None without one."""
    moved = known & (inside > beyond if below else inside < beyond)
    if not moved.any():
        return None
    values = inside[moved]
    bound = float(np.median(values))
    return bound if close(values, np.full(len(values), bound)).mean() >= 0.9 else None


def _limits(low: float | None, high: float | None) -> str:
    least = "" if low is None else f"at least {number(low)}"
    most = "" if high is None else f"at most {number(high)}"
    return " and ".join(filter(None, (least, most)))


def _bounds(low: float | None, high: float | None) -> str:
    below = "" if low is None else f"below {number(low)}"
    above = "" if high is None else f"above {number(high)}"
    return " or ".join(filter(None, (below, above)))


def _step(values: Floats) -> float | None:
    """Return the largest step of which all values are multiples; None if there is none.

    It is that between neighbours, and has at most two significant digits.
    """
    distinct = np.unique(values)
    if len(distinct) < _FEWEST_BEYOND:
        return None
    step = float(f"{np.diff(distinct).min():.2g}")
    if step <= 0 or not np.isfinite(step):
        return None
    off = np.abs(distinct / step - np.round(distinct / step))
    return step if (off <= np.fmax(1e-6, ROUNDING * np.abs(distinct / step))).all() else None


def _distinct_enough(case: Case) -> bool:
    """Whether values repeat so seldom that one found elsewhere is no chance."""
    values = case.right.drop_null()
    counts = np.array([c["counts"] for c in pc.value_counts(values).to_pylist()], dtype=float)
    return bool(len(counts) >= _FEWEST_POINTS and ((counts / counts.sum()) ** 2).sum() < 0.05)


def _range(amounts: Floats, how: str) -> str:
    """Write ``0.9 to 1.2 times``, ``2 to 5 more than`` or ``2 less to 5 more than``."""
    low, high = float(amounts.min()), float(amounts.max())
    if how == "times":
        return f"{number(low)} to {number(high)} times"
    if low < 0 < high:
        return f"{number(-low)} less to {number(high)} more than"
    low, high = sorted((abs(low), abs(high)))
    return f"{number(low)} to {number(high)} {'less' if amounts.min() < 0 else 'more'} than"


def _between(x: Floats, at: Floats, values: Floats, rising: bool) -> tuple[Floats, Floats]:
    """Return the bounds that points of a monotone curve set to its value at ``x``."""
    left = np.searchsorted(at, x, side="right") - 1
    right = np.searchsorted(at, x, side="left")
    n = len(at)
    before = np.where(left >= 0, values[np.clip(left, 0, n - 1)], -np.inf if rising else np.inf)
    after = np.where(right < n, values[np.clip(right, 0, n - 1)], np.inf if rising else -np.inf)
    return np.fmin(before, after), np.fmax(before, after)


def _points(x: Floats, y: Floats) -> str:
    """Write three points of a curve: its ends and its middle."""
    places = sorted({0, len(x) // 2, len(x) - 1})
    return ", ".join(f"{number(float(y[i]))} at {number(float(x[i]))}" for i in places)


def _middles(amounts: Floats, codes: npt.NDArray[np.int64], among: Mask) -> Floats:
    """Return the median amount of each group; NaN for a group without rows."""
    middles = np.full(int(codes.max()) + 1, np.nan)
    for code in np.unique(codes[among]).tolist():
        own = amounts[among & (codes == code)]
        middles[code] = np.median(own[np.isfinite(own)]) if np.isfinite(own).any() else np.nan
    return middles


def _rank_correlation(first: Floats, second: Floats) -> float:
    known = np.isfinite(first) & np.isfinite(second)
    ranks = [np.argsort(np.argsort(side[known])).astype(float) for side in (first, second)]
    if any(len(r) < 3 or r.std() == 0 for r in ranks):
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
