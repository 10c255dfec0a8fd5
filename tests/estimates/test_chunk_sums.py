"""Losses added up by time."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pytest

from gnomon.estimates.chunk_sums import ChunkSums, LossSums
from gnomon.offline.entity_slots import EntitySlots

DAY = 86_400.0


def add(sums: ChunkSums, times: list[float], realised: list[float]) -> None:
    """Add rows whose loss is estimated as 0.5."""
    size = len(times)
    sums.add(
        np.array(times), {"error": np.full(size, 0.5)}, {"error": np.array(realised)},
        np.arange(size) == 0,
    )  # fmt: skip


def test_rows_without_a_label_are_estimated_and_not_realised() -> None:
    """And a row without an answer is neither."""
    sums = ChunkSums(("error",), timedelta(hours=20))
    add(sums, [0.0, 10.0, DAY], [1.0, np.nan, 0.0])
    sums.add(np.array([DAY]), {"error": np.array([np.nan])}, {"error": np.array([1.0])},
             np.array([False]))  # fmt: skip
    assert (sums.settle(), sums.buckets) == (86_400, [0, 1])
    assert sums.metric(0, "error") == LossSums(2, 1.0, 1, 0.5, 1.0)
    assert sums.metric(1, "error") == LossSums(1, 0.5, 1, 0.5, 0.0)
    assert [sums.rows(chunk) for chunk in (0, 1)] == [2, 2]
    assert [sums.beyond(chunk) for chunk in (0, 1)] == [0.5, 0.0]


def test_chunks_are_few_and_have_rows() -> None:
    """2,000 rows of two days make at most four chunks, 100,000 at most 24."""
    for rows, most in ((2_000, 4), (100_000, 24)):
        sums = ChunkSums(("error",))
        add(sums, np.linspace(0, 2 * DAY - 1, rows).tolist(), [0.0] * rows)
        sums.settle()
        assert 1 < len(sums.buckets) <= most
        assert sum(sums.rows(chunk) for chunk in range(len(sums.buckets))) == rows


def test_entities_are_counted_by_chunk() -> None:
    """100 of ten rows each on the first day, of which a tenth has labels, and none on the next."""
    sums, size = ChunkSums(("error",), timedelta(hours=20)), 1_000
    owners = np.append(np.arange(size) % 100, 1_000 + np.arange(size)).astype(str)
    realised = np.where(np.arange(2 * size) < 100, 1.0, np.nan)
    sums.add(
        np.repeat([0.0, DAY], size), {"error": np.full(2 * size, 0.5)}, {"error": realised},
        np.zeros(2 * size, bool), EntitySlots.of(pa.array(owners)),
    )  # fmt: skip
    sums.settle()
    assert sums.repeats(0) == pytest.approx(10, rel=0.3)
    assert sums.repeats(1) == pytest.approx(1, abs=0.3)
    assert sums.labelled_repeats(0, 100) == pytest.approx(1, abs=0.5)


def test_without_entities_nothing_is_known_of_them() -> None:
    sums = ChunkSums(("error",), timedelta(hours=20))
    add(sums, [0.0, 10.0], [1.0, np.nan])
    assert (sums.repeats(0), sums.labelled_repeats(0, 1)) == (None, None)
