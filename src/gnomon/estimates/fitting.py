"""Learn from labelled rows how an artifact errs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.bottom_k import BottomK
from gnomon.compare.units import counted_units
from gnomon.contract import Contract
from gnomon.estimates.answered_rows import AnsweredRows
from gnomon.estimates.confidence_based import fit_confidence_based
from gnomon.estimates.direct_loss import fit_direct_loss
from gnomon.estimates.input_drift import InputDrift
from gnomon.estimates.loss_estimator import FittedEstimator, ReferenceRows
from gnomon.offline.paired_rows import row_places
from gnomon.policy import Metric
from gnomon.quantities import plural
from gnomon.rollout.quality.question import Answers, Question, Truth

__all__ = ["FEWEST_ROWS", "FitResult", "fit"]

FEWEST_ROWS = 500
"""Fewer rows say little of how often a model errs: with 5% errors, 25 of them."""

_MOST_SHOWN = 5
_FEWEST_UNITS = 30
"""Of fewer units the spread is not known well: with 6 of them, a normal interval of 95% held the
realised loss in 87% to 89% of simulations (``python -m benchmarks.estimates.coverage``)."""

_MOST_ROWS = 20_000
"""The most rows to learn from, a sample by hash: gradient boosting on more takes minutes."""


class FitResult(NamedTuple):
    """What came of fitting.

    Attributes:
        fitted: the estimator; None if the rows do not suffice.
        reason: why they do not.
        rows: rows with a label and an answer.
        used: of those, rows that were learned from.
    """

    fitted: FittedEstimator | None
    reason: str
    rows: int
    used: int


def fit(
    rows: Iterable[AnsweredRows],
    contract: Contract,
    asked: Question,
    metrics: tuple[Metric, ...],
    drift: InputDrift,
) -> FitResult:
    """Fit an estimator on the rows that have a label; count their inputs in ``drift``.

    From the probabilities of a classifier, else by a model of the losses.
    """
    sample = BottomK[AnsweredRows](_MOST_ROWS, AnsweredRows.take, AnsweredRows.concat)
    left_out = _LeftOut()
    for part in rows:
        labelled = part.take(_usable(part, contract, asked, left_out))
        if labelled.facts.num_rows:
            drift.add_reference(labelled.facts, labelled.inputs)
            sample.offer(row_places(labelled.facts), labelled)
    kept = sample.kept()
    if kept is None or sample.seen < FEWEST_ROWS:
        have = f"{plural(sample.seen, 'row')} with a label{left_out.explain(asked)}"
        return _without(f"the reference has {have}; {FEWEST_ROWS} are needed", sample)
    reference = _reference(kept, contract, asked)
    if reason := _insufficient(reference, contract, asked):
        return _without(reason, sample)
    if reference.answers.probabilities is not None:
        found = fit_confidence_based(asked, metrics, reference)
    else:
        found = fit_direct_loss(asked, metrics, contract, reference)
    return FitResult(found, "", sample.seen, kept.facts.num_rows)


def _without(reason: str, sample: BottomK[AnsweredRows]) -> FitResult:
    return FitResult(None, reason, sample.seen, 0)


def _reference(rows: AnsweredRows, contract: Contract, asked: Question) -> ReferenceRows:
    answers, truth = _sides(rows, contract, asked)
    return ReferenceRows(rows.inputs, answers, truth, rows.units)


def _sides(rows: AnsweredRows, contract: Contract, asked: Question) -> tuple[Answers, Truth]:
    return asked.answers(contract, rows.columns()), asked.truth(rows.labels)


@dataclass(slots=True)
class _LeftOut:
    """Rows with a label from which nothing can be learned.

    Attributes:
        unknown: labels that the model does not know, with how many rows have them.
        unanswered: rows without a complete answer.
    """

    unknown: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0

    def explain(self, asked: Question) -> str:
        """Say how many there are, and what was expected of the labels; empty without one."""
        says = ""
        if self.unknown:
            given = _listed(self.unknown.most_common(), "`{0[0]}` ({0[1]:,})")
            known = "numbers" if asked.is_number else _listed(asked.classes, "`{}`")
            says += (
                f" that the model knows and {self.unknown.total():,} with another: expected "
                f"{known}, got {given}"
            )
        if self.unanswered:
            says += f"; {plural(self.unanswered, 'labelled row')} without a complete answer"
        return says


def _listed(values: Sequence[object], form: str) -> str:
    more = len(values) - _MOST_SHOWN
    rest = f" and {more:,} more" if more > 0 else ""
    return ", ".join(form.format(value) for value in values[:_MOST_SHOWN]) + rest


def _usable(
    rows: AnsweredRows, contract: Contract, asked: Question, left_out: _LeftOut
) -> npt.NDArray[np.int64]:
    """Return which rows have a label that the model knows, and a complete answer."""
    labelled = np.flatnonzero(np.asarray(pc.is_valid(rows.labels)))
    some = rows.take(labelled)
    answers, truth = _sides(some, contract, asked)
    usable = truth.known
    unknown = some.labels.filter(pa.array(~truth.known))
    left_out.unknown.update(pc.cast(unknown, pa.string()).to_pylist())
    if answers.probabilities is not None:
        usable = usable & ~np.isnan(answers.probabilities).any(axis=1)
    if answers.numbers is not None:
        usable = usable & ~np.isnan(answers.numbers)
    if not asked.is_number or asked.output is not None:
        usable = usable & (answers.decided >= 0)
    left_out.unanswered += int((truth.known & ~usable).sum())
    return labelled[usable]


def _insufficient(rows: ReferenceRows, contract: Contract, asked: Question) -> str:
    """Return why nothing can be learned from the rows; empty if it can."""
    units = len(np.unique(rows.units))
    if units < _FEWEST_UNITS:
        have = counted_units(units, "entity" if contract.entity_key else "request")
        return f"the reference has labels of {have}; {_FEWEST_UNITS} are needed"
    if not asked.is_number:
        labels = np.unique(rows.truth.codes)
        if len(labels) == 1:
            return f"every label of the reference is `{asked.classes[labels[0]]}`"
    return ""
