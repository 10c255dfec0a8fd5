from __future__ import annotations

import numpy as np
import pytest

from gnomon.compare.entity_units import entity_units


def test_units_are_entities_in_the_order_of_their_first_rows() -> None:
    """Each has its share of bad rows and its number of rows."""
    units = entity_units([7, 3, 7, 9, 3, 7], [True, False, True, False, True, False])
    assert units.values == pytest.approx([2 / 3, 1 / 2, 0])
    assert units.rows.tolist() == [3, 2, 1]
    assert units.heaviest == 3


def test_a_heavy_entity_weighs_as_much_as_a_light_one() -> None:
    """A thousand bad rows of one entity among ten are a tenth."""
    entities = np.r_[np.zeros(1_000, int), np.arange(1, 10)]
    units = entity_units(entities, entities == 0)
    assert units.values.mean() == pytest.approx(0.1)
    assert units.heaviest == 1_000


def test_a_closed_unit_never_changes() -> None:
    """With ``closed_every``, the units of a longer stream begin with those of a shorter one."""
    rng = np.random.default_rng(1)
    entities, bad = rng.integers(0, 40, 1_000), rng.random(1_000) < 0.3
    earlier = entity_units(entities[:250], bad[:250], closed_every=50)
    later = entity_units(entities, bad, closed_every=50)
    assert later.values[: len(earlier.values)].tolist() == earlier.values.tolist()
    assert later.rows.sum() < len(bad)


def test_rows_after_the_last_look_wait() -> None:
    """A unit is closed at a look, so its rows are not used before."""
    units = entity_units(["a", "b", "c"], [True, True, True], closed_every=2)
    assert units.rows.tolist() == [1, 1]


def test_no_rows_are_no_units() -> None:
    """The heaviest of none has no rows."""
    assert entity_units([], []).heaviest == 0


def test_entities_and_rows_must_match() -> None:
    """A missing entity is an error, not another entity."""
    with pytest.raises(ValueError, match="one entity for each of 2 rows, got 1 entities"):
        entity_units(["a"], [True, False])
