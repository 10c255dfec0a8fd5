"""How often entities repeat, in a fixed number of counters."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from gnomon.offline.entity_slots import SLOTS, EntitySlots, repeats


def signed(entities: list[str]) -> np.ndarray:
    slots = EntitySlots.of(pa.array(entities))
    return slots.sums(np.zeros(len(entities), np.int64), 1)[0]


@pytest.mark.parametrize("of_each", [1, 5, 40])
def test_rows_an_entity_are_estimated(of_each: int) -> None:
    """Within four standard errors of 6%."""
    entities = [f"e{n}" for n in range(3_000)] * of_each
    assert repeats(signed(entities), len(entities)) == pytest.approx(of_each, rel=0.25)


def test_one_entity_with_most_rows_counts_most() -> None:
    """The rows of a row's entity: of 1,000 here, 500 are of one."""
    entities = ["whale"] * 500 + [f"e{n}" for n in range(500)]
    assert repeats(signed(entities), 1_000) == pytest.approx((500**2 + 500) / 1_000, rel=0.1)


def test_parts_add_up_whatever_the_batch() -> None:
    """A hash finds the counter, so that slices merge."""
    entities = [f"e{n % 70}" for n in range(400)]
    parts = signed(entities[:150]) + signed(entities[150:])
    assert (parts == signed(entities)).all()
    assert parts.shape == (SLOTS,)


def test_rows_are_counted_by_group_and_may_be_chosen() -> None:
    """One row of each group is left out."""
    slots = EntitySlots.of(pa.chunked_array([["a", "a"], ["b", "b"]]))
    sums = slots.sums(np.array([0, 0, 1, 1]), 2, np.array([True, False, True, False]))
    assert np.abs(sums).sum(axis=1).tolist() == [1.0, 1.0]


def test_without_rows_nothing_repeats() -> None:
    assert repeats(np.zeros(SLOTS), 0) == 1.0
