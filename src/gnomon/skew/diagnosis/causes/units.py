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

_FEWEST_DIGITS = 4

_LIKE = 5e-3
"""The relative distance within which a factor is taken for a known one, as 0.4536 for 0.45359237.
"""


def unit(case: Case) -> Iterator[Proposal]:
    """Propose that one side is a constant multiple of the other."""
    if not case.is_numeric:
        return
    factor = _mode(_ratio(case)[case.fitted & case.finite])
    if factor is None or factor == 1.0 or not np.isfinite(factor):
        return
    holds = case.finite & case.near(case.left_numbers / factor, case.right_numbers)
    if not _enough(case, holds):
        return
    known = known_factor(factor)
    if known is None and case.kind == "step":
        return  # a fitted scale: see affine
    yield _unit_proposal(case, holds, _times(factor), known, f"Divided by {number(factor)}")


def unit_and_digits(case: Case) -> Iterator[Proposal]:
    """Propose another unit, and then fewer digits: two causes on the same rows."""
    if not case.is_numeric:
        return
    known = case.fitted & case.finite
    left, right = case.left_numbers[known], case.right_numbers[known]
    if len(left) < FEWEST_ROWS:
        return
    spread = float(np.std(left))
    fitted = _short_factor(left, right)
    others = () if fitted is None else ((None, fitted, 0.0),)
    for name, slope, shift in (*conversions(), *others):
        # Lost digits move a value by less than values differ from each other.
        if spread == 0 or np.median(np.abs(left - slope * right - shift)) > 0.1 * spread:
            continue
        scaled = replace(case, right=pa.array(slope * case.right_numbers + shift))
        for lost in (rounding, truncation, float32):
            for proposal in lost(scaled):
                if (proposal.holds & case.differs).sum() < CONFIRMED * case.differs.sum():
                    continue
                finding = _linear(slope, shift, case.names[1])
                how = "Converted back" if shift else f"Divided by {number(slope)}"
                undone = f"Allowing for lost digits, {how[0].lower()}{how[1:]}"
                first = _unit_proposal(case, proposal.holds, finding, name, undone)
                yield replace(first, parameters=2 if name else 3, second=proposal)
                return


def _short_factor(left: Floats, right: Floats) -> float | None:
    """Return a factor of few digits, as of a tax or a currency, that gives the large values."""
    large = np.abs(right) >= np.quantile(np.abs(right), 0.8)
    large &= right != 0
    if not large.any():
        return None
    middle = float(np.median(left[large] / right[large]))
    for digits in (2, 3, 4):
        factor = float(f"{middle:.{digits}g}")
        if factor not in (0.0, 1.0) and abs(middle / factor - 1) < 1e-3:
            return factor
    return None


def affine(case: Case) -> Iterator[Proposal]:
    """Propose that one side is linear in the other: a temperature's unit, or a scaler's."""
    if not case.is_numeric:
        return
    line = _line(case)
    if line is None:
        return
    slope, shift, holds = line
    for known, x, y in conversions():
        if y and x != 1 and abs(slope / x - 1) < _LIKE and abs(shift - y) < _LIKE * max(abs(y), 1):
            finding = _linear(x, y, case.names[1])
            yield _unit_proposal(case, holds, finding, known, "Converted back")
            return
    if slope <= 0 or abs(slope - 1) < ROUNDING:
        return
    if abs(shift) <= ON_A_LINE * float(np.abs(case.left_numbers[holds]).max()):
        shift = 0.0  # What is left of rounding.
    finding = _linear(slope, shift, case.names[1])
    if case.kind != "step":
        yield Proposal(
            cause="linear function",
            finding=finding,
            undone="With the same linear function on both sides",
            action=f"Look for a conversion or a scaling that only the {case.names[0]} side has.",
            holds=holds,
            parameters=2,
            is_named=False,
        )
        return
    yield Proposal(
        cause="stale scaler statistics",
        finding=f"{finding}: it was scaled with other statistics",
        undone="With the same linear scaling",
        action="Fit the scaler once and ship it with the model: look for a scaler of another "
        "version, or one that is fitted again where it serves.",
        holds=holds,
        parameters=2,
    )


def offset(case: Case) -> Iterator[Proposal]:
    """Propose that one side is higher by a constant."""
    if not case.is_numeric:
        return
    gap = _mode((case.left_numbers - case.right_numbers)[case.fitted & case.finite])
    if gap is None or gap == 0:
        return
    holds = case.finite & case.near(case.left_numbers - gap, case.right_numbers)
    if not _enough(case, holds):
        return
    amount = number(abs(gap))
    for name, slope, shift in conversions():
        if slope == 1 and abs(gap - shift) < ROUNDING * abs(shift):
            finding = f"is {amount} {'higher' if gap > 0 else 'lower'} than"
            yield _unit_proposal(case, holds, finding, name, "Converted back")
            return
    whole = float(gap).is_integer() or case.kind == "feature"
    yield Proposal(
        cause="constant offset" if whole else "stale scaler statistics",
        finding=f"is {amount} {'higher' if gap > 0 else 'lower'} than {case.names[1]}",
        undone=f"With {amount} {'subtracted' if gap > 0 else 'added'} on the {case.names[0]} side",
        action=f"Look for a shift by {amount}: another origin or zero point, a stale mean, or a "
        "default added twice.",
        holds=holds,
    )


def decimal_comma(case: Case) -> Iterator[Proposal]:
    """Propose that one side was parsed with the decimal sign of another locale.

    A number without decimals is read alike in both, so where the sign was lost everywhere the rows
    that agree have none. Where it was lost only on a part of the rows, how many digits each number
    has tells it from a factor.
    """
    if not case.is_numeric:
        return
    sides = (case.left_numbers, case.right_numbers)
    nulls = (case.left_null, case.right_null)
    for index, name in enumerate(case.names):
        broken, whole = sides[index], sides[1 - index]
        digits = _decimals(whole)
        yield from _without_sign(case, index)
        big = np.abs(whole) >= 1000
        agreeing = whole[case.agrees & case.finite]
        split = case.finite & np.where(big, close(broken, whole / 1000), close(broken, whole))
        read_small = _is_unlike(broken[case.both], agreeing)
        if _enough(case, split & big) and read_small:
            yield _locale_proposal(
                name, "a thousands separator was read as the decimal sign", split
            )
        cut = np.floor(np.abs(whole) / 1000) == np.abs(broken)
        ended = case.finite & np.where(big, cut, close(broken, whole))
        if _enough(case, ended & big) and read_small:
            yield _locale_proposal(name, "the number ended at its thousands separator", ended)
        lost = nulls[index] & ~nulls[1 - index] & (digits > 0)
        unread = lost | case.finite & (digits == 0) & close(broken, whole)
        enough = (lost & case.differs).sum() >= FEWEST_ROWS and case.agrees.sum() >= FEWEST_ROWS
        clean = not digits[case.agrees & case.finite].any()
        if enough and clean and len(np.unique(whole[lost & case.differs])) >= 5:
            proposal = _locale_proposal(name, "numbers with decimals could not be read", unread)
            yield replace(proposal, of_one_side=True)


def _without_sign(case: Case, index: int) -> Iterator[Proposal]:
    """Propose that a side lost its decimal signs, perhaps after it was rounded to some digits."""
    how = "the decimal sign was read as a thousands separator"
    sides = (case.left_numbers, case.right_numbers)
    broken, whole = sides[index], sides[1 - index]
    holds = case.finite & _is_read_on(broken, whole)
    if _enough(case, holds & (broken != whole)):
        yield _locale_proposal(case.names[index], how, holds)
        return
    for places in range(3, 0, -1):
        rounded = np.round(whole, places)
        holds = case.finite & _is_read_on(broken, rounded)
        if (holds & case.differs).sum() < CONFIRMED * case.differs.sum():
            continue
        scaled = replace(case, left=pa.array(rounded), right=pa.array(whole))
        second = next(iter(rounding(scaled)), None)
        if second is not None and _enough(case, holds):
            first = _locale_proposal(case.names[index], how, holds)
            yield replace(first, parameters=2, second=replace(second, holds=holds))
            return


def _is_read_on(read: Floats, values: Floats) -> Mask:
    """Find numbers that were read as if the decimal sign were none: 12.5 as 125, 12.0 as 120."""
    digits = _decimals(values)
    whole: Mask = (digits == 0) & close(read, values * 10)
    return whole | close(read, np.round(values * np.power(10.0, digits)))


def _is_unlike(broken: Floats, agreeing: Floats) -> bool:
    """Whether broken numbers are much smaller than those that agree.

    If they are like these, they are right, and it is the other side that has a factor.
    """
    if not len(broken) or not len(agreeing):
        return False
    return bool(np.median(np.abs(broken)) < 0.1 * np.median(np.abs(agreeing)))


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
        if abs(factor / value - 1) < _LIKE and (
            _is_short_for(factor, value) or _is_short_for(1 / factor, 1 / value)
        ):
            return name
    return None


def _is_short_for(factor: float, value: float) -> bool:
    """Whether a factor is a known one, or that one written with fewer digits, at least four.

    With three digits, 1.15 may as well be a tax.
    """
    if close(np.array([factor]), np.array([value]))[0]:
        return True
    digits = len(f"{factor:.12g}".replace(".", "").strip("0").partition("e")[0])
    return digits >= _FEWEST_DIGITS and float(f"{value:.{digits}g}") == float(f"{factor:.12g}")


def _both_ways() -> Iterator[tuple[str, float]]:
    for name, value in _FACTORS.items():
        yield name, value
        yield name, 1 / value


def _unit_proposal(
    case: Case, holds: Mask, finding: str, known: str | None, undone: str
) -> Proposal:
    units = f", as between {known}" if known and not known.startswith("a factor") else ""
    return Proposal(
        cause="unit change",
        finding=f"{finding}{units}"
        if case.names[1] in finding
        else f"{finding} {case.names[1]}{units}",
        undone=f"{undone} on the {case.names[0]} side",
        action=_UNIT_ACTIONS[case.kind],
        holds=holds,
    )


def _times(factor: float) -> str:
    return "has the opposite sign of" if factor == -1 else f"is {number(factor)} times"


def _linear(slope: float, shift: float, of: str) -> str:
    """Write a linear function, as ``is 1.8 times offline plus 32``."""
    if not shift:
        return f"{_times(slope)} {of}"
    scaled = of if slope == 1 else f"{number(slope)} times {of}"
    return f"is {scaled} {'plus' if shift > 0 else 'minus'} {number(abs(shift))}"


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
    rows = np.flatnonzero(case.fitted & case.finite)
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
        on_line = case.finite & (
            np.abs(case.left_numbers - (slope * case.right_numbers + shift)) <= ON_A_LINE * size
        )
        if best is None or (on_line & case.fitted).sum() > (best[2] & case.fitted).sum():
            best = float(slope), float(shift), on_line
    if (
        best is None
        or not _enough(case, best[2])
        or len(np.unique(case.right_numbers[best[2] & case.differs])) < 5
    ):
        return None
    return best


def _enough(case: Case, holds: Mask) -> bool:
    return case.is_enough(holds) and case.has_pattern(holds)


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


def _locale_proposal(name: str, how: str, holds: Mask) -> Proposal:
    return Proposal(
        cause="locale",
        finding=f"was read in another locale: {how}, on the {name} side",
        undone="Read with the other decimal sign",
        action=f"Send JSON numbers, and parse text on the {name} side with the decimal sign of its "
        "source, never with the machine's locale.",
        holds=holds,
    )
