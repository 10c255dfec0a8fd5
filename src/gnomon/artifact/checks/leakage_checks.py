"""The leakage checks that packing runs: the fast ones."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import pandas as pd
from msgspec.structs import replace

from gnomon.contract.contract import Contract
from gnomon.contract.frames import as_input
from gnomon.contract.training_table import as_table
from gnomon.errors import PackRefused
from gnomon.leakage import (
    KnownAt,
    LabelledTable,
    LeakageReport,
    LeakageWarning,
    ScoredStage,
    check_scores,
    check_split,
    check_training,
    gap,
    label,
)
from gnomon.leakage.model_answers import checked_features, class_scores
from gnomon.pipeline.predicting import outputs

__all__ = ["Holdout", "Leakage", "check_leakage", "decide"]

Leakage = Literal["warn", "refuse", "off"]
Holdout = tuple[Any, Any]

SCORED_ROWS = 2_000
"""How many rows of the training data, and of the holdout, are predicted to score them."""


def check_leakage(
    pipeline: Any,
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    contract: Contract,
    *,
    holdout: Holdout | None = None,
    known_at: KnownAt | None = None,
) -> LeakageReport:
    """Run the fast checks on the training data and, if there is one, the holdout.

    Raises:
        ContractError: a name in ``known_at`` or in the contract is not a column.
        PackRefused: the holdout has other columns.
    """
    tables = [_table(X, labels, contract, known_at) for labels in _targets(y)]
    train = tables[0]
    report = check_training(train)
    for target, table in zip(contract.targets[1:], tables[1:], strict=False):
        report = report.and_then(_only_label(check_training(table), target))
    if holdout is None:
        return report
    rows, labels = holdout
    rows = as_table(rows, contract)
    missing = [name for name in train.features if name not in rows]
    if missing:
        raise PackRefused(
            f"the holdout has no column `{missing[0]}`",
            hint="pass holdout=(X, y) with the columns of X",
        )
    other = _table(rows, next(iter(_targets(labels))), contract, None)
    report = report.and_then(check_split(train, other))
    if y is None or labels is None:
        return report
    if contract.learned is None:
        why = "scores are only compared for classifiers and regressors with one target"
        return report.and_then(LeakageReport.of(len(X), {}, {gap.CHECK: why}))
    scored = [
        _scored(pipeline, train, "train", contract),
        _scored(pipeline, other, "holdout", contract),
    ]
    return report.and_then(check_scores(scored))


def decide(report: LeakageReport, leakage: Leakage, stacklevel: int) -> None:
    """Warn of leakage that was found, or refuse to pack.

    Raises:
        PackRefused: something was found, and ``leakage`` is ``refuse``.
    """
    for finding in report.alarms:
        if leakage == "refuse":
            raise PackRefused(
                finding.sentence,
                where=", ".join(f"column `{name}`" for name in finding.features) or None,
                hint=f'{finding.action}. leakage="warn" packs anyway',
            )
        warnings.warn(
            f"{finding.sentence}. To do: {finding.action}", LeakageWarning, stacklevel + 1
        )


def _targets(y: Any) -> list[Any]:
    """Return the labels of each target."""
    if getattr(y, "ndim", 1) == 1:
        return [y]
    return [y.iloc[:, at] if isinstance(y, pd.DataFrame) else y[:, at] for at in range(y.shape[1])]


def _only_label(report: LeakageReport, target: str) -> LeakageReport:
    """Reduce the report on a further target to the findings about its label."""
    found = [
        replace(finding, sentence=f"{finding.sentence}, the target `{target}`")
        for finding in report.findings
        if finding.check == label.CHECK
    ]
    return LeakageReport.of(report.rows, {label.CHECK: found} if found else {}, {})


def _table(
    X: pd.DataFrame,  # noqa: N803
    y: Any,
    contract: Contract,
    known_at: KnownAt | None,
) -> LabelledTable:
    return LabelledTable.of(
        X,
        y,
        features=checked_features(contract),
        task=contract.learned,
        event_time=contract.event_time,
        entity_key=contract.entity_key,
        known_at=known_at,
    )


def _scored(
    pipeline: Any, table: LabelledTable, stage: Literal["train", "holdout"], contract: Contract
) -> ScoredStage:
    some = table.labelled().sample(SCORED_ROWS)
    assert some.labels is not None
    if not len(some):
        nothing = np.empty((0, max(len(contract.classes), 1)))
        return ScoredStage(stage, some.labels.to_numpy(), nothing, contract.classes)
    frame = some.frame.reset_index(drop=True)
    batch = outputs(pipeline, as_input(frame, contract), contract)
    return ScoredStage(
        stage, some.labels.to_numpy(), class_scores(batch, contract), contract.classes
    )
