"""Direct loss estimation (DLE): a second model that predicts the loss of each row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import GroupKFold, cross_val_predict
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from gnomon.contract import Contract
from gnomon.estimates.calibration import FOLDS
from gnomon.estimates.feature_matrix import FeatureMatrix
from gnomon.estimates.loss_estimator import FittedEstimator, Losses, ReferenceRows, realised_losses
from gnomon.policy import Metric
from gnomon.rollout.quality.losses import largest_loss
from gnomon.rollout.quality.question import Answers, Question

__all__ = ["DirectLoss", "fit_direct_loss"]

Floats = npt.NDArray[np.float64]

_SEED = 0


@dataclass(frozen=True, slots=True)
class DirectLoss:
    """Predicts losses from the features and the answer.

    Attributes:
        matrix: reads the features.
        models: by metric.
        bounds: the largest loss by metric.
        low: the least number that was answered in the reference; NaN without numbers.
        high: the greatest.
    """

    matrix: FeatureMatrix
    models: Mapping[Metric, Any]
    bounds: Mapping[Metric, float]
    low: float
    high: float

    def losses(self, inputs: pa.Table, answers: Answers) -> Losses:
        """See :class:`~gnomon.estimates.loss_estimator.LossEstimator`."""
        given = self.matrix.of(inputs, answers)
        missing = np.isnan(_answer(answers))
        found = {}
        with threadpool_limits(1):
            for metric, model in self.models.items():
                losses = np.clip(model.predict(given), 0.0, self.bounds[metric])
                found[metric] = np.where(missing, np.nan, losses)
        return found

    def beyond(self, answers: Answers) -> npt.NDArray[np.bool_]:
        """See :class:`~gnomon.estimates.loss_estimator.LossEstimator`."""
        given = _answer(answers)
        return np.asarray((given < self.low) | (given > self.high))


def fit_direct_loss(
    asked: Question, metrics: tuple[Metric, ...], contract: Contract, rows: ReferenceRows
) -> FittedEstimator:
    """Fit one gradient boosting a metric on rows that all have a label and an answer."""
    realised = realised_losses(metrics, asked, rows.answers, rows.truth)
    matrix = FeatureMatrix.fit(contract, rows.inputs)
    given = matrix.of(rows.inputs, rows.answers)
    plain = HistGradientBoostingRegressor(
        categorical_features=matrix.categorical(given.shape[1]),
        early_stopping=True,  # Losses are noisy: on few rows a hundred trees only follow noise.
        random_state=_SEED,
    )
    bounds = {metric: largest_loss(metric, asked) for metric in metrics}
    models, estimated = {}, {}
    with threadpool_limits(1):  # Boosting on all cores would take them from serving.
        for metric, losses in realised.items():
            found = cross_val_predict(
                clone(plain), given, losses, cv=GroupKFold(FOLDS), groups=rows.units
            )
            estimated[metric] = np.clip(found, 0.0, bounds[metric])
            models[metric] = clone(plain).fit(given, losses)
    answers = _answer(rows.answers)
    estimator = DirectLoss(matrix, models, bounds, float(answers.min()), float(answers.max()))
    return FittedEstimator.of("DLE", estimator, rows, estimated, realised)


def _answer(answers: Answers) -> Floats:
    """Return the number that was answered; of a class its place, NaN without one."""
    if answers.numbers is not None:
        return answers.numbers
    return np.where(answers.decided < 0, np.nan, answers.decided.astype(np.float64))
