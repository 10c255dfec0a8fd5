from dataclasses import replace

import numpy as np

from gnomon.skew.diagnosis.case import Case
from gnomon.skew.diagnosis.column_exchange import exchanges
from tests.skew.diagnosis.cases import case

RNG = np.random.default_rng(21)
A, B, C = (RNG.normal(size=200) for _ in range(3))


def named(name: str, left: object, right: object) -> Case:
    return replace(case(left, right), column=name)


def test_columns_that_went_round_are_found_whole() -> None:
    """Three columns, each with the values of the next one."""
    (found,) = exchanges([named("a", B, A), named("b", C, B), named("c", A, C)])
    assert found.columns == {"a": "b", "b": "c", "c": "a"}
    assert found.cause == "column order"
    assert found.restored.all()


def test_only_rows_that_come_right_are_restored() -> None:
    """One row in two hundred differs for another reason and is not counted as repaired."""
    left = B.copy()
    left[7] = 99.0
    (found,) = exchanges([named("a", left, A), named("b", A, B)])
    assert np.flatnonzero(~found.restored).tolist() == [7]


def test_columns_of_noise_are_not_exchanged() -> None:
    """Their values are those of no other column."""
    assert exchanges([named("a", C, A), named("b", RNG.normal(size=200), B)]) == []


def test_day_and_month_are_a_date() -> None:
    """Exchanged only where both can be; the day goes on to 28 where they agree."""
    day, month = RNG.integers(1, 29, 300).astype(float), RNG.integers(1, 13, 300).astype(float)
    swap = day <= 12
    one, other = np.where(swap, month, day), np.where(swap, day, month)
    (found,) = exchanges([named("day", one, day), named("month", other, month)])
    assert found.cause == "date format"
