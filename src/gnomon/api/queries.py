"""The public queries on one deployment: its log, history, gates, reports, leakage and drift.

Unless they are given, the storage root is read from the environment and its only model is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from gnomon.report.saved import SavedReports, list_reports, save
from gnomon.rollout.decisions.gate_checks import check
from gnomon.rollout.gate import Gates
from gnomon.rollout.history import RolloutEvent, RolloutState, newest_history
from gnomon.rollout.history.past_state import PastState, state_at
from gnomon.rollout.named_artifacts import find_artifact, find_model, find_role, model_of, tag_of
from gnomon.settings import Settings

__all__ = [
    "DriftCheck",
    "RolloutHistory",
    "check_contract",
    "check_gates",
    "check_gates_on_history",
    "check_leakage",
    "measure_drift",
    "open_log",
    "rollout_history",
    "running_artifacts",
    "saved_reports",
]


@dataclass(frozen=True, slots=True)
class RolloutHistory(Tabular):
    """Every decision about one model.

    Attributes:
        model: the name of the model.
        events: the decisions, oldest first.
        state: the state after them: ``live``, ``previous`` and ``shadows``.
    """

    model: str
    events: tuple[RolloutEvent, ...]
    state: RolloutState

    def at(self, time: datetime) -> PastState:
        """Return what answered at a time, by which decision and on what evidence.

        Args:
            time: the time; in this machine's time zone, if it has none.
        """
        return state_at(self.events, time)

    def __len__(self) -> int:
        return len(self.events)

    def __iter__(self) -> Iterator[RolloutEvent]:
        return iter(self.events)

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{self.model}: live is {self.state.live or 'nothing'}",
            verdict="",
            columns=("at", "kind", "artifact", "fraction", "forced", "by", "why"),
            rows=[(e.at, e.kind, e.artifact, e.fraction, e.forced, e.by, e.why) for e in self],
        )


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


def open_log(
    model: str | Artifact | None = None, *, settings: Settings | None = None
) -> InferenceLog:
    """Open the inference log as one dataset, for Arrow, pandas, DuckDB or any Arrow stream reader.

    Args:
        model: the model's name, or one of its artifacts or their tags; the only model under the
            storage root when not given.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        SettingsError: no model is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.
    """
    settings = settings or Settings.read()
    return InferenceLog(settings, find_model(settings, model))


def rollout_history(
    model: str | Artifact | None = None, *, settings: Settings | None = None
) -> RolloutHistory:
    """Read every rollout decision, and the state after them.

    Args:
        model: the model's name, or one of its artifacts or their tags; the only model under the
            storage root when not given.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        HistoryDamaged, NewerFormat: the history cannot be read.
        SettingsError: no model is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.
    """
    settings = settings or Settings.read()
    history = newest_history(settings, find_model(settings, model))
    return RolloutHistory(history.model, tuple(history.events), history.state)


def running_artifacts(
    model: str | Artifact | None = None, *, settings: Settings | None = None
) -> list[tuple[str, Role]]:
    """Return the live artifact, then the running shadows in the order they were started.

    Args:
        model: the model's name, or one of its artifacts or their tags; the only model under the
            storage root when not given.
        settings: settings with the storage root; read from the environment when not given.

    Returns:
        Tags with their roles, ``live`` or ``shadow``.

    Raises:
        HistoryDamaged, NewerFormat: the history cannot be read.
        SettingsError: no model is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.

    Example::

        for tag, role in gnomon.running_artifacts("flights"):
            print(tag, role, gnomon.replay(tag, role=role).report.verdict)
    """
    state = rollout_history(model, settings=settings).state
    live: list[tuple[str, Role]] = [(state.live, "live")] if state.live else []
    return [*live, *((tag, "shadow") for tag in state.shadows)]


def saved_reports(
    model: str | Artifact | None = None,
    *,
    last: int | None = None,
    settings: Settings | None = None,
) -> SavedReports:
    """List the reports of replays, comparisons, diagnoses and drift under the storage root.

    The newest is first. Reports saved elsewhere (``save_as``, ``--report``) are not listed.
    :meth:`gnomon.Report.from_json` and :meth:`gnomon.DriftReport.from_json` read one in full.

    Args:
        model: the model's name, or one of its artifacts or their tags; the only model under the
            storage root when not given.
        last: at most this many, the newest; all when not given.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        SettingsError: no model is given, and there is none, or more than one.
        UnknownArtifact: what is given names no model.
        StorageError: the storage root cannot be read.

    Example::

        for report in gnomon.saved_reports("flights", last=10):
            print(report.created, report.verdict, report.title, report.page)
    """
    settings = settings or Settings.read()
    return list_reports(settings, find_model(settings, model), last)


def check_gates(
    artifact: str | Artifact, *, policy: Policy | None = None, settings: Settings | None = None
) -> Gates:
    """Evaluate the gates for a promotion of this artifact, without recording anything.

    Args:
        artifact: a tag, such as ``flights:latest``, or what :func:`~gnomon.pack` returned; a
            model's name alone means its newest version.
        policy: the limits; when not given, the policy of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        PolicyError: the policy names an output that it does not have.
        RolloutError: nothing is live, or it is live itself.
    """
    tag = tag_of(artifact)
    return check(settings or Settings.read(), model_of(tag), tag, policy or find_policy())


def check_gates_on_history(
    artifact: str | Artifact,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
) -> Gates:
    """Replay an artifact over logged requests, and evaluate its gates on them, labels included.

    It need not have run as a shadow. The gates of a running shadow (latency, coverage, lag, skew)
    are left out. Nothing is recorded, and a promotion still needs a shadow.

    Args:
        artifact: a tag, such as ``flights:latest``, or what :func:`~gnomon.pack` returned; a
            model's name alone means its newest version.
        start: requests from this time on; UTC when it has no zone.
        end: requests before this time.
        policy: the limits; when not given, the policy of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        LogError: there is no log of the model.
        PolicyError: the policy names something that the artifacts do not have.
        RolloutError: nothing is live, it is live, or labels cannot be compared with its answers.
    """
    from gnomon.rollout.gates.gates_on_history import check_on_history

    tag = tag_of(artifact)
    return check_on_history(
        settings or Settings.read(),
        model_of(tag),
        tag,
        policy or find_policy(),
        start=start,
        end=end,
    )


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
        LogError: there is no log of the model.
        PolicyError: ``split_by`` is not a feature.
    """
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
        TableError: a file cannot be read, or lacks a column.
    """
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
