"""What live and a shadow both answer, what its label may be, and how wrong an answer then is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.contract import Contract
from gnomon.errors import PolicyError, RolloutError
from gnomon.policy import Metric, Policy, QualityRules
from gnomon.rollout.quality.class_texts import class_text, class_texts, output_class

__all__ = ["UNKNOWN", "Answers", "Question", "Truth", "metrics_of", "question", "unknown_metric"]

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

UNKNOWN = -1
"""The code of an answer, or a label, that is null or none of the classes."""


@dataclass(frozen=True, slots=True)
class Answers:
    """The answers of one artifact to some rows.

    Attributes:
        decided: shape (n,): the predicted class or, by a threshold, 0 or 1; :data:`UNKNOWN` where
            there is none.
        probabilities: shape (n, classes), NaN where null; None of a model without them.
        numbers: shape (n,): the predicted number; None of a classifier.
        score: shape (n,): what ranks the rows by the positive class; None where nothing does.
    """

    decided: Codes
    probabilities: Floats | None = None
    numbers: Floats | None = None
    score: Floats | None = None


@dataclass(frozen=True, slots=True)
class Truth:
    """The labels of some rows.

    Attributes:
        codes: shape (n,): the class or, of numbers with a decision, whether it is at or above the
            threshold; :data:`UNKNOWN` without a label.
        numbers: shape (n,): the number, NaN without a label; None of a classifier.
    """

    codes: Codes
    numbers: Floats | None = None

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which rows have a label."""
        known = self.codes != UNKNOWN if self.numbers is None else ~np.isnan(self.numbers)
        return np.asarray(known, np.bool_)


@dataclass(frozen=True, slots=True)
class Question:
    """What is predicted, and what is decided from it.

    Attributes:
        classes: the texts of the labels of a classifier (`class_text`), those of live first; empty
            for numbers.
        output: the output with the policy's decision; None: the predicted class decides.
        threshold: of the decision.
        positive: the class that the decision is about; None for numbers and without one.
        max_error: an error of a number beyond this counts as this.
        rules: costs and bounds.
    """

    classes: tuple[str, ...]
    output: str | None
    threshold: float
    positive: int | None
    max_error: float | None
    rules: QualityRules

    @property
    def is_number(self) -> bool:
        """Whether a number is predicted, and no class."""
        return not self.classes

    @property
    def decides_yes_or_no(self) -> bool:
        """Whether there are two decisions, yes and no."""
        return self.output is not None or self.positive is not None

    @property
    def truths(self) -> int:
        """How many labels there may be, as far as `Truth.codes` tells them apart."""
        return 2 if self.is_number else len(self.classes)

    def says_yes(self, decided: Codes) -> npt.NDArray[np.bool_]:
        """Return which decisions are yes."""
        yes = 1 if self.output is not None else self.positive
        return np.asarray(decided == yes, np.bool_)

    def truly_yes(self) -> npt.NDArray[np.bool_]:
        """Return, for each label that there may be, whether yes is right."""
        yes = 1 if self.is_number else self.positive
        return np.asarray(np.arange(self.truths) == yes, np.bool_)

    def answers(self, contract: Contract, outputs: Mapping[str, pa.Array]) -> Answers:
        """Read an artifact's logged outputs.

        Args:
            contract: the artifact's.
            outputs: its outputs by name, each with one value per row.
        """
        by_class = None if self.is_number else self._probabilities(contract, outputs)
        numbers = score = None
        if self.is_number:
            numbers = _numbers(outputs["prediction"])
        elif self.positive is not None:
            score = _score(contract, outputs) if by_class is None else by_class[:, self.positive]
        return Answers(self._decided(outputs), by_class, numbers, score)

    def truth(self, labels: pa.Array) -> Truth:
        """Read labels; null where a row has none."""
        if not self.is_number:
            return Truth(_codes(labels, self.classes))
        numbers = _numbers(labels)
        codes = np.where(np.isnan(numbers), UNKNOWN, numbers >= self.threshold)
        return Truth(codes.astype(np.int64), numbers)

    def _decided(self, outputs: Mapping[str, pa.Array]) -> Codes:
        if self.output is None:
            if self.is_number:
                return np.full(len(outputs["prediction"]), UNKNOWN, np.int64)
            return _codes(outputs["prediction"], self.classes)
        values = _numbers(outputs[self.output])
        return np.where(np.isnan(values), UNKNOWN, values >= self.threshold).astype(np.int64)

    def _probabilities(self, contract: Contract, outputs: Mapping[str, pa.Array]) -> Floats | None:
        columns = {
            output_class(contract, output): output.name
            for output in contract.outputs_of("probability")
        }
        if not columns:
            return None
        rows = len(outputs[next(iter(columns.values()))])
        found = np.zeros((rows, len(self.classes)))
        for place, name in enumerate(self.classes):
            if name in columns:
                found[:, place] = _numbers(outputs[columns[name]])
        if len(columns) == 1 and len(self.classes) == 2:  # Only that of the second class is sent.
            [given] = [self.classes.index(name) for name in columns]
            found[:, 1 - given] = 1 - found[:, given]
        return found


def question(
    live: Contract, shadow: Contract, policy: Policy, *, spread: float | None = None
) -> Question:
    """Return what both artifacts answer.

    Args:
        live: the contract of the live artifact.
        shadow: that of the shadow.
        policy: the decision, and the rules of quality.
        spread: the range of live's predictions in training, for numbers.

    Raises:
        RolloutError: they have several targets, do not predict what a label can be known of, or
            lack the output with the policy's decision.
        PolicyError: the policy has a metric that this task does not have.
    """
    if live.learned is None or live.learned != shadow.learned:
        raise RolloutError(
            "labels can be compared with the answers of classifiers and regressors with one "
            f"target; live is a model of {_kind(live)} and the shadow of {_kind(shadow)}"
        )
    decision, rules = policy.decision, policy.quality
    for name, side in (("live", live), ("the shadow", shadow)):
        if decision is not None and decision.output not in side.output_schema.names:
            raise RolloutError(
                f"{name} has no output `{decision.output}`, on which [decision] of the policy "
                "rests, so its decisions cannot be compared with labels"
            )
    classes = tuple(
        dict.fromkeys(class_text(label) for side in (live, shadow) for label in side.classes)
    )
    positive = None
    if live.learned == "classification":
        positive = len(classes) - 1 if len(classes) == 2 else None
        outputs = {output.name: output for output in live.outputs_of("probability")}
        if decision is not None and decision.output in outputs:
            positive = classes.index(output_class(live, outputs[decision.output]))
    found = Question(
        classes=classes,
        output=None if decision is None else decision.output,
        threshold=0.0 if decision is None else decision.threshold,
        positive=positive,
        max_error=rules.max_error or spread or None,
        rules=rules,
    )
    _refuse_unknown_metrics(found, (live, shadow))
    return found


def metrics_of(asked: Question, sides: tuple[Contract, Contract]) -> tuple[Metric, ...]:
    """Return the metrics that can be measured, in a fixed order."""
    found: list[Metric] = []
    decides = asked.decides_yes_or_no or not asked.is_number
    if decides:
        found.append("error")
    if all(side.outputs_of("probability") for side in sides):
        found += ["brier", "log_loss"]
    if asked.is_number and asked.max_error is not None:
        found += ["absolute_error", "squared_error"]
    if asked.rules.cost is not None and asked.decides_yes_or_no:
        found.append("cost")
    return tuple(found)


def _refuse_unknown_metrics(asked: Question, sides: tuple[Contract, Contract]) -> None:
    known = metrics_of(asked, sides)
    for metric in asked.rules.limits:
        if metric not in known:
            raise unknown_metric(metric, known, where=f"quality.max_increase.{metric}")


def unknown_metric(metric: str, known: tuple[Metric, ...], *, where: str) -> PolicyError:
    """Return the error of a metric that the models do not have, with what it needs."""
    return PolicyError(
        f"expected a metric of these models, got `{metric}`", where=where, hint=_hint(metric, known)
    )


def _hint(metric: str, known: tuple[Metric, ...]) -> str:
    if metric not in get_args(Metric):
        needed = f"there is no metric `{metric}`"
    elif metric in ("error", "cost"):
        needed = "they need [decision] in the policy, or classes"
    elif metric in ("brier", "log_loss"):
        needed = "it needs probabilities of both"
    else:
        needed = "it is for predicted numbers, and needs max_error where live has no profile"
    return f"{needed}; their metrics are {', '.join(known) or 'none'}"


def _kind(contract: Contract) -> str:
    return f"{len(contract.targets)} targets" if contract.targets else contract.task


def _score(contract: Contract, outputs: Mapping[str, pa.Array]) -> Floats | None:
    """Return the score of a classifier without probabilities; of two classes there is one."""
    scores = contract.outputs_of("score")
    return _numbers(outputs[scores[0].name]) if len(scores) == 1 else None


def _codes(values: pa.Array, classes: tuple[str, ...]) -> Codes:
    """Return the place of each value among the classes."""
    places = pc.index_in(class_texts(values), value_set=pa.array(classes, pa.string()))
    codes: Codes = pc.fill_null(places, UNKNOWN).to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _numbers(values: pa.Array) -> Floats:
    """Return numbers; NaN where a value is null or not finite."""
    numbers = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    return np.where(np.isfinite(numbers), numbers, np.nan)
