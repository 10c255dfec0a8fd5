from __future__ import annotations

import numpy as np
import pytest

from gnomon.compare.block_length import (
    LONGEST_BURST,
    block_length,
    block_lengths,
    block_values,
    merged_blocks,
)


def bursts(length: int, rows: int, rate: float, seed: int) -> np.ndarray:
    """Draw rows that are bad in bursts of one length, with exponential gaps."""
    rng = np.random.default_rng(seed)
    gaps = rng.exponential(length * (1 / rate - 1), rows).astype(int)
    starts = np.cumsum(gaps + length) - length
    bad = np.zeros(rows + length, bool)
    for start in starts[starts < rows]:
        bad[start : start + length] = True
    return bad[:rows]


@pytest.mark.parametrize("length", [50, 200, 1_000])
def test_blocks_are_longer_than_bursts_that_were_seen(length: int) -> None:
    """Where there are many bursts, the length that was found is above theirs."""
    bad = bursts(length, 400 * length, rate=0.1, seed=1)
    assert length < block_length(bad, shortest=10) <= 32 * length


@pytest.mark.parametrize("alike", [2, 4, 16])
def test_blocks_have_twice_the_length_at_which_nothing_is_seen(alike: int) -> None:
    """Groups of neighbours that are equal, and independent of the next: a correlation that cannot
    be seen is not zero.
    """
    values = np.repeat(np.random.default_rng(5).random(1_000), alike)
    assert block_lengths(values[np.newaxis]).tolist() == [2 * alike]


def test_independent_rows_need_no_longer_blocks() -> None:
    """The length stays the shortest in nearly all streams of independent rows."""
    rng = np.random.default_rng(2)
    found = [block_length(rng.random(20_000) < 0.05, shortest=50) for _ in range(100)]
    assert found.count(50) >= 90


@pytest.mark.parametrize("bad", [[], [False] * 100_000, [True] * 100_000, [True] * 100])
def test_rows_that_are_all_alike_say_nothing_of_bursts(bad: list[bool]) -> None:
    """The length is then the longest burst to be survived."""
    assert block_length(bad) == LONGEST_BURST


def test_many_streams_at_once_give_what_each_gives_alone() -> None:
    """The length of a stream does not depend on the others."""
    streams = [bursts(length, 20_000, 0.1, seed=3) for length in (5, 50, 500)]
    together = block_lengths(np.stack([block_values(bad, 20) for bad in streams]))
    assert (20 * together).tolist() == [block_length(bad, shortest=20) for bad in streams]
    assert len(set(together.tolist())) == 3


def test_merged_blocks_are_the_blocks_of_that_length() -> None:
    """Merging the shares of short blocks gives those of long ones, without the last rows."""
    bad = np.random.default_rng(4).random(1_037) < 0.5
    merged = merged_blocks(block_values(bad, 10), 5)
    assert merged == pytest.approx(block_values(bad, 50))
    assert len(merged) == 20


def test_few_blocks_are_not_used() -> None:
    """One burst in the first two blocks must not decide alone."""
    bad = [True] * 1_000 + [False] * 2_999
    assert len(block_values(bad, 500)) == 0
    assert len(block_values([*bad, False], 500)) == 8
