"""What estimates the loss of each row without its label, and how far such estimates are off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import ndtri

from gnomon.estimates.quality_estimate import Method
from gnomon.policy import Metric
from gnomon.rollout.quality.losses import row_losses
from gnomon.rollout.quality.question import Answers, Question, Truth

__all__ = ["FittedEstimator", "LossEstimator", "ReferenceRows", "SamplingError", "realised_losses"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Losses = Mapping[Metric, Floats]


@dataclass(frozen=True, slots=True)
class ReferenceRows:
    """Labelled rows to learn from.

    Attributes:
        inputs: the features by name.
        answers: what the artifact answered.
        truth: the labels.
        units: shape (n,): the unit of evidence of each row, as a number.
    """

    inputs: pa.Table
    answers: Answers
    truth: Truth
    units: Codes


class LossEstimator(Protocol):
    """Estimates losses."""

    def losses(self, inputs: pa.Table, answers: Answers) -> Losses:
        """Return the expected loss of each row by metric; NaN where there is no answer."""
        ...

    def beyond(self, answers: Answers) -> npt.NDArray[np.bool_]:
        """Return which answers are outside of the range of the reference's."""
        ...


@dataclass(frozen=True, slots=True)
class SamplingError:
    """How far the mean loss of rows is from its estimate.

    Attributes:
        bias: by how much it is larger in the mean. Curves and trees follow the noise of the rows
            they were fitted on, and so promise too much; this is added to every estimate.
        spread: the standard deviation around that, of the mean of one row.
        reference: how many rows the estimator was fitted on.
    """

    bias: float
    spread: float
    reference: int

    @classmethod
    def of(cls, residuals: Floats, units: Codes) -> SamplingError:
        """Measure it on reference rows, each estimated without its own unit.

        The residuals of one unit are summed first, because they may go the same way together
        (Liang and Zeger, Biometrika 73, 1986).

        Args:
            residuals: shape (n,): realised less estimated losses.
            units: shape (n,): the unit of each.
        """
        bias = float(residuals.mean())
        sums = np.bincount(np.unique(units, return_inverse=True)[1], residuals - bias)
        spread = math.sqrt(float((sums**2).sum()) / len(residuals))
        return cls(bias, spread, len(residuals))

    def within(self, rows: int, confidence: float) -> float:
        """Return how far the mean of some rows is from its estimate at most.

        It is normal in the limit, with the variance of the mean of the rows and that of the
        estimator, which rests on rows too.
        """
        deviation = self.spread * math.sqrt(1 / rows + 1 / self.reference)
        return float(ndtri((1 + confidence) / 2)) * deviation


@dataclass(frozen=True, slots=True)
class FittedEstimator:
    """An estimator with what it does on its reference.

    Attributes:
        method: its name.
        estimator: estimates the losses of other rows.
        errors: the sampling error of each metric.
        realised: the mean loss on the reference by metric.
        calibrated: whether probabilities are corrected; None where none are used.
    """

    method: Method
    estimator: LossEstimator
    errors: Mapping[Metric, SamplingError]
    realised: Mapping[Metric, float]
    calibrated: bool | None = None

    @classmethod
    def of(
        cls,
        method: Method,
        estimator: LossEstimator,
        rows: ReferenceRows,
        estimated: Losses,
        realised: Losses,
        calibrated: bool | None = None,
    ) -> FittedEstimator:
        """Compare what was estimated of the reference, out of fold, with what came."""
        errors, means = {}, {}
        for metric, losses in realised.items():
            residuals = losses - estimated[metric]
            known = ~np.isnan(residuals)
            errors[metric] = SamplingError.of(residuals[known], rows.units[known])
            means[metric] = float(losses[known].mean())
        return cls(method, estimator, errors, means, calibrated)


def realised_losses(
    metrics: tuple[Metric, ...], asked: Question, answers: Answers, truth: Truth
) -> dict[Metric, Floats]:
    """Return the loss of each row by metric; NaN without a label or an answer."""
    return {metric: row_losses(metric, asked, answers, answers, truth).live for metric in metrics}
