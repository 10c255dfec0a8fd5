"""Checks of online against offline, with the report saved and the result used by the skew gate.

:mod:`gnomon.skew` compares. This module finds the live artifact, saves reports, and records results
for promotions. ``gnomon replay``, ``compare``, ``diagnose`` and scheduled jobs call it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gnomon.artifact import Artifact, inspect
from gnomon.errors import TableError
from gnomon.log import InferenceLog
from gnomon.log.snapshot import Role
from gnomon.notebook import NotebookTable, Tabular
from gnomon.policy import Policy, find_policy
from gnomon.report import Report, to_html
from gnomon.report.saved import save
from gnomon.rollout.named_artifacts import find_artifact, find_role
from gnomon.settings import Settings
from gnomon.skew import replay as skew_replay
from gnomon.skew import skew_record, table_comparison
from gnomon.storage import Storage
from gnomon.time_range import check_range

__all__ = ["SkewCheck", "compare_offline", "diagnose", "replay"]


@dataclass(frozen=True, slots=True)
class SkewCheck(Tabular):
    """A finished comparison.

    Attributes:
        report: the report; ``report.verdict`` is ``ok``, ``diverged`` or ``unknown``.
        page: where the report's page is saved, next to its JSON: a path, or a URL of the bucket.
    """

    report: Report
    page: str

    @property
    def verdict(self) -> str:
        """The report's verdict."""
        return self.report.verdict

    @property
    def agrees(self) -> bool:
        """Whether the two sides are known to agree within the policy."""
        return self.report.verdict == "ok"

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return self.report.overview()


def replay(
    which: str | Artifact,
    *,
    through: str | Artifact | None = None,
    role: Role | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    limit: int | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
    python: str | None = None,
    trace: bool = False,
    halves: bool = False,
    save_as: Path | str | None = None,
    progress: Callable[[int], None] | None = None,
) -> SkewCheck:
    """Run logged requests again, save the report, and record the result for the skew gate.

    Args:
        which: the artifact whose answers are used: itself or its tag, or a model's name for its
            live artifact.
        through: another artifact, or its tag, to run them through; it does not count for the gate.
        role: its answers as ``live`` or as ``shadow``. When not given: live if it ever was.
        start: rows that arrived from this time on; UTC when it has no zone.
        end: rows that arrived before this time.
        limit: stop after this many answered rows: the first ones in the order in which the log's
            files are read, which is not that of their arrival.
        policy: the tolerances and limits; when not given, those of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.
        python: the interpreter of another environment to run the rows in.
        trace: run a sample of the diverging rows step by step, to find the cause.
        halves: run the rows also through each half of ``through`` with the other half of ``which``:
            ``report.halves`` says which makes the difference. Both combined artifacts are packed.
        save_as: where to save the report; when not given, ``reports/`` of the storage root.
        progress: called with the number of logged rows run since the last call.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        ContractError: the two artifacts have no output in common.
        PackRefused: ``halves`` without ``through``, or the halves do not fit; the message says why.

    Example::

        check = gnomon.replay("flights", start=yesterday, end=today)
        print(check.report.verdict, check.page)
    """
    check_range(start, end)
    settings = settings or Settings.read()
    artifact = find_artifact(settings, which)
    report = skew_replay.replay(
        InferenceLog(settings, artifact.name),
        artifact,
        through=None if through is None else inspect(through),
        policy=policy or find_policy(),
        role=role or find_role(settings, artifact),
        start=start,
        end=end,
        limit=limit,
        settings=settings,
        python=python,
        trace=trace,
        halves=halves,
        progress=progress,
    )
    return _saved(report, settings, save_as)


def compare_offline(
    which: str | Artifact,
    table: Path | str,
    *,
    on: str | Sequence[str] = (),
    role: Role | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
    label: str | None = None,
    known_at: str | None = None,
    python: str | None = None,
    versions: bool = False,
    save_as: Path | str | None = None,
    progress: Callable[[int], None] | None = None,
) -> SkewCheck:
    """Compare the log with offline predictions, save the report, and record it for the skew gate.

    Args:
        which: the artifact whose answers are used: itself or its tag, or a model's name for its
            live artifact.
        table: a CSV or Parquet file with key columns and any of: outputs (``prediction``,
            ``probability_<class>``), features by name, and transformed columns as
            ``step/column``. Its order does not matter. It is held in memory; the log is read batch
            by batch.
        on: the key columns; the contract's entity key when not given.
        role: its answers as ``live`` or as ``shadow``. When not given: live if it ever was.
        start: rows that arrived from this time on; UTC when it has no zone.
        end: rows that arrived before this time.
        policy: the tolerances and limits; when not given, those of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.
        label: the table's column of the label (ground truth), to detect leakage.
        known_at: the table's column of the time at which a row's values were known.
        python: the interpreter of another environment, to run a sample of diverging rows in too.
        versions: also try the other versions of the artifact in the store.
        save_as: where to save the report; when not given, ``reports/`` of the storage root.
        progress: called with the number of logged rows read since the last call.

    Raises:
        ArtifactError, UnknownArtifact: the artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        TableError: the table cannot be compared.
    """
    check_range(start, end)
    settings = settings or Settings.read()
    artifact = find_artifact(settings, which)
    report = table_comparison.compare_offline(
        InferenceLog(settings, artifact.name),
        artifact,
        table,
        on=on,
        policy=policy or find_policy(),
        role=role or find_role(settings, artifact),
        start=start,
        end=end,
        settings=settings,
        label=label,
        known_at=known_at,
        python=python,
        versions=versions,
        progress=progress,
    )
    return _saved(report, settings, save_as)


def diagnose(
    which: str | Artifact,
    table: Path | str | None = None,
    *,
    on: str | Sequence[str] = (),
    role: Role | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
    label: str | None = None,
    known_at: str | None = None,
    python: str | None = None,
    save_as: Path | str | None = None,
    progress: Callable[[int], None] | None = None,
) -> SkewCheck:
    """Compare as :func:`replay` or :func:`compare_offline` do, and diagnose why rows differ.

    ``check.report.diagnosis`` names the column, the step and the cause; ``None`` if the sides
    agree.

    Args:
        which: the artifact whose answers are used: itself or its tag, or a model's name for its
            live artifact.
        table: the offline side, a CSV or Parquet file; without it, the artifact is run again.
        on: the columns to join the table on; the contract's entity key when not given.
        role: its answers as ``live`` or as ``shadow``. When not given: live if it ever was.
        start: rows that arrived from this time on; UTC when it has no zone.
        end: rows that arrived before this time.
        policy: the tolerances and limits; when not given, those of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.
        label: the table's column of the label (ground truth), to detect leakage.
        known_at: the table's column of the time at which a row's values were known.
        python: the interpreter of another environment to run the rows in.
        save_as: where to save the report; when not given, ``reports/`` of the storage root.
        progress: called with the number of rows read since the last call.

    Raises:
        ArtifactError, UnknownArtifact: the artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        TableError: the table cannot be compared, or ``on``, ``label`` or ``known_at`` is given
            without one.
    """
    if table is None:
        if on or label or known_at:
            raise TableError("`on`, `label` and `known_at` name columns of a table; none is given")
        return replay(
            which,
            role=role,
            start=start,
            end=end,
            policy=policy,
            settings=settings,
            python=python,
            trace=True,
            save_as=save_as,
            progress=progress,
        )
    return compare_offline(
        which,
        table,
        on=on,
        role=role,
        start=start,
        end=end,
        policy=policy,
        settings=settings,
        label=label,
        known_at=known_at,
        python=python,
        versions=True,
        save_as=save_as,
        progress=progress,
    )


def _saved(report: Report, settings: Settings, save_as: Path | str | None) -> SkewCheck:
    path = None if save_as is None else Path(save_as)
    page = save(report.kind, report, to_html(report), settings, path)
    skew_record.record(Storage(settings), report, page)
    return SkewCheck(report, page)
