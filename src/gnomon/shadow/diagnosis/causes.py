"""Why one column differs: named causes, each tried by undoing it.

A cause looks at the rows where the two sides differ and, if it recognises itself, says how to undo
it. It is confirmed only when the mismatch then vanishes; see :func:`attempts`. To add one, write a
function from :class:`Case` to :class:`Repair` and put it in :data:`CAUSES` at its place in the
order of parsimony.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gnomon.shadow.diagnosis import clocks
from gnomon.shadow.report.numbers import number

__all__ = ["CAUSES", "CONFIRMED", "Attempt", "Case", "Repair", "attempts"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

CONFIRMED = 0.99
"""The share of differing rows whose mismatch must vanish. Not all of them, because some may differ
for a second reason; the report names the rest."""

FEWEST_ROWS = 8
"""Differing rows below which any pattern may be chance."""

FEWEST_VALUES = 3
"""Distinct values on a side below which "always 1 higher" says no more than "other"."""


@dataclass(frozen=True, slots=True)
class Case:
    """One numeric column, and what may be done to find out about it.

    Attributes:
        left: its values on the left; of a timestamp, hours since 1970.
        right: the same rows on the right.
        differs: rows out of tolerance.
        agree: the tolerance: two arrays to a mask.
        names: what the sides are called.
        is_timestamp: the column is a point in time.
        moments: each timestamp feature's values for the same rows, in hours since 1970.
        moved: runs the left side's own code again with a timestamp feature replaced on the given
            rows; returns their values of the column. None where there is no code to run.
        zones: time zones that the contract names.
    """

    left: Floats
    right: Floats
    differs: Mask
    agree: Callable[[Floats, Floats], Mask]
    names: tuple[str, str] = ("online", "offline")
    is_timestamp: bool = False
    moments: Mapping[str, Floats] = field(default_factory=dict)
    moved: Callable[[str, npt.NDArray[np.int64], Floats], Floats] | None = None
    zones: tuple[str, ...] = ()

    @property
    def has_pattern(self) -> bool:
        """Whether rows and values are enough to speak of a pattern in the values alone."""
        left, right = self.left[self.differs], self.right[self.differs]
        known = np.isfinite(left) & np.isfinite(right)
        values = min(len(np.unique(left[known])), len(np.unique(right[known])))
        return int(known.sum()) >= FEWEST_ROWS and values >= FEWEST_VALUES


@dataclass(frozen=True, slots=True)
class Repair:
    """A recognised cause, and both sides with it undone.

    Attributes:
        cause: its name.
        finding: the difference; follows the left side's name and the column's.
        undone: how it was undone; begins a sentence.
        action: what to do about it.
        left: the left side, repaired.
        right: the right side, repaired.
        moved: the timestamp feature that was replaced, and by which values.
    """

    cause: str
    finding: str
    undone: str
    action: str
    left: Floats
    right: Floats
    moved: tuple[str, Floats] | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A repair and what became of the rows that differed."""

    repair: Repair
    vanished: int
    differing: int

    @property
    def confirmed(self) -> bool:
        """Whether undoing the cause undid the mismatch."""
        return self.vanished >= CONFIRMED * self.differing


def attempts(case: Case) -> Iterator[Attempt]:
    """Try the causes in order, up to the first that is confirmed."""
    for cause in CAUSES:
        with np.errstate(all="ignore"):  # values may be anything; what overflows does not agree
            repair = cause(case)
            if repair is None:
                continue
            vanished = case.differs & case.agree(repair.left, repair.right)
        attempt = Attempt(repair, int(vanished.sum()), int(case.differs.sum()))
        yield attempt
        if attempt.confirmed:
            return


def float32(case: Case) -> Repair | None:
    """One side went through 32 bit floats."""
    left, right = _float32(case.left), _float32(case.right)
    for name, cut, same in _sides(case, left, right):
        if case.has_pattern and _mostly(cut == same, case.differs):
            return Repair(
                cause="float32",
                finding=f"differs by what 32 bit floats lose, on the {name} side",
                undone="With both sides as 32 bit floats",
                action=f"Keep 64 bit floats on the {name} side, or let the policy's tolerance say "
                "that 32 bits are enough.",
                left=left,
                right=right,
            )
    return None


def rounding(case: Case) -> Repair | None:
    """One side was rounded to some digits."""
    if not case.has_pattern:
        return None
    for digits in range(12, -7, -1):
        left, right = np.round(case.left, digits), np.round(case.right, digits)
        for name, cut, same in _sides(case, left, right):
            if _mostly(np.isclose(cut, same, rtol=1e-12, atol=0), case.differs):
                return Repair(
                    cause="rounding",
                    finding=f"differs by rounding: the {name} side {_digits(digits)}",
                    undone="With both sides rounded alike",
                    action=f"Write the {name} side with all its digits, or let the policy's "
                    "tolerance say how many are enough.",
                    left=left,
                    right=right,
                )
    return None


def truncation(case: Case) -> Repair | None:
    """One side was cut to whole numbers."""
    left, right = np.trunc(case.left), np.trunc(case.right)
    for name, cut, same in _sides(case, left, right):
        if case.has_pattern and _mostly(cut == same, case.differs):
            return Repair(
                cause="truncation",
                finding=f"differs by what follows the decimal point: the {name} side is cut to "
                "whole numbers",
                undone="With both sides cut to whole numbers",
                action=f"Keep the {name} side a float; look for a cast to an integer.",
                left=left,
                right=right,
            )
    return None


def time_zone(case: Case) -> Repair | None:
    """The two sides read clocks of different zones."""
    shift = clocks.find(case) if case.differs.sum() >= FEWEST_ROWS else None
    if shift is None:
        return None
    return Repair(
        cause="time zone",
        finding=shift.finding(case.names),
        undone=shift.undone,
        action="Read the same time zone's clock on both sides, by name and never by a constant "
        "offset.",
        left=shift.left,
        right=case.right,
        moved=shift.moved,
    )


def offset(case: Case) -> Repair | None:
    """One side is higher by a constant."""
    if not case.has_pattern:
        return None
    by = _round_off(float(np.nanmedian((case.left - case.right)[case.differs])))
    if by == 0:
        return None
    amount = number(abs(by))
    return Repair(
        cause="constant offset",
        finding=f"is {amount} {'higher' if by > 0 else 'lower'} than {case.names[1]}",
        undone=f"With {amount} {'subtracted' if by > 0 else 'added'} on the {case.names[0]} side",
        action=f"Look for a shift by {amount}: another origin or zero point, a stale mean, or a "
        "default added twice.",
        left=case.left - by,
        right=case.right,
    )


def scale(case: Case) -> Repair | None:
    """One side is a constant multiple of the other: another unit."""
    if not case.has_pattern:
        return None
    ratios = (case.left / case.right)[case.differs]
    ratios = ratios[np.isfinite(ratios)]
    factor = _round_off(float(np.median(ratios))) if len(ratios) else 0.0
    if factor in (0.0, 1.0):
        return None
    return Repair(
        cause="scale",
        finding=f"is {number(factor)} times {case.names[1]}",
        undone=f"Divided by {number(factor)} on the {case.names[0]} side",
        action=f"Look for another unit: a factor of {number(factor)}"
        + (f" ({number(1 / factor)} the other way)." if abs(factor) < 1 else "."),
        left=case.left / factor,
        right=case.right,
    )


CAUSES: tuple[Callable[[Case], Repair | None], ...] = (
    float32,
    rounding,
    truncation,
    time_zone,
    offset,
    scale,
)
"""In order of parsimony: what says least about the data comes first."""


def _sides(case: Case, left: Floats, right: Floats) -> Iterator[tuple[str, Floats, Floats]]:
    """For each side: its name, the other side once it is changed alike, and the side as it is."""
    yield case.names[0], right, case.left
    yield case.names[1], left, case.right


def _mostly(agree: Mask, differs: Mask) -> bool:
    return bool(agree[differs].mean() >= CONFIRMED)


def _float32(values: Floats) -> Floats:
    return values.astype(np.float32).astype(np.float64)


def _round_off(x: float) -> float:
    """Without the last bits, which the arithmetic on either side has touched."""
    return float(f"{x:.12g}")


def _digits(digits: int) -> str:
    if digits > 0:
        return f"has {digits} decimal{'' if digits == 1 else 's'}"
    return f"has whole {'numbers' if digits == 0 else f'multiples of {10**-digits:,}'}"
