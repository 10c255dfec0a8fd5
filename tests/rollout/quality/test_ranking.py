from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gnomon.rollout.quality.ranking import paired_auc


def scores(rows: int, seed: int, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    positive = rng.random(rows) < 0.3
    common = rng.normal(size=rows) + positive
    return positive, common + noise * rng.normal(size=rows), common.round(1)


def test_the_areas_are_those_of_scikit_learn() -> None:
    """Ties count half."""
    positive, live, shadow = scores(300, 1)
    found = paired_auc(live, shadow, positive, np.arange(300))
    assert found is not None
    assert found.live == pytest.approx(roc_auc_score(positive, live))
    assert found.shadow == pytest.approx(roc_auc_score(positive, shadow))
    assert (found.positives, found.negatives) == (positive.sum(), (~positive).sum())


def test_the_variance_is_that_of_delong() -> None:
    """With one row per unit: the sum of both variances of the components' differences. DeLong
    divides by n - 1 of each kind.
    """
    positive, live, shadow = scores(200, 2)
    found = paired_auc(live, shadow, positive, np.arange(200), 0.95)
    assert found is not None
    yes, no = positive, ~positive

    def kernel(values: np.ndarray) -> np.ndarray:
        above = values[yes][:, None] - values[no][None, :]
        return np.where(above > 0, 1.0, np.where(above == 0, 0.5, 0.0))

    apart = kernel(shadow) - kernel(live)
    variance = (
        apart.mean(axis=1).var(ddof=1) / yes.sum() + apart.mean(axis=0).var(ddof=1) / no.sum()
    )
    width = found.interval.high - found.interval.low
    assert width == pytest.approx(2 * 1.959964 * np.sqrt(variance), rel=0.01)
    assert found.difference == pytest.approx(apart.mean())


def test_rows_that_repeat_each_other_are_little_evidence() -> None:
    """Each row ten times over: the areas stay, and so does the interval, by unit."""
    positive, live, shadow = scores(100, 3)
    once = paired_auc(live, shadow, positive, np.arange(100))
    tenfold = paired_auc(*(np.repeat(x, 10) for x in (live, shadow, positive, np.arange(100))))
    assert once is not None
    assert tenfold is not None
    assert tenfold.difference == pytest.approx(once.difference)
    assert tuple(tenfold.interval) == pytest.approx(tuple(once.interval))


def test_one_unit_of_a_kind_has_no_interval() -> None:
    """Nor has one class alone an area."""
    assert paired_auc([0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0, 0, 1], [0, 1, 2]) is None
    assert paired_auc([0.1, 0.2], [0.1, 0.2], [0, 0], [0, 1]) is None
