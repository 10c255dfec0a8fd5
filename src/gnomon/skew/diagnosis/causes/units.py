"""Causes: the same quantity on another scale, through units, statistics or misread numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.contract.check.units import SHIFTS, UNITS
from gnomon.quantities import number
from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal
from gnomon.skew.diagnosis.causes.numeric import float32, rounding, truncation
from gnomon.tolerances import LEADING_DIGITS, ON_A_LINE, ROUNDING, close

__all__ = [
    "affine",
    "conversions",
    "decimal_comma",
    "offset",
    "unit",
    "unit_and_digits",
]

Floats = npt.NDArray[np.float64]

_FACTORS: dict[str, float] = {
    **UNITS,
    "minutes and days": 1_440.0,
    "seconds and days": 86_400.0,
    "days and weeks": 7.0,
    "months and years": 12.0,
    "millimetres and inches": 25.4,
    "kilometres and nautical miles": 1.852,
    "grams and ounces": 28.349523125,
    "litres and US gallons": 3.785411784,
    "metres per second and kilometres per hour": 3.6,
    "metres per second and miles per hour": 2.2369362920544,
    "knots and metres per second": 1.9438444924406,
    "miles per hour and knots": 1.150779448,
    "hectopascals and inches of mercury": 33.8638867,
    "kilopascals and pounds per square inch": 6.894757,
    "kilojoules and kilocalories": 4.184,
    "degrees and radians": 180 / np.pi,
    "hectares and acres": 2.471053815,
    "powers of 1,024": 1_024.0,
}
"""More factors than quantiles can distinguish, because here every row has both values. NIST SP 811,
2008, appendix B."""

_UNIT_ACTIONS = {
    "feature": "State the unit in the contract, and send the feature in that unit: a number does "
    "not show its unit.",
    "step": "Requests are the same on both sides: compare the step's code and fitted values there, "
    "and have one side run the other's.",
    "output": "Requests are the same on both sides: look for code that changes a prediction after "
    "the pipeline, or for a target that was trained in another unit.",
}
"""The action for a changed unit, by the kind of the column where it first appears."""

_LIKE = 5e-3
"""The relative distance within which a factor is taken for a known one, as 0.4536 for 0.45359237.
"""


def unit(case: Case) -> Iterator[Proposal]:
    """Propose that one side is a constant multiple of the other."""
    factor = _mode(_ratio(case)[case.both])
    if factor is None or factor == 1.0 or not np.isfinite(factor):
        return
    explained = case.both & case.near(case.left_numbers / factor, case.right_numbers)
    if not _enough(case, explained):
        return
    known = known_factor(factor)
    if known is None and case.kind == "step":
        return  # a fitted scale: see affine
    yield _unit_proposal(case, explained, _times(factor), known, f"Divided by {number(factor)}")


def unit_and_digits(case: Case) -> Iterator[Proposal]:
    """Propose another unit, and then fewer digits: two causes on the same rows."""
    ratios = _ratio(case)[case.both & (np.abs(case.right_numbers) > 0)]
    if len(ratios) < FEWEST_ROWS:
        return
    middle = float(np.median(ratios))
    for known, factor in _both_ways():
        if not 0.9 < middle / factor < 1.1:
            continue
        scaled = replace(case, right=pa.array(case.right_numbers * factor))
        for lost in (rounding, truncation, float32):
            for proposal in lost(scaled):
                if proposal.explained.sum() < CONFIRMED * case.differs.sum():
                    continue
                undone = f"Divided by {number(factor)}, and then"
                first = _unit_proposal(case, proposal.explained, _times(factor), known, undone)
                yield replace(first, second=proposal)
                return


def affine(case: Case) -> Iterator[Proposal]:
    """Propose that one side is linear in the other: a temperature's unit, or a scaler's."""
    line = _line(case)
    if line is None:
        return
    slope, shift, explained = line
    for known, x, y in conversions():
        if y and abs(slope / x - 1) < _LIKE and abs(shift - y) < _LIKE * max(abs(y), 1):
            finding = f"is {number(x)} x {_plus(y)} of {case.names[1]}"
            yield _unit_proposal(case, explained, finding, known, "Converted back")
            return
    if slope <= 0 or abs(slope - 1) < ROUNDING:
        return
    yield Proposal(
        cause="stale scaler statistics",
        finding=f"is {number(slope)} x {_plus(shift)} of {case.names[1]}: another mean and "
        "deviation were used",
        undone="With the same linear scaling",
        action="Fit the scaler once and ship it with the model: look for a scaler of another "
        "version, or one that is fitted again where it serves.",
        explained=explained,
    )


def offset(case: Case) -> Iterator[Proposal]:
    """Propose that one side is higher by a constant."""
    gap = _mode((case.left_numbers - case.right_numbers)[case.both])
    if gap is None or gap == 0:
        return
    explained = case.both & case.near(case.left_numbers - gap, case.right_numbers)
    if not _enough(case, explained):
        return
    amount = number(abs(gap))
    whole = float(gap).is_integer() or case.kind == "feature"
    yield Proposal(
        cause="constant offset" if whole else "stale scaler statistics",
        finding=f"is {amount} {'higher' if gap > 0 else 'lower'} than {case.names[1]}",
        undone=f"With {amount} {'subtracted' if gap > 0 else 'added'} on the {case.names[0]} side",
        action=f"Look for a shift by {amount}: another origin or zero point, a stale mean, or a "
        "default added twice.",
        explained=explained,
    )


def decimal_comma(case: Case) -> Iterator[Proposal]:
    """Propose that one side was parsed with the decimal sign of another locale."""
    for index, (name, broken, whole) in enumerate(
        (
            (case.names[0], case.left_numbers, case.right_numbers),
            (case.names[1], case.right_numbers, case.left_numbers),
        )
    ):
        digits = _decimals(whole)
        with_decimals = digits > 0
        agrees = case.agrees & np.isfinite(whole)
        clean = bool((digits[agrees] == 0).all())
        scaled: Floats = whole * np.power(10.0, digits)
        read_on = case.both & with_decimals & close(broken, np.round(scaled))
        varied = len(np.unique(digits[read_on])) > 1
        if _enough(case, read_on) and clean and (varied or agrees.sum() >= FEWEST_ROWS):
            yield _locale_proposal(
                name, "the decimal sign was read as a thousands separator", read_on
            )
        big = np.abs(whole) >= 1000
        small = bool((~big)[agrees].all())
        split = case.both & big & close(broken, whole / 1000)
        if _enough(case, split) and small and agrees.sum() >= FEWEST_ROWS:
            yield _locale_proposal(
                name, "a thousands separator was read as the decimal sign", split
            )
        cut = case.both & big & (np.floor(np.abs(whole) / 1000) == np.abs(broken))
        if _enough(case, cut) and small and agrees.sum() >= FEWEST_ROWS:
            yield _locale_proposal(name, "the number ended at its thousands separator", cut)
        null, other = (case.left_null, case.right_null)[:: 1 if index == 0 else -1]
        lost = case.differs & null & ~other & with_decimals
        varied = len(np.unique(whole[lost])) >= 5
        if lost.sum() >= FEWEST_ROWS and varied and clean and agrees.sum() >= FEWEST_ROWS:
            yield _locale_proposal(name, "numbers with decimals could not be read", lost)


def conversions() -> Iterator[tuple[str, float, float]]:
    """Yield every known change of unit, in both directions: its name, slope and shift."""
    for name, factor in _both_ways():
        yield name, factor, 0.0
    for name, (slope, shift) in SHIFTS.items():
        yield name, slope, shift
        yield name, 1 / slope, -shift / slope


def known_factor(factor: float) -> str | None:
    """Return the name of the unit conversion with this factor, in either direction."""
    for name, value in _both_ways():
        if abs(factor / value - 1) < _LIKE:
            return name
    return None


def _both_ways() -> Iterator[tuple[str, float]]:
    for name, value in _FACTORS.items():
        yield name, value
        yield name, 1 / value


def _unit_proposal(
    case: Case, explained: Mask, finding: str, known: str | None, undone: str
) -> Proposal:
    units = f", as between {known}" if known and not known.startswith("a factor") else ""
    return Proposal(
        cause="unit change",
        finding=f"{finding} {case.names[1]}{units}" if "x" not in finding else finding + units,
        undone=f"{undone} on the {case.names[0]} side",
        action=_UNIT_ACTIONS[case.kind],
        explained=explained,
    )


def _times(factor: float) -> str:
    return "has the opposite sign of" if factor == -1 else f"is {number(factor)} times"


def _plus(x: float) -> str:
    return f"{'+' if x >= 0 else '-'} {number(abs(x))}"


def _ratio(case: Case) -> Floats:
    with np.errstate(all="ignore"):
        ratio: Floats = np.where(
            case.right_numbers == 0, np.nan, case.left_numbers / case.right_numbers
        )
    return ratio


def _mode(values: Floats) -> float | None:
    """Return the most frequent value, to nine digits; None if fewer than a fifth have it."""
    known = values[np.isfinite(values) & (values != 0)]
    if len(known) < FEWEST_ROWS:
        return None
    size = 10.0 ** np.floor(np.log10(np.abs(known)))
    cut, counts = np.unique(np.round(known / size, 8) * size, return_counts=True)
    if counts.max() < max(FEWEST_ROWS, 0.2 * len(values)):
        return None
    top = float(cut[counts.argmax()])
    mode = float(np.median(known[close(known, np.full(len(known), top), relative=LEADING_DIGITS)]))
    return float(f"{mode:.12g}")


def _line(case: Case) -> tuple[float, float, Mask] | None:
    """Return the straight line that fits most rows: slope, shift and these rows."""
    rows = np.flatnonzero(case.both)
    if len(rows) < FEWEST_ROWS or len(np.unique(case.right_numbers[rows])) < 5:
        return None
    order = rows[np.argsort(case.right_numbers[rows], kind="stable")]
    best: tuple[float, float, Mask] | None = None
    n = len(order)
    for low, high in ((0.0, 1.0), (0.1, 0.9), (0.25, 0.75), (0.0, 0.5), (0.5, 1.0), (0.35, 0.65)):
        start, stop = order[int(low * (n - 1))], order[int(high * (n - 1))]
        width = case.right_numbers[stop] - case.right_numbers[start]
        if width == 0:
            continue
        slope = (case.left_numbers[stop] - case.left_numbers[start]) / width
        shift = case.left_numbers[start] - slope * case.right_numbers[start]
        size = np.fmax(
            np.abs(case.left_numbers), np.fmax(np.abs(slope * case.right_numbers), abs(shift))
        )
        on_line = case.both & (
            np.abs(case.left_numbers - (slope * case.right_numbers + shift)) <= ON_A_LINE * size
        )
        if best is None or on_line.sum() > best[2].sum():
            best = float(slope), float(shift), on_line
    if (
        best is None
        or not _enough(case, best[2])
        or len(np.unique(case.right_numbers[best[2]])) < 5
    ):
        return None
    return best


def _enough(case: Case, explained: Mask) -> bool:
    if explained.sum() < max(FEWEST_ROWS, 0.2 * case.differs.sum()):
        return False
    return case.has_pattern(explained)


def _decimals(values: Floats) -> npt.NDArray[np.int64]:
    """Count the decimals in the shortest text of each number; 0 if it is not finite."""
    counts = np.zeros(len(values), dtype=np.int64)
    fractions = np.flatnonzero(np.isfinite(values) & (values % 1 != 0))
    texts: Callable[[float], str] = repr
    for place, value in zip(fractions.tolist(), values[fractions].tolist(), strict=True):
        text = texts(value)
        if "e" not in text:
            counts[place] = len(text.partition(".")[2])
    return counts


def _locale_proposal(name: str, how: str, explained: Mask) -> Proposal:
    return Proposal(
        cause="locale",
        finding=f"was read in another locale: {how}, on the {name} side",
        undone="Read with the other decimal sign",
        action=f"Send JSON numbers, and parse text on the {name} side with the decimal sign of its "
        "source, never with the machine's locale.",
        explained=explained,
    )
