"""Rows counted per unit, whatever the batches."""

from __future__ import annotations

import pyarrow as pa
import pytest

from gnomon.compare.units import UnitTally, UnitTotals

ROWS = [("a", True), ("b", False), ("a", False), ("b", False), ("c", True)]


def counted(*sizes: int, is_named: bool = True) -> UnitTotals:
    """The rows in batches of these sizes."""
    tally, rows = UnitTally(("bad", "all"), is_named=is_named), iter(ROWS)
    for size in sizes:
        units, bad = zip(*(next(rows) for _ in range(size)), strict=True)
        marks = {"bad": pa.array(bad), "all": pa.array([True] * size)}
        tally.add(pa.array(units), marks)
    return tally.totals()


def counts(totals: UnitTotals) -> list[tuple[int, ...]]:
    """Bad rows, all rows, and how many units have so many."""
    columns = (totals.counts["bad"], totals.counts["all"], totals.repeats)
    return sorted(zip(*(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("sizes", [(5,), (1, 1, 1, 1, 1), (2, 3)])
@pytest.mark.parametrize("fold", [0, 1 << 18])
def test_a_named_unit_is_the_same_in_every_batch(
    sizes: tuple[int, ...], fold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Merging now and then, to save memory, changes nothing."""
    monkeypatch.setattr("gnomon.compare.units.FOLD_ROWS", fold)
    assert counts(counted(*sizes)) == [(0, 2, 1), (1, 1, 1), (1, 2, 1)]


@pytest.mark.parametrize("fold", [0, 1 << 18])
def test_units_without_a_name_are_those_of_their_batch(
    fold: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only how many have the same counts is kept."""
    monkeypatch.setattr("gnomon.compare.units.FOLD_ROWS", fold)
    assert counts(counted(3, 2, is_named=False)) == [(0, 1, 2), (1, 1, 1), (1, 2, 1)]


def test_each_unit_has_its_share_of_bad_rows() -> None:
    """Of weight one, whatever its rows."""
    shares = counted(2, 3).shares("bad", "all", "entity")
    assert shares is not None
    assert sorted(shares.values.tolist()) == [0, 0.5, 1]
    assert (shares.says, shares.rows_each) == ("3 entities", pytest.approx(5 / 3))


def test_units_of_one_row_are_rows() -> None:
    """So there is nothing to say of them; nor of none."""
    assert counted(2).shares("bad", "all", "request") is None
    assert counted().shares("bad", "all", "request") is None
