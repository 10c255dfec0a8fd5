"""Causes: the same numbers with fewer digits on one side."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gnomon.compare.comparators import ulps
from gnomon.quantities import number, plural
from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal
from gnomon.tolerances import LAST_DIGITS, ROUNDING, close

__all__ = ["float32", "float_noise", "rounding", "truncation"]

Floats = npt.NDArray[np.float64]

MOST_ULPS = 4_096
"""A difference in representable floats that another order of arithmetic explains: 12 of 53 bits.
Summing n numbers loses at most n units in the last place (Higham, "Accuracy and Stability of
Numerical Algorithms", 2nd ed. 2002, section 4.2), and batches hold a few thousand."""

_EPSILON = 1e-15
"""About four and a half units in the last place of 1: the error of a quotient that should be whole.
"""

_LEAST_LOST = 0.18
"""Rounding loses a quarter of a step on average."""

_SINGLE = 2.0**29
"""Representable 64-bit floats between two neighbouring 32 bit ones."""

_SINGLE_ULPS = 64
"""A difference in 32-bit floats that a few operations on 32-bit floats cause."""


def float32(case: Case) -> Iterator[Proposal]:
    """Propose that one side went through 32-bit floats."""
    if not case.is_numeric:
        return
    known = np.isfinite(case.left_numbers) & np.isfinite(case.right_numbers)
    for name, coarse, fine in _sides(case):
        cut = case.finite & (fine.astype(np.float32).astype(np.float64) == coarse)
        if _enough(case, cut, coarse, fine):
            yield _float32_proposal(name, cut, how="With both sides as 32-bit floats")
    single = [_is_single(side[known]) for side in (case.left_numbers, case.right_numbers)]
    if single[0] != single[1]:
        near = case.finite & (ulps(case.left_numbers, case.right_numbers) <= _SINGLE_ULPS * _SINGLE)
        if _enough(case, near, case.left_numbers, case.right_numbers):
            name = case.names[0] if single[0] else case.names[1]
            yield _float32_proposal(name, near, how="To the digits that 32-bit floats have")


def rounding(case: Case) -> Iterator[Proposal]:
    """Propose that one side was rounded to some digits."""
    if not case.is_numeric:
        return
    for name, coarse, fine in _sides(case):
        by_decimals = {digits: _rounded_to(coarse, fine, digits) for digits in range(12, -7, -1)}
        by_digits = {digits: _same(_significant(fine, digits), coarse) for digits in range(1, 10)}
        candidates = [
            *((case.finite & cut, _decimals(digits)) for digits, cut in by_decimals.items()),
            *((case.finite & cut, _digits(digits)) for digits, cut in by_digits.items()),
        ]
        cut, how = max(candidates, key=lambda candidate: int((candidate[0] & case.fitted).sum()))
        if _enough(case, cut, coarse, fine) and not _is_noise_on_grid(case, cut, coarse, fine):
            yield _rounding_proposal(name, cut, how)


def truncation(case: Case) -> Iterator[Proposal]:
    """Propose that one side was truncated after some digits, as by a cast to integers."""
    if not case.is_numeric:
        return
    for name, coarse, fine in _sides(case):
        for digits in (0, 1, 2, 3, 4, 5, 6):
            grid = 10.0**-digits
            for cutter in (np.trunc, np.floor):
                cut = case.finite & close(cutter(fine / grid * (1 + _EPSILON)) * grid, coarse)
                if not _enough(case, cut, coarse, fine):
                    continue
                places = "whole numbers" if digits == 0 else plural(digits, "decimal")
                yield Proposal(
                    cause="truncation",
                    finding=f"differs by truncation: the {name} side is cut to {places}",
                    undone=f"With both sides cut to {places}",
                    action=f"Keep the {name} side a float; look for a cast to an integer"
                    + (", or for a decimal comma that ends the number." if digits == 0 else "."),
                    holds=cut,
                )
                return


def float_noise(case: Case) -> Iterator[Proposal]:
    """Propose that only the last bits differ, which depend on the order of additions."""
    if not case.is_numeric:
        return
    scale = _SINGLE if _is_single(case.left_numbers) and _is_single(case.right_numbers) else 1.0
    with np.errstate(invalid="ignore"):
        distance = ulps(case.left_numbers, case.right_numbers).astype(np.float64) / scale
    near = case.finite & (distance <= MOST_ULPS)
    if (near & case.differs).sum() < FEWEST_ROWS:
        return
    most = int(distance[near & case.differs].max())
    yield Proposal(
        cause="float noise",
        finding=f"differs by at most {number(most)} representable floats",
        undone=f"With a tolerance of {number(most)} representable floats",
        action="Allow it: set `ulps` under [skew] in the policy. Sums differ by this in another "
        "batch, on other threads or another processor.",
        holds=near,
    )


def _sides(case: Case) -> Iterator[tuple[str, Floats, Floats]]:
    """Yield each side's name, its values, which may have lost digits, and the other's values."""
    yield case.names[0], case.left_numbers, case.right_numbers
    yield case.names[1], case.right_numbers, case.left_numbers


def _is_noise_on_grid(case: Case, cut: Mask, coarse: Floats, fine: Floats) -> bool:
    """Whether a column has few digits by nature, and small noise was added to a part of its rows.

    Rounding noise away gives the values back, too. But a column that was rounded lost anything up
    to half a step, on average a quarter of one.
    """
    agreeing = case.agrees & case.finite
    if agreeing.sum() < 0.5 * case.differs.sum() or cut[agreeing].mean() < CONFIRMED:
        return False
    lost = np.abs(fine - coarse)[cut & case.differs]
    return bool(np.mean(lost) < _LEAST_LOST * _step_of(coarse[cut]))


def _step_of(values: Floats) -> float:
    """Return the smallest distance between different values; 0 where there is one."""
    distinct = np.unique(values)
    return float(np.diff(distinct).min()) if len(distinct) > 1 else 0.0


def _enough(case: Case, cut: Mask, coarse: Floats, fine: Floats) -> bool:
    """Whether it is more than chance: enough rows, with several distinct values."""
    cut = cut & case.differs
    if cut.sum() < case.enough:
        return False
    return len(np.unique(fine[cut])) >= 3 and len(np.unique(coarse[cut])) >= 2


def _float32_proposal(name: str, cut: Mask, *, how: str) -> Proposal:
    return Proposal(
        cause="float32",
        finding=f"differs by the precision of 32-bit floats, on the {name} side",
        undone=how,
        action=f"Keep 64-bit floats on the {name} side, or let the policy's tolerance say that 32 "
        "bits are enough.",
        holds=cut,
        parameters=0,
    )


def _rounding_proposal(name: str, cut: Mask, digits: str) -> Proposal:
    return Proposal(
        cause="rounding",
        finding=f"differs by rounding: the {name} side {digits}",
        undone="With both sides rounded to the same digits",
        action=f"Write the {name} side with all its digits, or let the policy's tolerance say how "
        "many are enough.",
        holds=cut,
    )


def _rounded_to(coarse: Floats, fine: Floats, digits: int) -> Mask:
    """Find rows where ``coarse`` is the multiple of a power of ten nearest to ``fine``."""
    grid = 10.0**-digits
    near: Mask = np.abs(fine - coarse) <= grid / 2 * (1 + ROUNDING) + _EPSILON
    return near & _on_grid(coarse, grid)


def _same(left: Floats, right: Floats) -> Mask:
    return close(left, right, relative=LAST_DIGITS)


def _on_grid(values: Floats, grid: float) -> Mask:
    with np.errstate(all="ignore"):
        steps = values / grid
        off, size = np.abs(steps - np.round(steps)), np.abs(steps)
        mask: Mask = (off <= np.fmin(1e-3, ROUNDING * size)) & (size < 1e12)
    return mask


def _significant(values: Floats, digits: int) -> Floats:
    with np.errstate(all="ignore"):
        size = np.floor(np.log10(np.abs(values)))
        scale = 10.0 ** (digits - 1 - size)
        rounded: Floats = np.where(values == 0, 0.0, np.round(values * scale) / scale)
    return rounded


def _is_single(values: Floats) -> bool:
    """Whether all values are 32-bit floats, and some have decimals that show it."""
    known = values[np.isfinite(values)]
    with np.errstate(over="ignore"):
        single = known.astype(np.float32).astype(np.float64) == known
    return bool(len(known) and single.all() and (known % 0.125).any())


def _digits(digits: int) -> str:
    return f"has {plural(digits, 'significant digit')}"


def _decimals(digits: int) -> str:
    if digits > 0:
        return f"has {plural(digits, 'decimal')}"
    return f"has whole {'numbers' if digits == 0 else f'multiples of {10**-digits:,}'}"
