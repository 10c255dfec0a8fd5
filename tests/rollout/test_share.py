from __future__ import annotations

import numpy as np
import pytest

from gnomon.compare.sequential import rate_interval, rows_still_needed
from gnomon.rollout.share import BadShare
from gnomon.rollout.unit_counts import UnitShares


def of_entities(values: list[float], rows_each: int) -> BadShare:
    """A share of entities with the same number of rows."""
    rows = len(values) * rows_each
    bad = round(sum(values) * rows_each)
    return BadShare(
        bad, rows, UnitShares(np.array(values), f"{len(values)} entities", "entity", rows_each)
    )


def test_entities_of_one_row_are_rows() -> None:
    """The interval and its outlook are those of rows, and the text does not speak of entities."""
    share = of_entities([1.0] * 3 + [0.0] * 97, 1)
    assert share.interval(0.95) == rate_interval(3, 100, 0.95)
    assert (
        share.at(1_000, 0.95) == BadShare(3, 100).at(1_000, 0.95) == rate_interval(30, 1_000, 0.95)
    )
    assert share.rows_still_needed(0.05, 0.95) == pytest.approx(
        rows_still_needed(3, 100, 0.05, 0.95), rel=0.05
    )
    assert str(share) == "3 of 100 rows"


def test_rows_that_repeat_widen_the_interval() -> None:
    """Rows that are equal within an entity count once; rows that are not tell a little more."""
    same, mixed = of_entities([1.0] * 5 + [0.0] * 95, 20), of_entities([0.05] * 100, 20)
    assert same.value == mixed.value == 0.05
    assert same.interval(0.95) == rate_interval(5, 100, 0.95)
    low, high = mixed.interval(0.95)
    assert rate_interval(5, 100, 0.95).low < low < 0.05 < high < rate_interval(5, 100, 0.95).high
    assert str(same) == "100 of 2,000 rows (100 entities)"


def test_the_outlook_of_entities_is_in_rows() -> None:
    """Of 20 equal rows each, 20 times as many are needed; the estimated interval agrees."""
    same = of_entities([1.0] * 3 + [0.0] * 97, 20)
    more = same.rows_still_needed(0.05, 0.95)
    alone = rows_still_needed(3, 100, 0.05, 0.95)
    assert more is not None
    assert alone is not None
    assert more == pytest.approx(20 * alone, rel=0.05)
    assert same.at(2_000 + more, 0.95).high == pytest.approx(0.05, rel=0.05)


def test_without_rows_nothing_is_known() -> None:
    """The interval is everything, and what is needed is what independent rows need."""
    empty = BadShare(0, 0, UnitShares(np.zeros(0), "0 entities"))
    assert empty.interval(0.95) == (0.0, 1.0)
    assert empty.value is None
    assert empty.rows_still_needed(0.05, 0.95) == rows_still_needed(0, 0, 0.05, 0.95)
    assert empty.at(100, 0.95) == rate_interval(0, 100, 0.95)


def test_too_few_rows_for_a_block_need_the_rows_of_all_blocks() -> None:
    """Not the few that independent rows need."""
    blocks = BadShare(0, 100, UnitShares(np.zeros(0), "0 blocks of 50 rows", "row", 50.0))
    assert blocks.rows_still_needed(0.05, 0.95) == 50 * 116
