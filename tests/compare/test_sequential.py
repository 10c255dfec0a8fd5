import math

import numpy as np
import pytest
import ville

from gnomon.compare.sequential import median_ranks, rate_interval

CONFIDENCE = 0.8


def misses_ever(rate: float, rows: int, seed: int, interval: object) -> bool:
    """Whether one sequence of rows ever has the true rate outside the interval.

    The low end rises only on a hit and the high end falls only on a miss, so looking right before
    and right after each hit, and at the end, is looking after every row.
    """
    hits = np.flatnonzero(np.random.default_rng(seed).random(rows) < rate)
    looks = [(n, at) for n, at in enumerate(hits.tolist()) if at]
    looks += [(n + 1, at + 1) for n, at in enumerate(hits.tolist())]
    looks.append((len(hits), rows))
    for count, seen in looks:
        low, high = interval(count, seen)  # type: ignore[operator]
        if not low <= rate <= high:
            return True
    return False


def fixed(hits: int, rows: int) -> tuple[float, float]:
    """The textbook interval for one look (Wilson's), at the same confidence."""
    z, share = 1.2816, hits / rows
    centre = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = (
        z * math.sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    )
    return centre - half, centre + half


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.3])
def test_looking_after_every_row_keeps_the_error(rate: float) -> None:
    """Over many sequences the true rate is ever missed by at most the stated share of them."""
    rows, runs = (2_000, 200) if rate < 0.1 else (200, 150)
    missed = sum(
        misses_ever(rate, rows, seed, lambda h, n: rate_interval(h, n, CONFIDENCE))
        for seed in range(runs)
    )
    assert missed / runs <= 1 - CONFIDENCE


def test_an_interval_for_one_look_does_not() -> None:
    """The same test fails for the textbook interval, so it tests something."""
    missed = sum(misses_ever(0.3, 300, seed, fixed) for seed in range(100))
    assert missed / 100 > 2 * (1 - CONFIDENCE)


def test_the_interval_is_where_the_mixture_says() -> None:
    """At its ends the martingale, computed by numbers here, has just reached 1 / (1 - 0.95)."""
    hits, rows = 7, 50
    grid = (np.arange(200_000) + 0.5) / 200_000
    prior = 1 / (np.pi * np.sqrt(grid * (1 - grid)))
    mixed = np.mean(prior * grid**hits * (1 - grid) ** (rows - hits))
    for end in rate_interval(hits, rows, 0.95):
        assert mixed / (end**hits * (1 - end) ** (rows - hits)) == pytest.approx(20, rel=1e-3)


def test_it_narrows_with_rows_and_widens_with_confidence() -> None:
    """More evidence says more; more certainty says less."""
    widths = [high - low for low, high in (rate_interval(n // 20, n, 0.95) for n in (100, 10_000))]
    assert widths[1] < widths[0] / 5
    sure, unsure = rate_interval(50, 1_000, 0.99), rate_interval(50, 1_000, 0.9)
    assert sure.low < unsure.low < 0.05 < unsure.high < sure.high


@pytest.mark.parametrize("rows", [0, 1, 10, 1_000_000, 10**9])
def test_the_ends_are_exact_where_all_rows_are_alike(rows: int) -> None:
    """No hits: from 0. Only hits: to 1. Nothing seen: from 0 to 1."""
    none, every = rate_interval(0, rows, 0.95), rate_interval(rows, rows, 0.95)
    assert none.low == 0.0
    assert every.high == 1.0
    assert none.high == pytest.approx(1 - every.low)
    assert (none.high == 1.0) == (rows == 0)


def test_another_package_gives_the_same_interval() -> None:
    """`ville` computes the beta-binomial confidence sequence of a rate by itself."""
    rows = (np.random.default_rng(1).random(2_000) < 0.07).astype(float)
    sequence = ville.BernoulliCS(alpha=0.05, prior=(0.5, 0.5), intersect=False).fit(rows)
    for looked in (1, 10, 100, 1_999):
        low, high = rate_interval(int(rows[: looked + 1].sum()), looked + 1, 0.95)
        assert low == pytest.approx(sequence.lower_[looked], abs=1e-6)
        assert high == pytest.approx(sequence.upper_[looked], abs=1e-6)


def test_the_median_is_between_its_ranks_at_every_look() -> None:
    """For any distribution: that of the shares of draws at or below the median."""
    random, missed = np.random.default_rng(3), 0
    ranks = {n: median_ranks(n, CONFIDENCE) for n in range(1, 1_001)}
    for _ in range(200):
        below = np.cumsum(random.random(1_000) < 0.5)
        shares = [(count / n, ranks[n]) for n, count in enumerate(below.tolist(), 1)]
        missed += any(r is not None and not r.low <= share <= r.high for share, r in shares)
    assert 0 < missed <= 40


def test_the_ranks_are_those_that_the_rate_does_not_tell_from_a_half() -> None:
    """The interval of a rate at its low rank just holds 1/2."""
    ranks = median_ranks(400, CONFIDENCE)
    assert ranks is not None
    hits = math.floor(ranks.low * 400)
    assert rate_interval(hits, 400, CONFIDENCE).high < 0.5
    assert rate_interval(hits + 1, 400, CONFIDENCE).high > 0.5
    assert ranks.high == 1 - ranks.low
