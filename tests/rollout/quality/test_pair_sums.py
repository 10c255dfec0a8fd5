from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from gnomon.rollout.quality import pair_sums
from gnomon.rollout.quality.losses import RowLosses
from gnomon.rollout.quality.pair_sums import PairSums

LIVE = np.array([1.0, 0.0, 0.0, 1.0, np.nan, np.nan])
SHADOW = np.array([0.0, 1.0, 0.0, 0.0, np.nan, np.nan])
LOSSES = RowLosses(LIVE, SHADOW, np.full(6, -1.0), np.full(6, 1.0), clipped=(2, 1))
UNITS = pa.array(["b", "b", "a", "a", "a", "c"])
TIMES = pa.array([5, 6, 1, 2, 3, 9])


def summed(*parts: slice, longest_burst: int | None = None) -> PairSums:
    sums = PairSums(longest_burst)
    for part in parts or (slice(None),):
        found = LOSSES.of(np.arange(6)[part])
        sums.add(UNITS[part], TIMES[part], {"error": found})
    return sums


def test_losses_are_averaged_by_unit() -> None:
    """Each unit has weight one; a unit without labels has no difference."""
    found = summed().of("error")
    assert (found.rows, found.missing) == (4, 2)
    assert (found.live, found.shadow, found.difference) == (0.5, 0.25, -0.25)
    assert found.units().tolist() == [-0.5, 0.0]  # a, then b: by the time of the first row


def test_missing_labels_are_taken_at_their_best_and_worst() -> None:
    """Only rows without a label: those that have one keep their difference."""
    found = summed().of("error")
    assert found.units("least") == pytest.approx([-2 / 3, 0.0, -1.0])
    assert found.units("most") == pytest.approx([0.0, 0.0, 1.0])


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entity's rows may come in any batches, in any order, and sums be merged meanwhile."""
    monkeypatch.setattr(pair_sums, "FOLD_ROWS", 1)
    found = summed(slice(3, None), slice(0, 1), slice(1, 3)).of("error")
    assert found.units("most").tolist() == summed().of("error").units("most").tolist()


def test_better_and_worse_rows_are_counted() -> None:
    """Of decisions these are the discordant pairs."""
    sums = PairSums()
    sums.add(UNITS, TIMES, {"error": LOSSES})
    assert (sums.better, sums.worse) == ({"error": 2}, {"error": 1})
    assert (sums.live_clipped, sums.shadow_clipped) == ({"error": 2}, {"error": 1})


def test_blocks_are_the_units_where_units_come_in_bursts() -> None:
    """As in the gates of shares."""
    sums = PairSums(longest_burst=10)
    live = np.tile([0.0, 1.0], 80)
    losses = RowLosses(live, 1 - live, live - 1, live + 1)
    units = pa.array([f"{i:04}" for i in range(160)])
    sums.add(units, pa.array(np.arange(160)), {"error": losses})
    assert sums.of("error").units().tolist() == [0.0] * 16


def test_no_rows_are_no_units() -> None:
    """Before the first row."""
    found = PairSums().of("error")
    assert (found.rows, found.missing, found.difference) == (0, 0, None)
    assert found.units().tolist() == []
