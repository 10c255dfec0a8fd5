"""The number of rows of a batch follows from the time that batches took."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from gnomon.service.lane import batch_size
from gnomon.service.lane.batch_size import FORGOTTEN_SECONDS, BatchSize

MOST = 2048


class Clock:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        """What it shows, in seconds."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock that sizes are measured by."""
    fake_clock = Clock()
    monkeypatch.setattr(batch_size, "time", fake_clock)
    return fake_clock


def served(
    size: BatchSize, clock: Clock, waiting: Callable[[], int], cost: Callable[[int], float]
) -> list[int]:
    """The sizes of batches for twenty seconds; ``cost`` is in milliseconds."""
    sizes: list[int] = []
    until = clock.now + 2 * FORGOTTEN_SECONDS
    while clock.now < until:
        rows = min(waiting(), size.rows)
        milliseconds = cost(rows)
        clock.now += milliseconds / 1e3
        size.took(rows, int(milliseconds * 1e3))
        sizes.append(rows)
    return sizes


@pytest.mark.parametrize(
    ("call", "row", "rows"),
    [
        pytest.param(2, 0.002, range(MOST, MOST + 1), id="fast"),
        pytest.param(1, 1, range(20, 26), id="slow rows"),
        pytest.param(0.5, 50, range(1, 3), id="very slow rows"),
        pytest.param(60, 0.001, range(MOST, MOST + 1), id="slow call"),
        pytest.param(20, 1, range(60, 81), id="slow call and rows"),
    ],
)
def test_a_batch_takes_about_as_long_as_it_may(
    call: float, row: float, rows: range, clock: Clock
) -> None:
    """25 ms where rows are the cost; where calls are, at least four fifths go to rows.

    The first batch has sixteen rows.
    """
    size = BatchSize(MOST, 0.025)
    sizes = served(size, clock, lambda: 10_000, lambda n: call + row * n)
    assert sizes[0] == 16
    settled = sorted(sizes)
    assert settled[len(sizes) // 2] in rows
    assert max(sizes) <= rows.stop or sizes.index(max(sizes)) == 0


def test_the_batch_size_grows_slowly_after_single_rows(clock: Clock) -> None:
    """A server that was asked single rows for a while begins with few rows of a large request."""
    size = BatchSize(MOST, 0.025)
    served(size, clock, lambda: 1, lambda n: 1 + n)
    assert size.rows <= 25


def test_a_machine_that_stalls_is_not_taken_for_slow_rows(clock: Clock) -> None:
    """One batch in twenty takes a tenth of a second longer: most batches keep the largest size."""
    dice = random.Random(1)
    size = BatchSize(MOST, 0.025)
    sizes = served(
        size,
        clock,
        lambda: 10_000,
        lambda n: 2 + 0.002 * n + (100 if dice.random() < 0.05 else 0),
    )
    assert sizes.count(MOST) > 0.9 * len(sizes)


@pytest.mark.parametrize("cold", [1, 2])
def test_a_worker_that_was_idle_is_not_taken_for_slow_rows(clock: Clock, cold: int) -> None:
    """Its first batches take longer: a large request that comes then is not scored row by row,
    or it would miss its deadline.
    """
    size = BatchSize(MOST, 0.025)
    size.took(1, 6_436)
    clock.now += 4.6
    left = iter([50.0] * cold)
    sizes = served(size, clock, lambda: 10_000, lambda n: 3.5 + 0.005 * n + next(left, 0.0))
    assert sum(sizes[:20]) > 10_000


def test_the_adaptive_batch_size_can_be_turned_off() -> None:
    """With 0 seconds a batch has as many rows as are waiting, up to the most."""
    size = BatchSize(MOST, 0)
    size.took(MOST, 10_000_000)
    assert size.rows == MOST


def test_a_batch_that_killed_its_worker_does_not_change_the_batch_size(clock: Clock) -> None:
    """A batch that only killed its worker was not measured."""
    size = BatchSize(MOST, 0.025)
    size.took(16, 0)
    assert size.rows == 16
