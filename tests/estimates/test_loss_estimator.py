"""How far estimates are off by chance."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from gnomon.estimates.confidence_based import fit_confidence_based
from gnomon.estimates.loss_estimator import ReferenceRows, SamplingError, realised_losses
from gnomon.policy import Policy
from gnomon.rollout.quality.question import Answers, Truth, question
from tests.estimates.served import CLASSIFIER, Served, arrays, classified


def test_rows_of_one_entity_that_err_together_count_as_one() -> None:
    """Ten rows each that are all off in the same way: ten times the variance."""
    residuals = np.random.default_rng(1).normal(size=200)
    alone = SamplingError.of(residuals, np.arange(200))
    together = SamplingError.of(np.repeat(residuals, 10), np.repeat(np.arange(200), 10))
    assert together.spread == pytest.approx(alone.spread * np.sqrt(10))
    t = 1.972  # of 199 degrees of freedom
    assert alone.within(50, 0.95) == pytest.approx(t * alone.spread * np.sqrt(1 / 50 + 1 / 200),
                                                   rel=1e-3)  # fmt: skip


def test_other_rows_cluster_as_their_own_entities_do() -> None:
    """Not as the reference's: there each unit has ten rows that are off together."""
    residuals = np.repeat(np.random.default_rng(1).normal(size=200), 10)
    error = SamplingError.of(residuals, np.repeat(np.arange(200), 10))
    assert (error.units, error.likeness) == (200, 1.0)
    assert error.design_effect(20.0) == pytest.approx(20.0)
    assert error.within(400, 0.95, 1.0) < error.within(400, 0.95) < error.within(400, 0.95, 20.0)
    assert error.within(400, 0.95, 10.0) == pytest.approx(error.within(400, 0.95), rel=0.01)


def test_rows_of_one_entity_that_err_alone_count_each() -> None:
    """As a reference shows that has many of one; without any such, the worst is assumed."""
    residuals = np.random.default_rng(1).normal(size=4_000)
    assert SamplingError.of(residuals, np.repeat(np.arange(400), 10)).likeness < 0.05
    assert SamplingError.of(residuals, np.arange(4_000)).likeness == 1.0


def test_what_estimates_promise_too_much_is_their_bias() -> None:
    """It is not part of the spread."""
    error = SamplingError.of(np.full(10, 0.25), np.arange(10))
    assert (error.bias, error.spread) == (0.25, 0.0)


@pytest.mark.slow
def test_the_mean_loss_is_in_the_interval_as_often_as_it_says() -> None:
    """Of 200 classifiers, each with a reference of 1,000 rows and a chunk of 1,000."""
    asked = question(CLASSIFIER, CLASSIFIER, Policy())
    inside = []
    for seed in range(200):
        random = np.random.default_rng(seed)
        reference, later = classified(1_000, random), classified(1_000, random)
        answers, truth = sides(reference)
        rows = ReferenceRows(reference.inputs, answers, truth, np.arange(1_000))
        fitted = fit_confidence_based(asked, ("error", "brier", "log_loss"), rows)
        answers, truth = sides(later)
        estimated = fitted.estimator.losses(later.inputs, answers)
        for metric, losses in realised_losses(tuple(estimated), asked, answers, truth).items():
            error = fitted.errors[metric]
            apart = losses.mean() - estimated[metric].mean() - error.bias
            inside.append(abs(apart) <= error.within(1_000, 0.95))
    assert 0.92 <= np.mean(inside) <= 0.98


def sides(served: Served) -> tuple[Answers, Truth]:
    asked = question(CLASSIFIER, CLASSIFIER, Policy())
    return asked.answers(CLASSIFIER, arrays(served.outputs)), asked.truth(pa.array(served.labels))
