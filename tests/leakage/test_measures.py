"""Measures and their intervals, against scikit-learn, SciPy and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, pearsonr
from sklearn.metrics import r2_score, roc_auc_score

from gnomon.leakage.measures import (
    area,
    area_of_cells,
    area_within,
    explained,
    explained_within,
    share_within,
)
from tests.leakage.data import RNG


@pytest.mark.parametrize(("hits", "rows"), [(0, 40), (1, 40), (20, 40), (40, 40), (3, 10_000)])
def test_shares_have_wilsons_interval(hits: int, rows: int) -> None:
    """SciPy's."""
    expected = binomtest(hits, rows).proportion_ci(method="wilson")
    assert share_within(hits, rows) == pytest.approx((expected.low, expected.high), abs=1e-9)


def test_no_rows_say_nothing() -> None:
    """Anything may be true."""
    assert share_within(0, 0) == (0.0, 1.0)
    assert explained_within(0.9, 3) == (0.0, 1.0)


@pytest.mark.parametrize("digits", [0, 1, 9])
def test_an_auc_is_scikit_learns(digits: int) -> None:
    """They are equal with ties and without, counted row by row and by score."""
    positive = RNG.random(300) < 0.3
    scores = (positive + RNG.normal(size=300)).round(digits)
    expected = roc_auc_score(positive, scores)
    assert area(positive, scores).value == pytest.approx(expected)
    counted = area_of_cells(scores, positive.astype(float), (~positive).astype(float))
    assert counted == pytest.approx(expected)


def test_r2_is_scikit_learns() -> None:
    """Below zero too."""
    truth = RNG.normal(size=200)
    for predicted in (truth + RNG.normal(size=200) / 2, -truth):
        assert explained(truth, predicted).value == pytest.approx(r2_score(truth, predicted))


def test_intervals_of_measured_scores_cover_the_truth() -> None:
    """Drawn again and again, the true AUC and R2 are inside about as often as promised."""
    inside = {"AUC": 0, "R2": 0}
    for _ in range(400):
        positive = RNG.random(400) < 0.3
        found = area(positive, positive * 1.0 + RNG.normal(size=400)).estimate()
        inside["AUC"] += found.low <= 0.7602 <= found.high
        truth = RNG.normal(size=400)
        found = explained(truth + RNG.normal(size=400), truth).estimate()
        inside["R2"] += found.low <= 0.5 <= found.high
    assert all(364 <= count <= 396 for count in inside.values()), inside


def test_the_interval_of_an_auc_by_class_sizes_is_wider() -> None:
    """It bounds the variance for any distributions, and is not empty at 1."""
    positive = np.arange(400) < 120
    scores = positive + RNG.normal(size=400)
    found = area(positive, scores).estimate()
    low, high = area_within(found.value, 120, 280)
    assert low < found.low
    assert high > found.high
    assert area_within(1.0, 50, 100)[0] == pytest.approx(50 / (50 + 1.959964**2))


def test_the_interval_of_r2_is_that_of_the_correlation() -> None:
    """SciPy's, squared; a perfect fit is a point, and no fit is zero."""
    left = RNG.normal(size=100)
    right = left + RNG.normal(size=100) / 2
    expected = pearsonr(left, right).confidence_interval()
    value = np.corrcoef(left, right)[0, 1] ** 2
    assert explained_within(value, 100) == pytest.approx((expected.low**2, expected.high**2))
    assert explained_within(1.0, 100) == (1.0, 1.0)
    assert explained_within(-0.5, 100) == (0.0, 0.0)
