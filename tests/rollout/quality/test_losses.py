from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, mean_squared_error

from gnomon.policy import Costs, Decision, Metric, Policy, QualityRules
from gnomon.rollout.quality.losses import RowLosses, largest_loss, row_losses
from gnomon.rollout.quality.question import UNKNOWN, Answers, Question, Truth, question
from tests.rollout.quality.rows import CLASSIFIER, REGRESSOR

LATE = np.array([0.9, 0.4, 0.2, 0.7, 0.001])
SHADOW = np.array([0.8, 0.6, 0.2, 0.1, 0.5])
IS_LATE = np.array([True, True, False, False, True])


def classifier(policy: Policy | None = None) -> Question:
    return question(CLASSIFIER, CLASSIFIER, policy or Policy())


def answers(late: np.ndarray, decided: np.ndarray | None = None) -> Answers:
    codes = np.where(late > 0.5, 0, 1) if decided is None else decided.astype(np.int64)
    return Answers(codes, np.column_stack([late, 1 - late]))


def losses(metric: Metric, asked: Question | None = None, known: int = 5) -> RowLosses:
    codes = np.where(IS_LATE, 0, 1)
    codes[known:] = UNKNOWN
    return row_losses(metric, asked or classifier(), answers(LATE), answers(SHADOW), Truth(codes))


def test_the_error_is_that_of_the_predicted_class() -> None:
    """1 where it is not the label."""
    found = losses("error")
    assert found.live.tolist() == [0, 1, 0, 1, 1]
    assert found.difference.tolist() == [0, -1, 0, -1, 0]


def test_brier_and_log_loss_are_those_of_scikit_learn() -> None:
    """With the probability of the label cut at the policy's least."""
    assert losses("brier").live.mean() == pytest.approx(brier_score_loss(IS_LATE, LATE))
    found = losses("log_loss")
    cut = np.maximum(LATE, 0.01)
    assert found.live.mean() == pytest.approx(log_loss(IS_LATE, cut))
    assert found.clipped == (1, 0)
    assert found.live.max() == largest_loss("log_loss", classifier()) == -math.log(0.01)


def test_costs_are_of_the_policys_decision() -> None:
    """A missed delay costs five times a false alarm."""
    rules = QualityRules(cost=Costs(false_positive=1, false_negative=5))
    decision = Decision(output="probability_late", threshold=0.3)
    asked = classifier(Policy(decision=decision, quality=rules))
    decided = [answers(side, side >= 0.3) for side in (LATE, SHADOW)]
    found = row_losses("cost", asked, *decided, Truth(np.where(IS_LATE, 0, 1)))
    assert found.live.tolist() == [0, 0, 0, 1, 5]
    assert found.shadow.tolist() == [0, 0, 0, 0, 0]
    assert largest_loss("cost", asked) == 5
    error = row_losses("error", asked, *decided, Truth(np.where(IS_LATE, 0, 1)))
    assert error.live.tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize("metric", ["error", "brier", "log_loss"])
def test_what_a_missing_label_might_change_is_known(metric: Metric) -> None:
    """Each row's difference is between its least and its most, whatever the label is."""
    as_late = row_losses(
        metric, classifier(), answers(LATE), answers(SHADOW), Truth(np.zeros(5, np.int64))
    )
    on_time = row_losses(
        metric, classifier(), answers(LATE), answers(SHADOW), Truth(np.ones(5, np.int64))
    )
    found = losses(metric, known=2)
    both = np.array([as_late.difference, on_time.difference])
    assert np.allclose(found.least, both.min(axis=0))
    assert np.allclose(found.most, both.max(axis=0))
    assert np.isnan(found.difference).tolist() == [False, False, True, True, True]
    assert found.least[2] == found.most[2] == 0  # The same answer: no label matters.


def test_errors_of_numbers_are_cut_at_the_bound() -> None:
    """And say how many were; inside the bound they are those of scikit-learn."""
    asked = question(REGRESSOR, REGRESSOR, Policy(), spread=10.0)
    label = np.array([1.0, 2.0, 3.0, np.nan])
    none = np.full(4, UNKNOWN)
    live = Answers(none, numbers=np.array([1.5, 2.0, 50.0, 1.0]))
    shadow = Answers(none, numbers=np.array([1.0, 4.0, 2.0, 3.0]))
    found = row_losses("squared_error", asked, live, shadow, Truth(none, label))
    assert found.live[:3].tolist() == [0.25, 0.0, 100.0]
    assert found.shadow[:3].mean() == pytest.approx(mean_squared_error(label[:3], [1, 4, 2]))
    assert (found.clipped, largest_loss("squared_error", asked)) == ((1, 0), 100.0)
    known = slice(0, 3)
    assert (found.least[known] <= found.difference[known]).all()
    assert (found.most[known] >= found.difference[known]).all()
    assert (found.least[3], found.most[3]) == (-40.0, 40.0)
    absolute = row_losses("absolute_error", asked, live, shadow, Truth(none, label))
    assert (absolute.live[2], absolute.most[3]) == (10.0, 2.0)


def test_an_answer_that_is_missing_has_no_loss() -> None:
    """Neither has the difference, with any label."""
    decided = np.array([0, UNKNOWN, 1, 1, 0])
    found = row_losses(
        "error", classifier(), answers(LATE, decided), answers(SHADOW),
        Truth(np.where(IS_LATE, 0, 1)),
    )  # fmt: skip
    assert np.isnan(found.difference).tolist() == [False, True, False, False, False]
    assert np.isnan(found.least).tolist() == [False, True, False, False, False]
