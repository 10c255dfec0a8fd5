"""Mirrors ``gnomon.shadow.drift.changes``."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gnomon.shadow.drift.bins import Floats
from gnomon.shadow.drift.changes import Change, changes
from gnomon.shadow.policy import Drift
from tests.shadow.drift.columns import counted, frozen

BUCKETS, ROWS = 24, 500
BINS = frozen(np.random.default_rng(1).normal(0, 1, 20_000))


def over_time(values: Callable[[int, np.random.Generator], Floats], seed: int = 5) -> list[Change]:
    """The changes of what ``values`` gives for each bucket."""
    random = np.random.default_rng(seed)
    buckets = {at: counted(BINS, values(at, random)) for at in range(BUCKETS)}
    return changes(BINS, buckets, Drift())


@pytest.mark.parametrize("seed", range(10))
def test_nothing_changes(seed: int) -> None:
    """Chance alone raises no alert."""
    assert over_time(lambda at, random: random.normal(0, 1, ROWS), seed) == []


def test_a_jump_is_sudden() -> None:
    """It is found in the bucket it began in, once, with the rows before and since."""
    (change,) = over_time(lambda at, random: random.normal(1.0 * (at >= 15), 1, ROWS))
    assert (change.slow, change.at) == (False, 15)
    assert change.sizes == (15 * ROWS, 9 * ROWS)
    assert change.effect.value > change.effect.limit


def test_a_jump_and_back_are_two() -> None:
    """What ends is told too."""
    found = over_time(lambda at, random: random.normal(2.0 * (8 <= at < 16), 1, ROWS))
    assert [change.at for change in found] == [8, 16]


def test_a_rise_is_slow() -> None:
    """No bucket is far from those before it, and the end is far from the beginning."""
    (change,) = over_time(lambda at, random: random.normal(0.035 * at, 1, ROWS))
    assert change.slow
    assert 8 <= change.at <= 16


def test_a_rhythm_is_no_change() -> None:
    """A column that follows the hour differs from bucket to bucket, as it always has."""
    found = over_time(lambda at, random: random.normal((at % 4) - 1.5, 0.3, ROWS))
    assert found == []


def test_too_few_rows_say_nothing() -> None:
    """Four rows a bucket cannot tell a jump of half a standard deviation from chance."""
    assert over_time(lambda at, random: random.normal(0.5 * (at >= 15), 1, 4)) == []


def test_nulls_that_begin_are_a_change() -> None:
    """Though the other values are as before."""

    def values(at: int, random: np.random.Generator) -> Floats:
        gone = random.random(ROWS) < 0.2 * (at >= 10)
        return np.where(gone, np.nan, random.normal(0, 1, ROWS))

    (change,) = over_time(values)
    assert (change.at, change.metric) == (10, "nulls")
