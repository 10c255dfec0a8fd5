"""Labels that a model took for others: an encoder whose categories are in another order.

Columns of a one-hot encoder in another order have the same names and values on both sides, so the
sides first differ in the model. For each label it is tried which other label gives the other side's
answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from gnomon.compare.comparators import compare
from gnomon.contract import Contract
from gnomon.policy import Rules
from gnomon.report.numbers import value
from gnomon.skew.diagnosis.candidates import Candidate
from gnomon.skew.diagnosis.case import CONFIRMED, Mask, spread
from gnomon.skew.diagnosis.replaced_inputs import with_feature

__all__ = ["relabellings"]

_MOST_LABELS = 24
_TRIED = 12
"""So many rows of each label are tried as each other label."""

_FEWEST = 3
"""Rows that a label must have, so that what it was taken for is not chance."""

Answer = Callable[[pa.RecordBatch], pa.Table | pa.RecordBatch]


def relabellings(
    rows: pa.RecordBatch, right: pa.Table, rules: Rules, contract: Contract, answer: Answer
) -> Iterator[Candidate]:
    """Yield, for each feature of labels, the exchange of its labels that the answers show.

    Every second row is used: the others are left to tell whether it holds.

    Args:
        rows: features as they were online.
        right: the other side's values of the columns of ``rules``.
        rules: of the columns to compare.
        contract: has the labels of each feature.
        answer: runs the artifact.

    Raises:
        PredictionFailed: the pipeline fails on other labels.
    """
    for feature in contract.features:
        labels = sorted(map(str, feature.domain or ()))
        texts = feature.type in ("string", "category") and not feature.carried
        if not texts or not 2 <= len(labels) <= _MOST_LABELS:
            continue
        half = pa.array(np.arange(0, rows.num_rows, 2))
        seen, answers = rows.take(half), right.take(half)
        taken = _taken_for(seen, feature.name, labels, answers, rules, answer)
        moved = {label: other for label, other in taken.items() if label != other}
        if len(moved) < 2 or set(moved) != set(moved.values()):
            continue
        column = rows.column(feature.name)
        changed = pa.array([moved.get(v, v) for v in column.to_pylist()], column.type)
        examples = ", ".join(f"{value(a)} for {value(b)}" for a, b in sorted(moved.items())[:3])
        yield Candidate(
            "category code order",
            (feature.name,),
            f"is taken for other labels by the model on one side ({examples})",
            "Take the encoder's categories from the artifact, in its order, on both sides.",
            with_feature(rows, feature.name, changed),
        )


def _taken_for(
    rows: pa.RecordBatch,
    feature: str,
    labels: list[str],
    right: pa.Table,
    rules: Rules,
    answer: Answer,
) -> dict[str, str]:
    """Find the only label that gives the other side's answers on (nearly) all rows of each."""
    column = rows.column(feature)
    taken = {}
    for label in labels:
        there: Mask = np.asarray(pc.fill_null(pc.equal(column, label), False))
        places = spread(there, _TRIED)
        if len(places) < _FEWEST:
            continue
        tried = pa.array(np.tile(places, len(labels)))
        others = pa.array(np.repeat(labels, len(places)).tolist(), column.type)
        answers = answer(with_feature(rows.take(tried), feature, others))
        agreed = compare(answers, right.take(tried), rules).agreed.reshape(len(labels), -1)
        fitting = np.flatnonzero(agreed.mean(axis=1) >= CONFIRMED)
        if len(fitting) == 1:
            taken[label] = labels[int(fitting[0])]
    return taken
