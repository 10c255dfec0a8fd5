"""When new entities come: at their own rate, which falls once most are known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from gnomon.rollout.evidence.new_entities import NewEntities

END = datetime(2026, 1, 1, tzinfo=UTC)
START = END - timedelta(seconds=600)


def window(customers: np.ndarray) -> NewEntities:
    """Of rows of these customers, spread evenly over the window."""
    seconds = 600 * np.arange(len(customers)) / len(customers)
    arrived = [START + timedelta(seconds=s) for s in seconds]
    _, firsts = np.unique(customers, return_index=True)
    instant = pa.timestamp("us", tz="UTC")
    times = pa.array(arrived, instant)
    return NewEntities.between(START, END, times.take(pa.array(firsts)), times)


def test_new_entities_come_at_their_own_rate() -> None:
    """Each has seven rows: 100 more take as long as 700 rows, and not as 100."""
    found = window(np.repeat(np.arange(200), 7))
    assert (found.rows, found.new, found.falls) == ((700, 700), (100, 100), False)
    assert found.seconds_until(100) == pytest.approx(300)


@pytest.mark.parametrize(("more", "share"), [(50, 0.25), (150, 0.75), (190, 0.95)])
def test_of_a_fixed_number_fewer_and_fewer_are_new(more: int, share: float) -> None:
    """Customers come back at random: the time is that of an exponential decay, within a half."""
    customers = np.random.default_rng(5).integers(0, 700, 872)
    found = window(customers)
    left = 700 - len(np.unique(customers))
    assert found.falls
    seconds = found.seconds_until(more)
    expected = -np.log(1 - share) * 700 / 872 * 600
    assert left == pytest.approx(200, abs=20)
    assert seconds == pytest.approx(expected, rel=0.5)


def test_more_than_there_may_be_never_come() -> None:
    """522 more of 700 customers, of which about 500 are known: no time is told."""
    customers = np.random.default_rng(5).integers(0, 700, 872)
    assert window(customers).seconds_until(522) is None


def test_without_a_new_entity_there_is_no_time() -> None:
    """All of them were known before the window."""
    times = pa.array([START, START + timedelta(seconds=400)], pa.timestamp("us", tz="UTC"))
    found = NewEntities.between(START, END, times.slice(0, 0), times)
    assert (found.rows, found.new, found.falls) == ((1, 1), (0, 0), False)
    assert found.seconds_until(1) is None


def test_a_difference_that_may_be_chance_is_no_trend() -> None:
    """Three new ones, then two."""
    found = NewEntities(seconds=600, rows=(10, 10), new=(3, 2))
    assert not found.falls
    assert found.seconds_until(5) == pytest.approx(600)
    assert found.sampled(0.5).new == (1.5, 1)
