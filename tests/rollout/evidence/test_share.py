from __future__ import annotations

import numpy as np
import pytest

from gnomon.compare.mean_interval import mean_interval, units_still_needed
from gnomon.compare.sequential import Interval, rate_interval
from gnomon.compare.units import UnitShares
from gnomon.rollout.evidence.share import BadShare


def of_entities(values: list[float], rows_each: int) -> BadShare:
    """A share of entities with the same number of rows."""
    rows = len(values) * rows_each
    bad = round(sum(values) * rows_each)
    return BadShare(bad, rows, (UnitShares(np.array(values), "entity", "entities", rows_each),))


def blocks(values: list[float], rows_each: int) -> UnitShares:
    """Blocks of rows."""
    says = f"{len(values)} blocks of {rows_each} rows"
    return UnitShares(np.array(values), "block", says, rows_each)


def interval_of_rows(bad: float, rows: float) -> Interval:
    """The interval of independent rows."""
    return mean_interval([0, 1], 0.95, counts=[rows - bad, bad])


def test_entities_of_one_row_are_rows() -> None:
    """The interval and its outlook are those of rows, and the text does not speak of entities."""
    share = of_entities([1.0] * 3 + [0.0] * 97, 1)
    assert share.interval(0.95) == BadShare(3, 100).interval(0.95) == interval_of_rows(3, 100)
    assert (
        share.at(1_000, 0.95) == BadShare(3, 100).at(1_000, 0.95) == rate_interval(30, 1_000, 0.95)
    )
    assert share.rows_still_needed(0.05, 0.95) == BadShare(3, 100).rows_still_needed(0.05, 0.95)
    assert str(share) == "3 of 100 rows"


def test_rows_that_repeat_widen_the_interval() -> None:
    """Rows that are equal within an entity count once; rows that are not tell a little more."""
    same, mixed = of_entities([1.0] * 5 + [0.0] * 95, 20), of_entities([0.05] * 100, 20)
    assert same.value == mixed.value == 0.05
    assert same.interval(0.95) == interval_of_rows(5, 100)
    low, high = mixed.interval(0.95)
    assert interval_of_rows(5, 100).low < low < 0.05 < high < interval_of_rows(5, 100).high
    assert str(same) == "100 of 2,000 rows (entities)"


def test_entities_and_blocks_together_are_no_better_than_either() -> None:
    """The interval contains both; the text names both, and the fewer units are counted."""
    by_entity = of_entities([1.0] * 5 + [0.0] * 95, 20)
    both = BadShare(by_entity.bad, by_entity.rows, (*by_entity.units, blocks([0.5, 0] * 20, 50)))
    low, high = both.interval(0.95)
    assert low <= by_entity.interval(0.95).low
    assert high >= by_entity.interval(0.95).high
    assert both.unit_count == 40
    assert str(both) == "100 of 2,000 rows (entities; 40 blocks of 50 rows)"


def test_the_outlook_of_entities_is_in_rows() -> None:
    """Of 20 equal rows each, 20 times as many are needed; the estimated interval agrees."""
    same = of_entities([1.0] * 3 + [0.0] * 97, 20)
    more = same.rows_still_needed(0.05, 0.95)
    alone = BadShare(3, 100).rows_still_needed(0.05, 0.95)
    assert more is not None
    assert alone is not None
    assert more == pytest.approx(20 * alone, rel=0.05)
    assert same.at(2_000 + more, 0.95).high == pytest.approx(0.05, rel=0.1)


def test_without_rows_nothing_is_known() -> None:
    """The interval is everything, and what is needed is what independent rows need."""
    empty = BadShare(0, 0)
    assert empty.interval(0.95) == (0.0, 1.0)
    assert empty.value is None
    assert empty.unit_count is None
    assert empty.rows_still_needed(0.05, 0.95) == units_still_needed([], 0.05, 0.95)
    assert empty.at(100, 0.95) == rate_interval(0, 100, 0.95)


def test_too_few_rows_for_a_block_need_the_rows_of_all_blocks() -> None:
    """Not the few that independent rows need."""
    share = BadShare(0, 100, (blocks([], 50),))
    assert share.interval(0.95) == (0.0, 1.0)
    assert share.rows_still_needed(0.05, 0.95) == 50 * 92


def test_a_part_of_the_error_widens_the_interval_and_its_outlook() -> None:
    """Each stage of a run has its own part, in what is shown and in what is still needed."""
    half = BadShare(2, 100, error_part=0.5)
    assert half.interval(0.95) == BadShare(2, 100).interval(0.975)
    assert half.at(1_000, 0.95) == BadShare(2, 100).at(1_000, 0.975)
    assert half.rows_still_needed(0.05, 0.95) == BadShare(2, 100).rows_still_needed(0.05, 0.975)
    assert half.interval(0.95) != BadShare(2, 100).interval(0.95)
