"""Causes of timestamps: shifted by a duration, cut to a unit, or read in another unit.

Arithmetic on the numbers that stand for instants means nothing, so numeric causes do not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
import numpy.typing as npt

from gnomon.quantities import duration, number
from gnomon.skew.diagnosis.case import CONFIRMED, Case, Mask, Proposal
from gnomon.tolerances import CLOCK_HOURS

__all__ = ["cut_to_unit", "epoch_unit", "shift"]

Floats = npt.NDArray[np.float64]

_UNITS = {"seconds": 1 / 3600, "minutes": 1 / 60, "hours": 1.0, "days": 24.0}
"""In hours, the finest first."""

_ZONE_STEP = 0.25
"""Hours: clocks of time zones differ by quarters of an hour."""

_WIDEST_ZONES = 26.0
"""Hours between the clocks of the two time zones that are farthest apart."""

_FEWEST_INSTANTS = 3

_CUTS: tuple[tuple[str, str, Callable[[Floats], Floats]], ...] = (
    ("truncation", "cut to", lambda times: np.floor(times + 1e-9)),
    ("rounding", "rounded to", np.round),
)


def shift(case: Case) -> Iterator[Proposal]:
    """Propose that one side is later by the same duration.

    A difference that clocks of time zones have is one parameter more: the zones say it with less.
    """
    if not case.is_timestamp:
        return
    gaps = (case.left_numbers - case.right_numbers)[case.fitted & case.finite]
    if not len(gaps):
        return
    gap = float(np.median(gaps))
    holds = case.finite & (np.abs(case.left_numbers - case.right_numbers - gap) < CLOCK_HOURS)
    if not _enough(case, holds) or abs(gap) < CLOCK_HOURS:
        return
    of_zones = abs(gap) <= _WIDEST_ZONES and abs(gap % _ZONE_STEP) < CLOCK_HOURS
    amount, later = duration(abs(gap) * 3600), "later" if gap > 0 else "earlier"
    yield Proposal(
        cause="timestamp shift",
        finding=f"is {amount} {later} than {case.names[1]}",
        undone=f"Moved {amount} {'back' if gap > 0 else 'on'}",
        action=f"Look for a clock that is {amount} wrong, a delay that is added or taken off, "
        + ("another time zone's clock, " if of_zones else "")
        + "or the time of another event.",
        holds=holds,
        parameters=2 if of_zones else 1,
    )


def cut_to_unit(case: Case) -> Iterator[Proposal]:
    """Propose that one side is cut to whole seconds, minutes, hours or days."""
    if not case.is_timestamp:
        return
    sides = (case.left_numbers, case.right_numbers)
    for index, name in enumerate(case.names):
        coarse, fine = sides[index], sides[1 - index]
        for (unit, hours), (cause, how, cut) in product(_UNITS.items(), _CUTS):
            whole = cut(fine / hours) * hours
            holds = case.finite & (np.abs(whole - coarse) < CLOCK_HOURS)
            # A cut is on all rows: of times that are rounded, half look cut.
            if _enough(case, holds) and (holds & case.differs).sum() >= CONFIRMED * case.both.sum():
                yield Proposal(
                    cause=cause,
                    finding=f"differs by {cause}: the {name} side is {how} whole {unit}",
                    undone=f"With both sides {how} whole {unit}",
                    action=f"Keep the complete time on the {name} side: look for a column of "
                    "dates, or a format without the rest.",
                    holds=holds,
                )
                return


def epoch_unit(case: Case) -> Iterator[Proposal]:
    """Propose that a number since 1970 was read in another unit, such as milliseconds."""
    if not case.is_timestamp:
        return
    known = case.fitted & case.finite & (case.left_numbers != 0) & (case.right_numbers != 0)
    if not known.any():
        return
    middle = float(np.median(case.left_numbers[known] / case.right_numbers[known]))
    for factor in (1e3, 1e6, 1e9, 1e-3, 1e-6, 1e-9):
        if not 0.99 < middle / factor < 1.01:
            continue
        expected = case.right_numbers * factor
        near = np.abs(case.left_numbers - expected) <= 1e-6 * np.abs(expected)
        holds: Mask = case.finite & near
        if _enough(case, holds):
            yield Proposal(
                cause="unit change",
                finding=f"is {number(factor)} times as long after 1970 as {case.names[1]}: a "
                "number was read in another unit",
                undone="Read in the same unit",
                action="Send ISO 8601 times, or say whether numbers are seconds or milliseconds.",
                holds=holds,
            )


def _enough(case: Case, holds: Mask) -> bool:
    distinct = np.unique(case.left_numbers[holds & case.differs])
    return case.is_enough(holds) and len(distinct) >= _FEWEST_INSTANTS
