"""A bounded sample of a stream does not depend on its order."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from gnomon.bottom_k import BottomK

Rows = npt.NDArray[np.int64]


def sample(size: int) -> BottomK[Rows]:
    """Take a sample of whole numbers."""
    return BottomK(size, lambda rows, places: rows[places], np.concatenate)


def places(count: int) -> npt.NDArray[np.float64]:
    """A place for each row, the same in every test."""
    return np.random.default_rng(5).random(count)


@given(st.integers(1, 40), st.integers(1, 300), st.lists(st.integers(0, 300), max_size=5))
def test_the_smallest_places_stay_however_rows_are_cut(
    size: int, count: int, cuts: list[int]
) -> None:
    """They stay in order of place, from batches of any size, seen by one sample or by several
    merged.
    """
    where, rows = places(count), np.arange(count)
    edges = [0, *sorted(min(cut, count) for cut in cuts), count]
    whole, merged = sample(size), sample(size)
    for begin, end in itertools.pairwise(edges):
        whole.offer(where[begin:end], rows[begin:end])
        part = sample(size)
        part.offer(where[begin:end], rows[begin:end])
        merged.merge(part)
    expected = np.argsort(where)[:size].tolist()
    for found in (whole, merged):
        kept = found.kept()
        assert kept is not None
        assert kept.tolist() == expected
        assert found.seen == count


def test_nothing_is_kept_of_nothing() -> None:
    """The number of rows seen is zero."""
    empty = sample(3)
    assert (empty.kept(), empty.seen) == (None, 0)


def test_a_merged_sample_counts_all_that_was_seen() -> None:
    """It does not count only the rows that the other one kept."""
    one, other = sample(2), sample(2)
    one.offer(places(100), np.arange(100))
    other.offer(places(50), np.arange(50))
    one.merge(other)
    assert one.seen == 150
