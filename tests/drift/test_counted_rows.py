"""How many independent rows counted rows are worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gnomon.drift.counted_rows import CountedRows
from gnomon.drift.drift_counts import DriftCounts
from tests.drift.columns import batch, counted, frozen

BINS = frozen(np.random.default_rng(1).normal(size=20_000))
OWNERS = np.arange(4_000) % 200


def normal(seed: int, rows: int) -> Any:
    return np.random.default_rng(seed).normal(size=rows)


def test_an_entity_that_never_changes_counts_once() -> None:
    """4,000 rows of 200 entities of one age each say as much as 200."""
    found = counted(BINS, normal(2, 200)[OWNERS], OWNERS)
    assert found.likeness == pytest.approx(1.0, abs=0.05)
    assert 4_000 / found.design_effect == pytest.approx(200, rel=0.25)


def test_a_column_that_differs_within_entities_keeps_its_rows() -> None:
    """Each amount counts, although entities repeat."""
    found = counted(BINS, normal(2, 4_000), OWNERS)
    assert 4_000 / found.design_effect > 3_000


def test_one_entity_with_many_rows_leaves_few() -> None:
    """Half of all rows are of one customer: they say as much as four."""
    owners = np.where(np.arange(4_000) < 2_000, 0, 1 + np.arange(4_000))
    found = counted(BINS, normal(2, 5_000)[owners], owners)
    assert 4_000 / found.design_effect == pytest.approx(4, rel=0.25)


def test_each_row_counts_without_entities() -> None:
    found = counted(BINS, normal(2, 1_000))
    assert (found.entities, found.design_effect) == (None, 1.0)


def test_one_entity_alone_is_one_row() -> None:
    """There is no other to compare it with."""
    found = counted(BINS, normal(2, 300), np.zeros(300, int))
    assert 300 / found.design_effect == pytest.approx(1.0)


def test_rows_add_up_and_may_be_taken_away() -> None:
    """As their entities do."""
    values = normal(2, 200)[OWNERS]
    first, rest = (counted(BINS, values[part], OWNERS[part]) for part in (slice(1500),
                   slice(1500, None)))  # fmt: skip
    both = first + rest
    assert both.design_effect == pytest.approx(20, rel=0.25)
    assert ((both - rest).vector == first.vector).all()
    assert (both - rest).design_effect == pytest.approx(first.design_effect)


def test_buckets_have_their_own_entities_and_merge_as_they_widen() -> None:
    """Five days of 100 entities: each comes once a day, and five times in all."""
    owners = np.arange(500) % 100
    days = np.arange(500) // 100 * 86_400.0
    values = normal(3, 100)[owners]
    whole, left, right = (DriftCounts([BINS]) for _ in range(3))
    whole.add(batch(BINS, values, days, entities=owners))
    left.add(batch(BINS, values[:130], days[:130], entities=owners[:130]))
    right.add(batch(BINS, values[130:], days[130:], entities=owners[130:]))
    left.merge(right)
    for counts in (whole, left):
        (column,) = counts
        daily = [rows.design_effect for rows in column.by_bucket().values()]
        assert len(daily) == 5
        assert max(daily) < 1.5
        assert column.total().design_effect == pytest.approx(5, rel=0.3)
        while counts.widen():
            pass
        (rows,) = column.by_bucket().values()
        assert rows.design_effect == column.total().design_effect


def test_rows_of_training_are_counted_one_by_one() -> None:
    assert CountedRows(BINS.training).design_effect == 1.0


def test_of_few_entities_it_is_not_known_how_alike_their_rows_are() -> None:
    """Ten say as much as ten rows, whatever the column shows of them."""
    few = np.arange(4_000) % 10
    found = counted(BINS, normal(2, 4_000), few)
    assert found.likeness < 0.5
    assert 4_000 / found.design_effect == pytest.approx(10, rel=0.3)
