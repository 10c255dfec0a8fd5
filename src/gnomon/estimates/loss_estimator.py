"""What estimates the loss of each row without its label, and how far such estimates are off."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import stdtrit

from gnomon.estimates.quality_estimate import Method
from gnomon.policy import Metric
from gnomon.rollout.quality.losses import row_losses
from gnomon.rollout.quality.question import Answers, Question, Truth

__all__ = ["FittedEstimator", "LossEstimator", "ReferenceRows", "SamplingError", "realised_losses"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Losses = Mapping[Metric, Floats]

_SURE = 2.0
"""Standard errors by which the likeness of rows is taken higher than measured."""


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
        units: of how many units they are.
        row_spread: the standard deviation of one row, as if each had a unit of its own.
        likeness: the intraclass correlation of rows of one unit, two standard errors above what was
            measured; 1 where no unit has two rows.
    """

    bias: float
    spread: float
    reference: int
    units: int
    row_spread: float
    likeness: float

    @classmethod
    def of(cls, residuals: Floats, units: Codes) -> SamplingError:
        """Measure it on reference rows, each estimated without its own unit.

        The residuals of one unit are summed first, because they may go the same way together
        (Liang and Zeger, Biometrika 73, 1986; times ``units / (units - 1)``, because their mean is
        taken off).

        Args:
            residuals: shape (n,): realised less estimated losses.
            units: shape (n,): the unit of each.
        """
        bias, size = float(residuals.mean()), len(residuals)
        off, unit_of_row = residuals - bias, np.unique(units, return_inverse=True)[1]
        sums: Floats = np.bincount(unit_of_row, off).astype(np.float64)
        squares: Floats = np.bincount(unit_of_row, off**2).astype(np.float64)
        row_variance, rows = float(squares.sum()) / size, np.bincount(unit_of_row)
        pairs, products = rows**2 - rows, sums**2 - squares
        many = len(rows) / max(len(rows) - 1, 1)
        return cls(
            bias,
            math.sqrt(float((sums**2).sum()) / size * many),
            size,
            len(rows),
            math.sqrt(row_variance),
            _likeness(products, pairs, row_variance),
        )

    def design_effect(self, repeats: float) -> float:
        """Return by how much rows outnumber the independent rows that say as much.

        Args:
            repeats: of how many rows a row's entity is, in the mean over rows; see
                :func:`~gnomon.offline.entity_slots.repeats`.
        """
        return 1.0 + (repeats - 1.0) * self.likeness

    def within(self, rows: int, confidence: float, repeats: float | None = None) -> float:
        """Return how far the mean of some rows is from its estimate at most.

        The variance is that of the mean of the rows and that of the estimator, which rests on rows
        too. The quantile is that of Student's t for the units of the reference, from which both are
        measured.

        Args:
            rows: how many rows.
            confidence: of the interval.
            repeats: as in :meth:`design_effect`; None where entities are not known: then they
                repeat as the units of the reference do.
        """
        if repeats is None:
            of_rows = self.spread**2
        else:
            of_rows = self.row_spread**2 * self.design_effect(repeats)
        deviation = math.sqrt(of_rows / rows + self.spread**2 / self.reference)
        return float(stdtrit(max(self.units - 1, 1), (1 + confidence) / 2)) * deviation


def _likeness(products: Floats, pairs: Codes, variance: float) -> float:
    """Return the correlation of residuals within units, two standard errors higher.

    Args:
        products: of each unit, the sum of products of the residuals of two of its rows.
        pairs: how many products that are.
        variance: of a residual.
    """
    of_all = float(pairs.sum())
    if not of_all or not variance:
        return 1.0
    found = float(products.sum()) / of_all
    error = math.sqrt(float(((products - found * pairs) ** 2).sum())) / of_all
    return min(max((found + _SURE * error) / variance, 0.0), 1.0)


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
