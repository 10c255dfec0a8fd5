"""Compare scores on training rows, holdout, later days and live traffic, and find real gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from gnomon.leakage.finding import LeakageEvidence, LeakageFinding, Severity, unknown
from gnomon.leakage.measures import Estimate, Measured, area, deviations, explained

__all__ = ["CHECK", "ScoredStage", "Stage", "check_gaps"]

CHECK = "score gap"

Stage = Literal["train", "holdout", "later", "live"]
_ORDER: tuple[Stage, ...] = ("train", "holdout", "later", "live")

MATTERS = 0.02
"""The difference in AUC or R2 that the interval of a gap must exceed. A smaller gap is no reason to
act, however certain it is: effect sizes decide."""

SURE = 0.99
"""The confidence of the intervals of all gaps together. Most models have no gap: at 0.95, one
report in fifty on 300 rows per stage had a false one."""

FEWEST_ROWS = 100
FEWEST_OF_A_CLASS = 20
"""With fewer rows in a stage, or of a class in it, normal intervals are not reliable."""


@dataclass(frozen=True)
class ScoredStage:
    """A model's answers for rows whose label is known.

    Attributes:
        stage: ``train``, ``holdout``, ``later`` (after both) or ``live`` (served rows).
        labels: the labels.
        answers: for a classification, a column of probabilities for each class; for a regression,
            one column of predictions.
        classes: the label of each column; empty for a regression.
    """

    stage: Stage
    labels: npt.NDArray[Any]
    answers: npt.NDArray[np.float64]
    classes: tuple[Any, ...] = ()


def check_gaps(scored: Sequence[ScoredStage], *, is_forecast: bool = False) -> list[LeakageFinding]:
    """Find gaps between one stage and the next that are too large to be chance.

    The measure is the AUC (the mean over the classes, each against the rest) or R2, neither of
    which changes if labels only become rarer.

    Args:
        scored: the available stages.
        is_forecast: whether the holdout is from days after the training data. If so, later rows
            score lower because the model ages, not because the holdout was too easy.
    """
    ordered = sorted(map(_labelled, scored), key=lambda stage: _ORDER.index(stage.stage))
    classes = _comparable_classes(ordered)
    findings, measured = [], []
    for stage in ordered:
        result = _score(stage, classes)
        if isinstance(result, str):
            findings.append(_too_few(stage, result))
        else:
            measured.append((stage.stage, result))
    gaps = list(pairwise(measured))
    reach = deviations(1 - (1 - SURE) / max(len(gaps), 1))
    for before, after in gaps:
        if finding := _gap(before, after, reach, is_forecast):
            findings.append(finding)
    return findings


def _labelled(scored: ScoredStage) -> ScoredStage:
    known = ~pd.isna(scored.labels)
    return replace(scored, labels=scored.labels[known], answers=scored.answers[known])


def _comparable_classes(scored: Sequence[ScoredStage]) -> list[int]:
    """Return the positions of classes with enough rows in every stage that is large enough."""
    large = [stage for stage in scored if len(stage.labels) >= FEWEST_ROWS]
    classes = range(len(scored[0].classes)) if scored else ()
    return [place for place in classes if all(_enough(stage, place) for stage in large)]


def _enough(scored: ScoredStage, place: int) -> bool:
    hits = int((scored.labels == scored.classes[place]).sum())
    return min(hits, len(scored.labels) - hits) >= FEWEST_OF_A_CLASS


def _score(scored: ScoredStage, classes: Sequence[int]) -> Measured | str:
    """Measure how well the answers fit, or return the reason why this cannot be measured."""
    labels = scored.labels
    if len(labels) < FEWEST_ROWS:
        return f"it has {len(labels):,} rows; it needs {FEWEST_ROWS}"
    if scored.classes:
        return _area(scored, classes)
    truth = labels.astype(np.float64)
    return (
        explained(truth, scored.answers[:, 0]) if np.ptp(truth) else "all its labels are the same"
    )


def _area(scored: ScoredStage, classes: Sequence[int]) -> Measured | str:
    if not classes:
        return f"no class has {FEWEST_OF_A_CLASS} rows in every stage"
    areas = [
        area(scored.labels == scored.classes[place], scored.answers[:, place]) for place in classes
    ]
    influence = np.mean([measured.influence for measured in areas], axis=0)
    return Measured("AUC", float(np.mean([measured.value for measured in areas])), influence)


def _gap(
    before: tuple[Stage, Measured],
    after: tuple[Stage, Measured],
    reach: float,
    is_forecast: bool,
) -> LeakageFinding | None:
    (first, left), (second, right) = before, after
    gap = left.value - right.value
    margin = reach * math.hypot(left.error, right.error)
    if gap - margin <= MATTERS and gap + margin >= -MATTERS:
        return None
    severity, meaning, action = _meaning(first, second, gap, right)
    if is_forecast and (first, second) == ("holdout", "later") and gap > 0:
        severity, meaning, action = _AGED
    rows = len(left.influence) + len(right.influence)
    measure = left.measure
    return LeakageFinding(
        check=CHECK,
        features=(),
        severity=severity,
        sentence=f"{measure} {left.value:.3f} on {_NAMES[first]}, {right.value:.3f} on "
        f"{_NAMES[second]}: {meaning}",
        evidence=LeakageEvidence.of(
            Estimate(f"gap in {measure}", gap, gap - margin, gap + margin, rows, SURE),
            numbers={
                f"{measure} {first}": left.value,
                f"{measure} {second}": right.value,
                f"rows {first}": len(left.influence),
                f"rows {second}": len(right.influence),
            },
        ),
        action=action,
    )


_NAMES: dict[Stage, str] = {
    "train": "its training rows",
    "holdout": "the holdout",
    "later": "later rows",
    "live": "live traffic",
}


def _meaning(first: Stage, second: Stage, gap: float, after: Measured) -> tuple[Severity, str, str]:
    """Return a gap's severity, what it suggests, and what to do."""
    if gap < 0:
        return _negative_gap(first, second)
    if first == "train":
        return _gap_from_training(second, after)
    if second == "live":
        return (
            "suspect",
            "features have other values online than offline, or the traffic is of another kind",
            "compare the log with an offline table: `gnomon compare`",
        )
    return (
        "suspect",
        "the holdout shares something with training that later rows do not",
        "look for rows, entities or days on both sides of the split, and for features filled in "
        "later; if there are none, suspect concept drift",
    )


_AGED: tuple[Severity, str, str] = (
    "note",
    "concept drift since training",
    "train on newer rows, or watch how the score falls with the days since training",
)


def _gap_from_training(second: Stage, after: Measured) -> tuple[Severity, str, str]:
    """Describe a gap from training rows; every model has one, so by itself it is only a note."""
    chance = 0.5 if after.measure == "AUC" else 0.0
    is_better_than_chance = after.estimate().low > chance
    others = "others" if second == "holdout" else "others, or there is concept drift since training"
    return (
        "note" if is_better_than_chance else "suspect",
        f"the model fits rows it was trained on better than {others}"
        + ("" if is_better_than_chance else "; on these it is no better than chance"),
        "judge it by the holdout alone; a simpler model may do as well"
        if second == "holdout"
        else "give a holdout from the training days, to compare later scores with",
    )


def _negative_gap(first: Stage, second: Stage) -> tuple[Severity, str, str]:
    return (
        "suspect" if first == "train" else "note",
        f"{_NAMES[second]} must be easier than {_NAMES[first]}",
        "find out how they were chosen: rows that any model gets right prove nothing",
    )


def _too_few(scored: ScoredStage, why: str) -> LeakageFinding:
    return unknown(
        CHECK,
        f"the score on {_NAMES[scored.stage]} is inconclusive: {why}",
        len(scored.labels),
        "give more rows with labels",
    )
