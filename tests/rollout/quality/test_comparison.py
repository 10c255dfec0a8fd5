from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from gnomon.compare.e_values import log_e_values
from gnomon.compare.mean_interval import split_between
from gnomon.rollout.quality.comparison import compare
from gnomon.rollout.quality.losses import RowLosses
from gnomon.rollout.quality.metric_comparison import MetricComparison
from gnomon.rollout.quality.pair_sums import PairSums


def compared(
    live: np.ndarray, shadow: np.ndarray, *, rows_each: int = 1, bound: float = 1.0, **more: object
) -> MetricComparison:
    sums = PairSums()
    units = pa.array([str(i // rows_each) for i in range(len(live))])
    ends = np.full(len(live), bound)
    sums.add(units, pa.array(np.arange(len(live))), {"cost": RowLosses(live, shadow, -ends, ends)})
    return compare("cost", bound, sums, 0.95, **more)  # type: ignore[arg-type]


def wrong(rate: float, rows: int, seed: int) -> np.ndarray:
    return (np.random.default_rng(seed).random(rows) < rate).astype(np.float64)


def test_a_better_shadow_is_seen_by_its_interval() -> None:
    """Of the mean difference, and of the share of the better among rows that differ."""
    found = compared(wrong(0.3, 4_000, 1), wrong(0.2, 4_000, 2))
    assert found.live == pytest.approx(0.3, abs=0.03)
    assert found.difference == pytest.approx(-0.1, abs=0.03)
    assert found.interval.low < -0.1 < found.interval.high < 0
    assert found.better_interval is not None
    assert found.better_interval.low > 0.5
    assert found.worst_case == pytest.approx(found.interval)


def test_rows_of_one_entity_count_once() -> None:
    """Twenty equal rows of each entity give the interval of one, and no share of rows."""
    live, shadow = wrong(0.3, 200, 1), wrong(0.2, 200, 2)
    once = compared(live, shadow)
    often = compared(np.repeat(live, 20), np.repeat(shadow, 20), rows_each=20)
    assert (often.rows, often.units, once.units) == (4_000, 200, 200)
    assert often.interval == pytest.approx(once.interval)
    assert often.better_interval is None


def test_missing_labels_widen_the_worst_case() -> None:
    """A tenth missing can move the mean by up to a tenth of the bound."""
    live, shadow = wrong(0.3, 4_000, 1), wrong(0.2, 4_000, 2)
    live[::10] = shadow[::10] = np.nan
    found = compared(live, shadow)
    assert (found.rows, found.missing) == (3_600, 400)
    assert found.worst_case is not None
    assert found.worst_case.low < found.interval.low - 0.05
    assert found.worst_case.high > found.interval.high + 0.05


def test_it_says_how_many_labels_decide() -> None:
    """Only while the limit is inside the interval; the estimate holds when they have come."""
    live, shadow = wrong(0.3, 500, 1), wrong(0.28, 500, 2)
    found = compared(live, shadow, limit=0.05)
    assert found.still_needed is not None
    assert found.interval.low < 0.05 < found.interval.high
    times = 1 + -(-found.still_needed // 500)
    later = compared(np.tile(live, times), np.tile(shadow, times), limit=0.05)
    assert later.interval.high <= 0.05
    assert later.still_needed is None
    assert compared(live, shadow).still_needed is None


def test_a_loss_is_on_the_scale_of_its_bound() -> None:
    """Costs of up to 5 give five times the interval."""
    live, shadow = wrong(0.3, 500, 1), wrong(0.2, 500, 2)
    once, fivefold = compared(live, shadow), compared(live * 5, shadow * 5, bound=5.0)
    assert fivefold.interval == pytest.approx([5 * end for end in once.interval])


def test_it_is_mcnemars_test() -> None:
    """Zero is excluded exactly when one half is, of the discordant pairs."""
    for better in range(20, 33, 3):
        found = compared(
            np.repeat([1.0, 0.0, 0.0], [better, 8, 300]),
            np.repeat([0.0, 1.0, 0.0], [better, 8, 300]),
        )
        assert found.better_interval is not None
        assert (found.interval.high < 0) == (found.better_interval.low > 0.5)
    assert found.interval.high < 0


@pytest.mark.parametrize("shape", ["beta_binomial", "heavy_tails", "rare"])
def test_the_intervals_keep_their_promise_at_every_look(shape: str) -> None:
    """Looked at 20 times in 200 runs, at most 5% of the runs ever miss the truth, which is 0."""
    rng = np.random.default_rng(7)
    knots = np.linspace(0, 1, 65)
    missed = np.zeros(200, bool)
    for run in range(200):
        if shape == "beta_binomial":
            rates = rng.beta(0.2, 1.8, 1_000)
            sizes = rng.zipf(1.7, 1_000).clip(max=500)
            values = (rng.binomial(sizes, rates) - rng.binomial(sizes, rates)) / sizes
        elif shape == "heavy_tails":
            values = np.clip(rng.standard_t(1.5, 1_000) / 20, -1, 1)
        else:
            values = rng.choice([-1.0, 0.0, 1.0], 1_000, p=[0.002, 0.996, 0.002])
        lower, part = split_between((values + 1) / 2, knots)
        weights = np.zeros((1_000, 65))
        weights[np.arange(1_000), lower] = 1 - part
        weights[np.arange(1_000), lower + 1] += part
        looks = weights.cumsum(axis=0)[49::50]
        missed[run] = (log_e_values(looks, knots, 0.5) >= -np.log(0.05)).any()
    assert missed.mean() <= 0.05
