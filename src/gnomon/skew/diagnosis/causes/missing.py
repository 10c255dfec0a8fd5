"""Causes: values that are missing on one side, and the defaults that replace them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.quantities import number
from gnomon.report.numbers import value
from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal
from gnomon.tolerances import close

__all__ = ["filled", "imputation", "missing"]

Floats = npt.NDArray[np.float64]

_UNUSUAL = 0.01
"""A value that a larger share of the other side's rows has is a usual one."""

_RARE = 0.2
"""If a larger share of the agreeing rows has a value, the value is not a default."""


_MANY = 12
"""Distinct values of a column that is continuous, so that one value in it is no category."""


def imputation(case: Case) -> Iterator[Proposal]:
    """Propose that nulls are filled in on both sides with different values."""
    sides = [_stand_in(case, side) for side in (0, 1)]
    if None in sides:
        return
    (left, at_left), (right, at_right) = sides  # type: ignore[misc]
    holds = at_left & at_right | case.agrees & ~at_left & ~at_right
    explained = case.differs & holds
    if explained.sum() < case.enough:
        return
    null_at = case.raw_null if case.raw_null is not None else case.left_null | case.right_null
    of_null = bool(null_at[explained].mean() >= CONFIRMED)
    if not of_null and (_common(case, left, right) or not _stands_out(case, explained)):
        return
    descriptions = [_describe_stand_in(case, x, side) for side, x in enumerate((left, right))]
    yield Proposal(
        cause="imputation",
        finding=f"is {descriptions[0]}; {case.names[1]} it is {descriptions[1]}",
        undone="Filled in with the same value",
        action="Keep the imputer in the pipeline, and let both sides send null: look for a default "
        "that is filled in before the model, or an imputer that was fitted on other data.",
        holds=holds,
        parameters=2,
        of_one_side=True,
    )


def filled(case: Case) -> Iterator[Proposal]:
    """Propose that one side fills in what is null on the other: with what is found by trying."""
    for side in range(2):
        null, other_null = (case.left_null, case.right_null)[:: 1 if side == 0 else -1]
        empty = case.differs & null & ~other_null
        if empty.sum() < case.enough:
            continue
        filling = case.names[1 - side]
        for words, holds in _fills(case, 1 - side, null):
            if (holds & case.differs).sum() < CONFIRMED * empty.sum():
                continue
            what = (
                f"is filled in with {words} where {case.names[1]} is null"
                if side == 1
                else f"is null where {case.names[1]} it is filled in with {words}"
            )
            yield Proposal(
                cause="imputation",
                finding=what,
                undone=f"Left null on the {filling} side",
                action=f"Look for what fills nulls on the {filling} side before the model, and "
                "send null there as well, or keep the filling in the pipeline.",
                holds=holds | ~null & ~other_null & case.agrees,
                of_one_side=True,
            )
            break


def _fills(case: Case, side: int, null: Mask) -> Iterator[tuple[str, Mask]]:
    """Yield what may have filled a side's values where the other is null, and where it holds."""
    column = (case.left, case.right)[side]
    constant = _stand_in(case, side)
    if constant is not None and constant[0] is not None:
        yield _statistic(case, constant[0], side), null & constant[1]
    if not case.is_numeric:
        return
    values = (case.left_numbers, case.right_numbers)[side]
    for group, codes in case.context.groups:
        of = f" with the same `{group}`"
        yield f"the value before it{of}", null & _is_before(case, values, codes)
        for what, statistic in (("mean", np.nanmean), ("median", np.nanmedian)):
            own = _of_groups(values, codes, ~null & np.isfinite(values), statistic)
            width = float(np.nanstd(values[~null])) or 1.0
            yield (
                f"approximately the {what} of the rows{of}",
                null & (np.abs(values - own) <= 0.1 * width),
            )
    yield "the value before it", null & _is_before(case, values, np.zeros(len(column), np.int64))


def _is_before(case: Case, values: Floats, codes: npt.NDArray[np.int64]) -> Mask:
    """Find rows with the value of the row before them, of the same code."""
    order = np.lexsort((np.arange(len(values)), case.context.row_times, codes))
    before = np.full(len(values), np.nan)
    same = codes[order][1:] == codes[order][:-1]
    before[order[1:]] = np.where(same, values[order][:-1], np.nan)
    return close(values, before)


def _of_groups(
    values: Floats,
    codes: npt.NDArray[np.int64],
    among: Mask,
    statistic: Callable[[Floats], Any],
) -> Floats:
    """Return for each row the statistic of its group's values; NaN if the group has few."""
    found = np.full(int(codes.max()) + 1, np.nan)
    for code in np.unique(codes[among]).tolist():
        own = values[among & (codes == code)]
        if len(own) >= 5:
            found[code] = statistic(own)
    return found[codes]


def missing(case: Case) -> Iterator[Proposal]:
    """Propose that one side has null, or always the same default, where the other has values."""
    for side, name in enumerate(case.names):
        null, other_null = (case.left_null, case.right_null)[:: 1 if side == 0 else -1]
        other = (case.right, case.left)[side]
        missing_rows = case.differs & null & ~other_null
        if missing_rows.sum() >= case.enough:
            varied = len(pc.unique(other.filter(pa.array(missing_rows)))) > 1
            if varied or case.kind == "feature":
                proposal = _missing_proposal(case, name, "null", null & ~other_null)
                # What the first side has may be values that a join found, or what fills nulls.
                yield proposal if side == 0 else _one_of_two(case, proposal)
                continue
        stand_in = _stand_in(case, side)
        if stand_in is None:
            continue
        default, rows = stand_in
        explained = case.differs & rows
        if (explained & ~other_null).sum() < case.enough:
            continue
        distinct = len(pc.unique(other.filter(pa.array(explained & ~other_null))))
        if distinct < (3 if explained.sum() < 50 else 4) or _is_usual(case, side, default):
            continue
        proposal = _missing_proposal(case, name, f"always {value(default)}", rows & ~case.agrees)
        # What is a usual value on the other side too is a default on some rows by chance.
        usual = pc.mean(pc.cast(pc.fill_null(pc.equal(other, default), False), pa.float64()))
        yield replace(proposal, needs_all=usual.as_py() > _UNUSUAL)


def _missing_proposal(case: Case, name: str, what: str, holds: Mask) -> Proposal:
    left, right = case.names
    return Proposal(
        cause="missing feature",
        finding=f"is {what} where {right} has values"
        if name == left
        else f"has values where {right} is {what}",
        undone="With the other side's value in its place",
        action=f"Find out why the {name} side lacks it: a lookup that fails or times out, a field "
        "that was renamed, a join that finds no row.",
        holds=holds,
        parameters=2,
        of_one_side=True,
    )


def _one_of_two(case: Case, proposal: Proposal) -> Proposal:
    left, right = case.names
    return replace(
        proposal,
        action=f"Find out whether the {right} side lacks them, as when a join finds no row, or "
        f"whether the {left} side fills in what is null.",
        is_named=False,
    )


def _stand_in(case: Case, side: int) -> tuple[Any, Mask] | None:
    """Return a side's most frequent value on the rows that differ, possibly null, and its rows."""
    column = (case.left, case.right)[side]
    null = (case.left_null, case.right_null)[side]
    among = case.fitted
    if null[among].mean() >= CONFIRMED:
        return None, null
    if case.is_numeric:
        values = (case.left_numbers, case.right_numbers)[side]
        known = values[among & np.isfinite(values)]
        if not len(known):
            return None
        distinct, counts = np.unique(known, return_counts=True)
        top = float(distinct[counts.argmax()])
        rows = close(values, np.full(len(values), top))
        return (top, rows) if rows[among].sum() >= 0.2 * among.sum() else None
    counted = pc.value_counts(column.filter(pa.array(among & ~null)))
    if not len(counted):
        return None
    best = max(counted.to_pylist(), key=lambda entry: entry["counts"])
    rows = np.asarray(pc.fill_null(pc.equal(column, pa.scalar(best["values"], column.type)), False))
    return (best["values"], rows) if best["counts"] >= 0.2 * among.sum() else None


def _is_usual(case: Case, side: int, default: Any) -> bool:
    """Whether agreeing rows often have this value, so that it is not a default.

    A column with only this value proves nothing: rows then agree where it happens to be right.
    """
    if case.agrees.sum() < FEWEST_ROWS:
        return False
    values = (case.left, case.right)[side]
    same = np.asarray(pc.fill_null(pc.equal(values, pa.scalar(default, values.type)), False))
    return bool(same[case.agrees].mean() > _RARE) and 1 < len(pc.unique(values)) <= 5


def _common(case: Case, left: Any, right: Any) -> bool:
    """Whether the two defaults are values that agreeing rows have too, as labels are."""
    agreeing = case.agrees
    if agreeing.sum() < FEWEST_ROWS or not case.is_numeric:
        return True
    both = [x for x in (left, right) if x is not None]
    rate = [float((case.right_numbers[agreeing] == x).mean()) for x in both]
    return max(rate, default=0.0) > 0.02


def _stands_out(case: Case, explained: Mask) -> bool:
    """Whether one pair is all that differs, where a column has many values and so no categories."""
    distinct = len(np.unique(case.right_numbers[case.agrees & case.finite]))
    return bool(explained.sum() >= CONFIRMED * case.differs.sum()) and distinct >= _MANY


def _describe_stand_in(case: Case, x: Any, side: int) -> str:
    return "null" if x is None else f"filled in with {_statistic(case, x, side)}"


def _statistic(case: Case, x: Any, side: int) -> str:
    """Describe a default, with the statistic of the other rows that it equals."""
    if not case.is_numeric:
        return f"`{x}`"
    values = (case.left_numbers, case.right_numbers)[side][
        case.agrees & np.isfinite(case.left_numbers) & np.isfinite(case.right_numbers)
    ]
    text = number(x)
    if len(values) < FEWEST_ROWS:
        return text
    width = float(values.std()) or 1.0
    for name, statistic in (("mean", values.mean()), ("median", float(np.median(values)))):
        if abs(x - statistic) <= 0.05 * width:
            return f"{text}, about the {name}"
    return text
