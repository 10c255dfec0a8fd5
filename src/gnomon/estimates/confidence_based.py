"""Confidence-based performance estimation (CBPE): the loss that the probabilities expect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.estimates.calibration import Calibration, calibrate_out_of_fold
from gnomon.estimates.loss_estimator import FittedEstimator, Losses, ReferenceRows, realised_losses
from gnomon.policy import Metric
from gnomon.rollout.quality.losses import losses_by_label
from gnomon.rollout.quality.question import Answers, Question

__all__ = ["ConfidenceBased", "fit_confidence_based"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ConfidenceBased:
    """Expects each label with its probability.

    Attributes:
        asked: what is answered.
        metrics: the losses.
        correct: returns corrected probabilities.
        low: shape (classes,): the least probability of each class in the reference.
        high: the greatest.
    """

    asked: Question
    metrics: tuple[Metric, ...]
    correct: Callable[[Floats], Floats]
    low: Floats
    high: Floats

    def losses(self, inputs: pa.Table, answers: Answers) -> Losses:
        """See :class:`~gnomon.estimates.loss_estimator.LossEstimator`; inputs do not matter."""
        return _expected(self.asked, self.metrics, answers, self.correct(_given(answers)))

    def beyond(self, answers: Answers) -> npt.NDArray[np.bool_]:
        """See :class:`~gnomon.estimates.loss_estimator.LossEstimator`."""
        given = _given(answers)
        return np.asarray(((given < self.low) | (given > self.high)).any(axis=1))


def fit_confidence_based(
    asked: Question, metrics: tuple[Metric, ...], rows: ReferenceRows
) -> FittedEstimator:
    """Fit on rows that all have a label and probabilities.

    Probabilities are corrected by isotonic regression if that lowers the Brier score out of fold;
    on a model that is calibrated already it would only add noise.
    """
    given, codes = _given(rows.answers), rows.truth.codes
    corrected = calibrate_out_of_fold(given, codes, rows.units)
    calibrated = _brier(corrected, codes) < _brier(given, codes)
    estimator = ConfidenceBased(
        asked,
        metrics,
        Calibration.fit(given, codes) if calibrated else _as_given,
        given.min(axis=0),
        given.max(axis=0),
    )
    estimated = _expected(asked, metrics, rows.answers, corrected if calibrated else given)
    realised = realised_losses(metrics, asked, rows.answers, rows.truth)
    return FittedEstimator.of("CBPE", estimator, rows, estimated, realised, calibrated)


def _given(answers: Answers) -> Floats:
    if answers.probabilities is None:
        raise ValueError("expected probabilities")
    return answers.probabilities


def _as_given(probabilities: Floats) -> Floats:
    return probabilities


def _expected(
    asked: Question, metrics: tuple[Metric, ...], answers: Answers, probabilities: Floats
) -> dict[Metric, Floats]:
    """Return the mean of each row's loss over its possible labels."""
    return {
        metric: np.asarray((probabilities * losses_by_label(metric, asked, answers)).sum(axis=1))
        for metric in metrics
    }


def _brier(probabilities: Floats, codes: npt.NDArray[np.int64]) -> float:
    labels = np.eye(probabilities.shape[1])[codes]
    return float(((probabilities - labels) ** 2).sum(axis=1).mean())
