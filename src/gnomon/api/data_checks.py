"""The public checks of data: drift of the log, and a contract or leakage in files or the log.

Unless they are given, the storage root and the policy are those of the deployment in this folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gnomon.artifact import Artifact
from gnomon.contract.check.contract_report import ContractReport
from gnomon.data_checks.contract_check import check_file, check_log
from gnomon.data_checks.leakage import ServedSelection
from gnomon.data_checks.leakage import check_leakage as check_files
from gnomon.data_checks.leakage_files import ColumnRoles
from gnomon.drift import DriftReport, measure, to_html
from gnomon.drift.measure import STEP_ROWS
from gnomon.leakage import LeakageReport
from gnomon.log import InferenceLog
from gnomon.log.snapshot import Role
from gnomon.notebook import NotebookTable, Tabular
from gnomon.policy import Policy, find_policy
from gnomon.report.saved import save
from gnomon.rollout.named_artifacts import find_artifact, find_role
from gnomon.settings import Settings
from gnomon.time_range import check_range

__all__ = ["DriftCheck", "check_contract", "check_leakage", "measure_drift"]


@dataclass(frozen=True, slots=True)
class DriftCheck(Tabular):
    """A finished measurement of drift.

    Attributes:
        report: the report; ``report.verdict`` is ``ok``, ``drifted`` or ``unknown``.
        page: where the report's page is saved, next to its JSON: a path, or a URL of the bucket.
    """

    report: DriftReport
    page: str

    @property
    def verdict(self) -> str:
        """The report's verdict."""
        return self.report.verdict

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return self.report.overview()


def measure_drift(
    which: str | Artifact,
    *,
    split_by: str | None = None,
    step_rows: int = STEP_ROWS,
    role: Role | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
    save_as: Path | str | None = None,
    progress: Callable[[int], None] | None = None,
) -> DriftCheck:
    """Measure how far the log has drifted from training, and save the report.

    Args:
        which: the artifact whose answers are used: an artifact or its tag, or a model's name for
            its live artifact.
        split_by: a feature to split the rows by.
        step_rows: how many rows to run again, step by step, for the transformed columns; 0 for
            none.
        role: its answers as ``live`` or as ``shadow``. When not given: live if it ever was.
        start: rows that arrived from this time on; UTC when it has no zone.
        end: rows that arrived before this time.
        policy: the limits; when not given, the policy of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.
        save_as: where to save the report; when not given, ``reports/`` of the storage root.
        progress: called with the number of rows read since the last call.

    Raises:
        ArtifactError, UnknownArtifact: the artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        PolicyError: ``split_by`` is not a feature.
    """
    check_range(start, end)
    settings = settings or Settings.read()
    artifact = find_artifact(settings, which)
    report = measure(
        InferenceLog(settings, artifact.name),
        artifact,
        policy=policy or find_policy(),
        role=role or find_role(settings, artifact),
        start=start,
        end=end,
        split_by=split_by,
        step_rows=step_rows,
        settings=settings,
        progress=progress,
    )
    path = None if save_as is None else Path(save_as)
    return DriftCheck(report, save("drift", report, to_html(report), settings, path))


def check_contract(
    which: str | Artifact,
    table: Path | str | None = None,
    *,
    role: Role | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    settings: Settings | None = None,
) -> ContractReport:
    """Check a file, or the logged requests, against an artifact's contract.

    Args:
        which: the artifact with the contract: an artifact or its tag, or a model's name for
            its live artifact.
        table: a CSV or Parquet file; the log when not given.
        role: only requests that arrived while the artifact was ``live``, or that it scored as a
            ``shadow``; all requests of the model when not given.
        start: requests from this time on; UTC when it has no zone.
        end: requests before this time.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: the artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        TableError: the file cannot be read.
    """
    settings = settings or Settings.read()
    artifact = find_artifact(settings, which)
    if table is not None:
        return check_file(Path(table), artifact.contract, profile=artifact.profile())
    return check_log(
        InferenceLog(settings, artifact.name),
        artifact.contract,
        profile=artifact.profile(),
        artifact=artifact.tag,
        role=role,
        start=start,
        end=end,
    )


def check_leakage(
    train: Path | str,
    *,
    label: str | None = None,
    holdout: Path | str | None = None,
    later: Path | str | None = None,
    event_time: str | None = None,
    entity_key: str | Sequence[str] = (),
    known_at: Mapping[str, str] | None = None,
    artifact: str | Artifact | None = None,
    role: Role | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    labels: Path | str | None = None,
    on: str | Sequence[str] = (),
    settings: Settings | None = None,
    progress: Callable[[int], None] | None = None,
) -> LeakageReport:
    """Check for leakage in training rows, in splits, and in served rows.

    Args:
        train: the training rows, a CSV or Parquet file.
        label: the column to predict.
        holdout: rows the model was not trained on.
        later: rows from after both.
        event_time: when the prediction was requested; the artifact's event time when not given.
        entity_key: the columns that identify the entity of a row; the artifact's when not given.
        known_at: by feature, the column with the time its value was known.
        artifact: the artifact trained on these rows: itself or its tag, or a
            model's name for its live one.
        role: its served rows as ``live`` or as ``shadow``. When not given: live if it ever was.
        start: served rows from this time on; UTC when it has no zone.
        end: served rows before this time.
        labels: a file with the keys of served rows and their labels (ground truth).
        on: the keys to join the labels on; the artifact's entity key when not given.
        settings: settings with the storage root; read from the environment when not given.
        progress: called with the number of logged rows read since the last call.

    Raises:
        ArtifactError, UnknownArtifact: the artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        TableError: a file cannot be read, or lacks a column.
    """
    check_range(start, end)
    settings = settings or Settings.read()
    selection = None
    if artifact is not None:
        inspected = find_artifact(settings, artifact)
        labels_file = None if labels is None else Path(labels)
        selection = ServedSelection(
            inspected, role or find_role(settings, inspected), start, end, labels_file, on
        )
    roles = ColumnRoles(
        label=label,
        contract=None if selection is None else selection.artifact.contract,
        event_time=event_time,
        entity_key=entity_key,
        known_at=known_at or {},
    )
    return check_files(
        Path(train),
        roles,
        holdout=None if holdout is None else Path(holdout),
        later=None if later is None else Path(later),
        selection=selection,
        settings=settings,
        progress=progress,
    )
