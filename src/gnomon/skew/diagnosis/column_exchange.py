"""Columns whose values are exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask
from gnomon.tolerances import close

__all__ = ["ColumnExchange", "exchanges"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ColumnExchange:
    """Columns of one place whose values were exchanged.

    Attributes:
        columns: for each column, the column whose offline values it has online.
        indicators: whether they hold zeros and ones, each for one category.
        restored: rows that differ in one of them, and agree in all once exchanged back.
        date: whether they are the day and the month of a date, exchanged only where both can be.
    """

    columns: dict[str, str]
    indicators: bool
    date: bool
    restored: Mask

    @property
    def cause(self) -> str:
        """The name of the cause."""
        if self.date:
            return "date format"
        return "category code order" if self.indicators else "column order"


def exchanges(cases: Sequence[Case]) -> list[ColumnExchange]:
    """Find groups of columns that have each other's values on the rows that differ."""
    mapping: dict[str, str] = {}
    for case in cases:
        source = _source(case, cases)
        if source is not None:
            mapping[case.column] = source
    by_name = {case.column: case for case in cases}
    exchanged: list[ColumnExchange] = []
    for cycle in _cycles(mapping):
        members = [by_name[name] for name in cycle]
        flags = all(_is_flag(member) for member in members)
        if flags and min(int(member.differs.sum()) for member in members) < 2 * FEWEST_ROWS:
            continue
        columns = {name: mapping[name] for name in cycle}
        differs = np.logical_or.reduce([member.differs for member in members])
        back = [_same(member, by_name[columns[member.column]]) for member in members]
        restored = differs & np.logical_and.reduce(back)
        exchanged.append(ColumnExchange(columns, flags, _is_date(members), restored))
    return exchanged


def _source(case: Case, cases: Sequence[Case]) -> str | None:
    """Find the column whose right values equal this column's left values where it differs."""
    if case.differs.sum() < FEWEST_ROWS:
        return None
    for other in cases:
        if other is not case and _are_comparable(case, other):
            same = _same(case, other)
            if same[case.differs].mean() >= CONFIRMED and _is_telling(case, other, same):
                return other.column
    return None


def _is_telling(case: Case, other: Case, same: Mask) -> bool:
    """Whether the match is more than chance: with permuted values, clearly fewer are the same."""
    rows = np.flatnonzero(case.differs)
    shuffled = np.random.default_rng(0).permutation(rows)
    if case.is_numeric:
        chance = close(case.left_numbers[rows], other.right_numbers[shuffled]).mean()
    else:
        chance = np.mean(
            [
                a == b
                for a, b in zip(
                    case.left.take(pa.array(rows)).to_pylist(),
                    other.right.take(pa.array(shuffled)).to_pylist(),
                    strict=True,
                )
            ]
        )
    return bool(chance < 0.9)


def _are_comparable(case: Case, other: Case) -> bool:
    return (case.is_numeric and other.is_numeric) or (case.is_text and other.is_text)


def _same(case: Case, other: Case) -> Mask:
    if case.is_numeric:
        return close(case.left_numbers, other.right_numbers) | (case.left_null & other.right_null)
    equal: Mask = np.asarray(pc.fill_null(pc.equal(case.left, other.right), False))
    return equal | (case.left_null & other.right_null)


def _cycles(mapping: dict[str, str]) -> list[list[str]]:
    """Find the cycles of two or more columns."""
    cycles, seen = [], set()
    for start in mapping:
        if start in seen:
            continue
        path = [start]
        while (following := mapping.get(path[-1])) is not None and following not in path:
            path.append(following)
        if following == start and len(path) > 1:
            cycles.append(path)
            seen |= set(path)
    return cycles


def _is_flag(case: Case) -> bool:
    if not case.is_numeric:
        return False
    values = np.r_[case.left_numbers, case.right_numbers]
    return bool(np.isin(values[np.isfinite(values)], (0.0, 1.0)).all())


def _is_date(members: Sequence[Case]) -> bool:
    """Whether two columns are 1 to 12 where they differ, and one exceeds 12 where both agree."""
    if len(members) != 2 or not all(member.is_numeric for member in members):
        return False
    for day in members:
        both = np.r_[day.left_numbers[day.differs], day.right_numbers[day.differs]]
        agreeing = day.right_numbers[day.agrees & np.isfinite(day.right_numbers)]
        if len(agreeing) and both.min() >= 1 and both.max() <= 12 and 12 < agreeing.max() <= 31:
            return True
    return False
