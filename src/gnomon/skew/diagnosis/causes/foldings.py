"""Relations that lose a part of a number or a label: its sign, its overflow, what is below a bound.

Like the other descriptions they say what is true of the values, and not why.
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
from gnomon.tolerances import close

__all__ = ["constant", "empty_beyond", "overflow", "renamed", "without_sign"]

Floats = npt.NDArray[np.float64]

_FEW_VALUES = 4
"""With more distinct values on the other side, a constant is a missing feature."""

_MOST_LABELS = 200

_WIDTHS = frozenset(
    (12.0, 24.0, 60.0, 360.0, *(2.0**n for n in range(3, 65)), *(10.0**n for n in range(1, 13)))
)
"""Ranges that numbers keep within: of clocks, angles, bits and digits. What is a thousand times as
large on some rows differs by multiples of 999."""


def without_sign(case: Case) -> Iterator[Proposal]:
    """Describe that one side has numbers without their sign."""
    if not case.is_numeric:
        return
    sides = (case.left_numbers, case.right_numbers)
    for index, name in enumerate(case.names):
        bare, signed = sides[index], sides[1 - index]
        holds = case.finite & case.near(bare, np.abs(signed))
        if case.is_enough(holds) and case.has_pattern(holds):
            yield Proposal(
                cause="absolute values",
                finding=f"differs in its sign alone, and is never negative on the {name} side",
                undone="With both sides without a sign",
                action=f"Look for an absolute value, or a sign that is lost on the {name} side.",
                holds=holds,
                is_named=False,
            )


def overflow(case: Case) -> Iterator[Proposal]:
    """Describe that one side leaves a range at one end and comes in at the other.

    Integers of few bits do that, remainders, and clocks of twelve hours.
    """
    if not case.is_numeric:
        return
    sides = (case.left_numbers, case.right_numbers)
    for index, name in enumerate(case.names):
        inside, whole = sides[index], sides[1 - index]
        gaps = np.abs(inside - whole)[case.fitted & case.finite]
        if len(gaps) < FEWEST_ROWS // 2 or gaps.min() <= 0:
            continue
        width = float(gaps.min())
        known = case.finite & (case.fitted | case.agrees)
        low, high = float(inside[known].min()), float(inside[known].max())
        rest = np.abs((inside - whole) / width - np.round((inside - whole) / width))
        if width not in _WIDTHS or high - low > width or np.ptp(whole[known]) <= width:
            continue
        was_outside = (whole <= low) | (whole >= high)
        within = (inside >= high - width) & (inside <= low + width)
        agree = close(inside, whole)
        holds: Mask = case.finite & (rest < 1e-6) & within & (agree | was_outside)
        if case.is_enough(holds) and len(np.unique(whole[holds & case.differs])) >= 3:
            yield Proposal(
                cause="overflow",
                finding=f"differs by multiples of {number(width)}: the {name} side keeps within "
                f"{number(width)}, from {number(low)} to {number(high)}",
                undone=f"Without the multiples of {number(width)}",
                action="Look for an integer of too few bits, a remainder, or a clock that starts "
                f"again after {number(width)}.",
                holds=holds,
                parameters=2,
                is_named=False,
            )


def empty_beyond(case: Case) -> Iterator[Proposal]:
    """Describe that one side is null, or a default, wherever the other is beyond a bound."""
    if not case.is_numeric:
        return
    sides = (case.left_numbers, case.right_numbers)
    nulls = (case.left_null, case.right_null)
    for index, name in enumerate(case.names):
        kept, default = sides[1 - index], _default(case, index)
        if default is None:
            continue
        what, at = default
        gone, stays = (
            kept[case.fitted & at & np.isfinite(kept)],
            kept[case.agrees & np.isfinite(kept)],
        )
        if len(gone) < FEWEST_ROWS // 2 or len(stays) < FEWEST_ROWS:
            continue
        if len(np.unique(gone)) < 3:
            continue
        if gone.max() < stays.min():
            beyond, words = kept <= gone.max(), f"is at most {number(float(gone.max()))}"
            between = (kept > gone.max()) & (kept < stays.min())
        elif gone.min() > stays.max():
            beyond, words = kept >= gone.min(), f"is at least {number(float(gone.min()))}"
            between = (kept < gone.min()) & (kept > stays.max())
        else:
            continue
        # Between the last that is gone and the first that stays, either may be.
        same: Mask = case.near(sides[0], sides[1]) | (nulls[0] & nulls[1])
        holds: Mask = np.where(beyond, at, same) | (between & at)
        if case.is_enough(holds):
            yield Proposal(
                cause="empty beyond a bound",
                finding=f"is {what} on the {name} side wherever {case.names[1 - index]} {words}",
                undone="With both sides emptied there",
                action=f"Look for a filter of small or large values on the {name} side, a limit of "
                "detection, or a check that rejects them.",
                holds=holds,
                parameters=2,
                of_one_side=True,
                is_named=False,
            )


def constant(case: Case) -> Iterator[Proposal]:
    """Describe that one side has one and the same value on all rows, the other a few."""
    for index, name in enumerate(case.names):
        side, other = ((case.left, case.right), (case.right, case.left))[index]
        if len(pc.unique(side)) != 1 or side.null_count or case.differs.sum() < FEWEST_ROWS:
            continue
        counts = Counter(other.drop_null().to_pylist())
        if not 2 <= len(counts) < _FEW_VALUES:
            continue
        only = value(side[0].as_py())
        others = ", ".join(f"{value(v)} on {n:,}" for v, n in counts.most_common())
        yield Proposal(
            cause="constant value",
            finding=f"is {only} on every row on the {name} side; {case.names[1 - index]} it is "
            f"{others}",
            undone=f"With {only} on both sides",
            action=f"Look for a default, or a comparison that always has the same result, on the "
            f"{name} side.",
            holds=np.ones(len(case.differs), dtype=bool),
            of_one_side=True,
            is_named=False,
        )


def renamed(case: Case) -> Iterator[Proposal]:
    """Describe that labels have other names on one side, each always the same."""
    if not case.is_text:
        return
    left, right = case.left.to_pylist(), case.right.to_pylist()
    fitted = np.flatnonzero(case.fitted | case.agrees).tolist()
    pairs = Counter((right[i], left[i]) for i in fitted if None not in (left[i], right[i]))
    names: dict[str, str] = {}
    for (label, name), _ in pairs.most_common():
        names.setdefault(label, name)
    changed = {label: name for label, name in names.items() if label != name}
    one_to_one = len(set(names.values())) == len(names)
    if not changed or not one_to_one or len(names) > _MOST_LABELS or len(names) < 2:
        return
    known = case.context.domains.get(case.column, frozenset())
    if known and known.isdisjoint(changed.values()) and known.issuperset(changed):
        return  # They are unknown categories.
    rows = zip(left, right, strict=True)
    holds = np.array([b is not None and names.get(b, b) == a for a, b in rows])
    if not case.is_enough(holds) or holds[case.agrees].sum() < CONFIRMED * case.agrees.sum():
        return
    frequent = Counter(right[i] for i in np.flatnonzero(case.differs).tolist())
    shown = [label for label, _ in frequent.most_common() if label in changed][:3]
    examples = ", ".join(f"{value(changed[label])} where it is {value(label)}" for label in shown)
    yield Proposal(
        cause="renamed labels",
        finding=f"has other names for the labels of {case.names[1]}: {examples}"
        + (" and others" if len(changed) > 3 else ""),
        undone="With the names exchanged for the labels",
        action="Send the labels that training saw, or translate them in the pipeline.",
        holds=holds,
        parameters=len(changed),
        of_one_side=len(changed) == 1,
        is_named=False,
    )


def _default(case: Case, index: int) -> tuple[str, Mask] | None:
    """Return what one side has in place of all values that differ, and where."""
    null = (case.left_null, case.right_null)[index]
    values = (case.left_numbers, case.right_numbers)[index]
    among = case.fitted
    if not among.any():
        return None
    if null[among].all():
        return "null", null
    known = np.unique(values[among])
    if len(known) != 1 or not np.isfinite(known[0]):
        return None
    return number(float(known[0])), close(values, np.full(len(values), known[0]))
