"""Run all leakage checks for which there is data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.contract import from_frame
from gnomon.data_checks.leakage_files import ColumnRoles
from gnomon.data_checks.served_rows import ServedLabels, ServedRows, draw
from gnomon.errors import LogError, TableError
from gnomon.leakage import (
    LabelledTable,
    LeakageReport,
    ScoredStage,
    check_domain,
    check_scores,
    check_split,
    check_training,
)
from gnomon.leakage.gap import Stage
from gnomon.leakage.model_answers import class_scores
from gnomon.leakage.overlap import is_later
from gnomon.log import InferenceLog
from gnomon.log.snapshot import Role
from gnomon.offline.column_names import joint_contract
from gnomon.offline.logged import Range
from gnomon.offline.rerun import Rerun
from gnomon.settings import Settings
from gnomon.worker import WorkerClient
from gnomon.worker.messages import ERROR

__all__ = ["ServedSelection", "check_leakage"]

SCORED_ROWS = 20_000
"""The most rows of a file that are predicted for its score."""

_SPLIT = ("duplicates", "near duplicates", "entities", "time overlap")


@dataclass(frozen=True)
class ServedSelection:
    """The served rows to use.

    Attributes:
        artifact: the artifact whose answers are used, and which predicts the rows of files.
        role: whether it answered as ``live`` or as ``shadow``.
        start: answers from this time on.
        end: answers before this time.
        labels: a file with the labels of served rows, by key.
        on: the key columns; the contract's entity key when not given.
    """

    artifact: Artifact
    role: Role = "live"
    start: datetime | None = None
    end: datetime | None = None
    labels: Path | None = None
    on: str | Sequence[str] = ()


def check_leakage(
    train: Path,
    roles: ColumnRoles,
    *,
    holdout: Path | None = None,
    later: Path | None = None,
    selection: ServedSelection | None = None,
    settings: Settings | None = None,
    progress: Callable[[int], None] | None = None,
) -> LeakageReport:
    """Check files for leakage, and compare them with served rows.

    Args:
        train: the rows a model is, or was, trained on.
        roles: the roles of the columns.
        holdout: rows it was not trained on.
        later: rows from after both.
        selection: the artifact trained on them, and the part of its log to use.
        settings: settings of the worker and of the log.
        progress: called with the number of logged rows read since the last call.

    Raises:
        TableError: a file cannot be read, or lacks a column.
        ContractError: a file has values that the artifact's contract does not allow.
    """
    settings = settings or Settings.read()
    tables: dict[Stage, LabelledTable] = {"train": roles.read(train)}
    for stage, path in (("holdout", holdout), ("later", later)):
        if path is not None:
            features = tables["train"].features
            tables[stage] = roles.read(  # type: ignore[index]
                path, option=f"--{stage}", times=False, features=features
            )
    report = check_training(tables["train"])
    if "holdout" in tables:
        report = report.and_then(check_split(tables["train"], tables["holdout"]))
    else:
        report = report.and_then(_skipped_report(dict.fromkeys(_SPLIT, "there is no holdout")))
    if selection is None:
        reasons = dict.fromkeys(("score gap", "domain"), "no artifact was given")
        return report.and_then(_skipped_report(reasons))
    return report.and_then(_checks_with_artifact(selection, tables, roles, settings, progress))


def _checks_with_artifact(
    selection: ServedSelection,
    tables: dict[Stage, LabelledTable],
    roles: ColumnRoles,
    settings: Settings,
    progress: Callable[[int], None] | None,
) -> LeakageReport:
    """Run the checks that need the artifact or its log."""
    served = _served(selection, roles, settings, progress)
    if isinstance(served, str):
        report = _skipped_report({"domain": served})
    else:
        findings = check_domain(tables["train"], served.frame)
        report = LeakageReport.of(served.rows, {"domain": findings}, {})
    if roles.label is None:
        return report.and_then(_skipped_report({"score gap": "there are no labels"}))
    if selection.artifact.contract.learned is None:
        reason = "scores are compared only for classifiers and regressors with one target"
        return report.and_then(_skipped_report({"score gap": reason}))
    scored = _score_stages(selection.artifact, tables, settings)
    if isinstance(served, ServedRows) and served.live is not None:
        scored.append(served.live)
    if len(scored) < 2:
        return report.and_then(_skipped_report({"score gap": "there are only training rows"}))
    is_forecast = "holdout" in tables and is_later(tables["train"], tables["holdout"])
    return report.and_then(check_scores(scored, is_forecast=is_forecast))


def _served(
    selection: ServedSelection,
    roles: ColumnRoles,
    settings: Settings,
    progress: Callable[[int], None] | None,
) -> ServedRows | str:
    """Read rows of the log, or return the reason why there are none."""
    contract = joint_contract(selection.artifact.contract)
    served_labels = None
    if selection.labels is not None:
        if roles.label is None:
            raise TableError("labels of served rows need the name of the label column")
        if contract.learned is None:
            raise TableError(
                "labels of served rows are compared with the predictions of one target, and "
                f"{selection.artifact.tag} answers {', '.join(contract.output_schema.names)}",
                hint="leave the labels out; the other checks do not need them",
            )
        served_labels = ServedLabels(selection.labels, selection.on, roles.label, contract)
    try:
        snapshot = InferenceLog(settings, selection.artifact.name).snapshot()
    except LogError as error:
        if served_labels is not None:
            raise
        return error.message
    with snapshot:
        source = Range(
            snapshot,
            selection.artifact,
            selection.role,
            selection.start,
            selection.end,
            joint=contract,
        )
        served = draw(source, served_labels, progress)
    return served if served.rows else "none of its answers was logged"


def _score_stages(
    artifact: Artifact, tables: dict[Stage, LabelledTable], settings: Settings
) -> list[ScoredStage]:
    """Score the rows of each file with the artifact's code, in a worker."""
    with WorkerClient(artifact, settings) as client:
        rerun = Rerun(client, artifact, settings)
        return [_score_stage(stage, table, rerun, artifact) for stage, table in tables.items()]


def _score_stage(
    stage: Stage, table: LabelledTable, rerun: Rerun, artifact: Artifact
) -> ScoredStage:
    sample = table.labelled().sample(SCORED_ROWS)
    assert sample.labels is not None
    batch = rerun.score(from_frame(sample.frame, artifact.contract))
    scorable = np.flatnonzero(batch.column(ERROR).is_null())
    answers = class_scores(batch.take(pa.array(scorable)), artifact.contract)
    return ScoredStage(
        stage, sample.labels.to_numpy()[scorable], answers, artifact.contract.classes
    )


def _skipped_report(reasons: dict[str, str]) -> LeakageReport:
    return LeakageReport.of(0, {}, reasons)
