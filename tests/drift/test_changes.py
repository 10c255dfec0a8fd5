"""Sudden and slow changes of a column are found; chance does not raise an alert."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine

from gnomon.drift.bins import Floats
from gnomon.drift.changes import DriftChange, changes
from gnomon.policy import DriftLimits
from tests.drift.columns import counted, frozen

BUCKETS, ROWS = 24, 500
BINS = frozen(np.random.default_rng(1).normal(0, 1, 20_000))


HOUR, DAY = 3_600, 86_400


def over_time(
    values: Callable[[int, np.random.Generator], Floats],
    seed: int = 5,
    *,
    buckets: int = BUCKETS,
    seconds: int = DAY,
) -> list[DriftChange]:
    """The changes of what ``values`` gives for each bucket."""
    random = np.random.default_rng(seed)
    counts = {at: counted(BINS, values(at, random)) for at in range(buckets)}
    return changes(BINS, counts, DriftLimits(), seconds)


@pytest.mark.parametrize("seed", range(10))
def test_nothing_changes(seed: int) -> None:
    """Chance alone raises no alert."""
    assert over_time(lambda at, random: random.normal(0, 1, ROWS), seed) == []


OTHERS = {
    f"{load.__name__}, column {at}": load().data[:, at]
    for load in (load_breast_cancer, load_diabetes, load_wine)
    for at in (0, 2, 5, 7)
}
"""Columns of real data, of all kinds of shapes."""


@pytest.mark.parametrize("name", OTHERS)
def test_real_columns_change_only_where_they_do(name: str) -> None:
    """Drawn at random they raise no alert; moved by a standard deviation, one in that bucket."""
    pool = OTHERS[name]
    random = np.random.default_rng(3)
    bins = frozen(random.choice(pool, 5_000))
    for jump in (0.0, 1.0):
        counts = {
            at: counted(bins, random.choice(pool, 300) + jump * pool.std() * (at >= 15))
            for at in range(30)
        }
        found = changes(bins, counts, DriftLimits(), DAY)
        assert [(c.slow, c.at) for c in found] == ([(False, 15)] if jump else [])


def test_a_jump_is_sudden() -> None:
    """It is found in the bucket it began in, once, with the rows before and since."""
    (change,) = over_time(lambda at, random: random.normal(1.0 * (at >= 15), 1, ROWS))
    assert (change.slow, change.at) == (False, 15)
    assert change.sizes == (15 * ROWS, 9 * ROWS)
    assert change.effect.value > change.effect.limit


def test_an_incomplete_bucket_is_not_judged_by_itself() -> None:
    """The last one has a few hours of its day, and their values only."""

    def values(at: int, random: np.random.Generator) -> Floats:
        return random.normal(0, 1, ROWS) if at < BUCKETS - 1 else random.normal(2, 1, ROWS // 3)

    assert over_time(values) == []
    (change,) = over_time(lambda at, random: np.resize(values(at, random), ROWS))
    assert (change.slow, change.at) == (False, BUCKETS - 1)


def test_rows_of_incomplete_buckets_are_counted() -> None:
    """The first and the last have a third of the rows; no row of either side is left out."""

    def values(at: int, random: np.random.Generator) -> Floats:
        few = ROWS // 3 if at in (0, BUCKETS - 1) else ROWS
        return random.normal(1.0 * (at >= 15), 1, few)

    (change,) = over_time(values)
    assert change.at == 15
    assert change.sizes == (14 * ROWS + ROWS // 3, 8 * ROWS + ROWS // 3)


def test_a_jump_and_back_are_two() -> None:
    """The end of a change is reported too."""
    found = over_time(lambda at, random: random.normal(2.0 * (8 <= at < 16), 1, ROWS))
    assert [change.at for change in found] == [8, 16]


def test_a_rise_is_slow() -> None:
    """No bucket is far from those before it, and the end is far from the beginning."""
    (change,) = over_time(lambda at, random: random.normal(0.035 * at, 1, ROWS))
    assert change.slow
    assert 8 <= change.at <= 16


def test_a_rhythm_is_no_change() -> None:
    """A column that follows the hour differs between buckets all the time."""
    found = over_time(lambda at, random: random.normal((at % 4) - 1.5, 0.3, ROWS))
    assert found == []


@pytest.mark.parametrize("hours", [20, 30, 60])
def test_the_hour_of_the_day_is_no_slow_change(hours: int) -> None:
    """For any first and last hour, only complete days are compared, or nothing."""

    def values(at: int, random: np.random.Generator) -> Floats:
        return random.normal(np.sin(2 * np.pi * at / 24), 1, ROWS)

    found = over_time(values, buckets=hours, seconds=HOUR)
    assert [change for change in found if change.slow] == []


def test_a_rise_beside_the_hour_of_the_day_is_slow() -> None:
    """The rise over three days is found, although each day varies as much."""

    def values(at: int, random: np.random.Generator) -> Floats:
        return random.normal(np.sin(2 * np.pi * at / 24) + at / 48, 1, ROWS)

    (change,) = over_time(values, buckets=72, seconds=HOUR)
    assert change.slow


def test_too_few_rows_say_nothing() -> None:
    """Four rows per bucket cannot distinguish a jump of half a standard deviation from chance."""
    assert over_time(lambda at, random: random.normal(0.5 * (at >= 15), 1, 4)) == []


def test_nulls_that_begin_are_a_change() -> None:
    """Though the other values are as before."""

    def values(at: int, random: np.random.Generator) -> Floats:
        gone = random.random(ROWS) < 0.2 * (at >= 10)
        return np.where(gone, np.nan, random.normal(0, 1, ROWS))

    (change,) = over_time(values)
    assert (change.at, change.metric) == (10, "nulls")
