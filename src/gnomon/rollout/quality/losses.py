"""The loss of an answer by each metric, under the label and under each label that it might have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gnomon.policy import Metric
from gnomon.rollout.quality.question import UNKNOWN, Answers, Question, Truth

__all__ = ["RowLosses", "largest_loss", "losses_by_label", "row_losses"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RowLosses:
    """The losses of live and a shadow on the same rows, by one metric.

    Attributes:
        live: shape (n,): live's loss; NaN without a label.
        shadow: the shadow's.
        least: the least that the shadow's loss minus live's can be, whatever the label is.
        most: the most.
        clipped: how many losses of live, and of the shadow, are at the bound because they are
            beyond it.
    """

    live: Floats
    shadow: Floats
    least: Floats
    most: Floats
    clipped: tuple[int, int] = (0, 0)

    @property
    def difference(self) -> Floats:
        """The shadow's loss minus live's; NaN without a label."""
        return self.shadow - self.live

    def of(self, rows: npt.NDArray[np.bool_]) -> RowLosses:
        """Return the losses of some of the rows; `clipped` is not counted again."""
        return RowLosses(self.live[rows], self.shadow[rows], self.least[rows], self.most[rows])


def largest_loss(metric: Metric, asked: Question) -> float:
    """Return the bound of a loss; it does not depend on the rows that are compared.

    Intervals hold for bounded values only. A bound that was read off the rows themselves would
    break their promise, so it comes from the metric, the policy, or live's training profile.
    """
    if metric == "log_loss":
        return float(-np.log(asked.rules.min_probability))
    if metric == "cost" and asked.rules.cost is not None:
        return asked.rules.cost.largest
    if metric in ("absolute_error", "squared_error"):
        bound = asked.max_error or 1.0
        return bound if metric == "absolute_error" else bound**2
    return 1.0


def row_losses(
    metric: Metric, asked: Question, live: Answers, shadow: Answers, truth: Truth
) -> RowLosses:
    """Compute the losses of both on the same rows.

    ``error`` is 1 where the decision, or the predicted class, is not the label's. ``brier`` is half
    the squared distance of the probabilities from the label (G. Brier, *Mon. Weather Rev.* 78,
    1950), which for two classes is (p - y)^2. ``log_loss`` is -log of the label's probability,
    which counts as at least ``min_probability``. ``cost`` is that of a wrong decision. Errors of
    numbers count as at most ``max_error``.
    """
    if metric in ("absolute_error", "squared_error"):
        return _number_losses(metric, asked, live, shadow, truth)
    by_label = [losses_by_label(metric, asked, side) for side in (live, shadow)]
    possible = by_label[1] - by_label[0]
    code = np.where(truth.codes == UNKNOWN, 0, truth.codes)[:, np.newaxis]
    found = [np.take_along_axis(side, code, axis=1)[:, 0] for side in by_label]
    clipped = (0, 0)
    if metric == "log_loss":
        bound = largest_loss(metric, asked)
        clipped = _count(*(side[truth.known] >= bound for side in found))
    known = truth.codes != UNKNOWN
    live_losses, shadow_losses = (np.where(known, side, np.nan) for side in found)
    return RowLosses(
        live_losses, shadow_losses, possible.min(axis=1), possible.max(axis=1), clipped
    )


def losses_by_label(metric: Metric, asked: Question, answers: Answers) -> Floats:
    """Return the loss of each row if its label were each of those there are, shape (n, labels).

    For every metric but the errors of numbers.
    """
    if metric in ("brier", "log_loss"):
        p = answers.probabilities
        if p is None:
            raise ValueError(f"expected probabilities for `{metric}`")
        if metric == "log_loss":
            return np.asarray(-np.log(np.maximum(p, asked.rules.min_probability)), np.float64)
        squares = (p**2).sum(axis=1, keepdims=True)
        return np.asarray((squares - 2 * p + 1) / 2, np.float64)
    unknown = (answers.decided == UNKNOWN)[:, np.newaxis]
    if metric == "error" and asked.output is None:
        wrong = answers.decided[:, np.newaxis] != np.arange(asked.truths)
        return np.where(unknown, np.nan, wrong.astype(np.float64))
    yes = asked.says_yes(answers.decided)[:, np.newaxis]
    right = asked.truly_yes()[np.newaxis, :]
    costs = asked.rules.cost if metric == "cost" else None
    false_positive, false_negative = (
        (1.0, 1.0) if costs is None else (costs.false_positive, costs.false_negative)
    )
    losses = np.where(yes & ~right, false_positive, np.where(~yes & right, false_negative, 0.0))
    return np.where(unknown, np.nan, losses)


def _number_losses(
    metric: Metric, asked: Question, live: Answers, shadow: Answers, truth: Truth
) -> RowLosses:
    if live.numbers is None or shadow.numbers is None or truth.numbers is None:
        raise ValueError(f"expected numbers for `{metric}`")
    bound = asked.max_error or 1.0
    sizes = [np.abs(numbers - truth.numbers) for numbers in (live.numbers, shadow.numbers)]
    errors = [np.minimum(size, bound) for size in sizes]
    # An error cut at the bound changes by at most as much as the number, a square by twice
    # the bound times as much.
    apart = np.minimum(np.abs(shadow.numbers - live.numbers), bound)
    if metric == "squared_error":
        errors = [error**2 for error in errors]
        apart = np.minimum(2 * bound * apart, bound**2)
    clipped = _count(*(size > bound for size in sizes))
    return RowLosses(errors[0], errors[1], least=-apart, most=apart, clipped=clipped)


def _count(live: npt.NDArray[np.bool_], shadow: npt.NDArray[np.bool_]) -> tuple[int, int]:
    return int(live.sum()), int(shadow.sum())
