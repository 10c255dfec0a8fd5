"""The public queries on one deployment: its log, its history, its gates and its reports.

Unless they are given, the storage root is read from the environment and its only model is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gnomon.artifact import Artifact
from gnomon.log import InferenceLog
from gnomon.log.snapshot import Role
from gnomon.notebook import NotebookTable, Tabular
from gnomon.policy import Policy, find_policy
from gnomon.report.saved import SavedReports, list_reports
from gnomon.rollout.decisions.gate_checks import check, check_on_history
from gnomon.rollout.gate import Gates
from gnomon.rollout.history import RolloutEvent, RolloutState, newest_history
from gnomon.rollout.history.past_state import PastState, state_at
from gnomon.rollout.named_artifacts import find_model, model_of, tag_of
from gnomon.settings import Settings
from gnomon.time_range import check_range

__all__ = [
    "RolloutHistory",
    "check_gates",
    "check_gates_on_history",
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

    What :func:`promote` would refuse whatever the gates say, such as other content under the tag
    than what is in shadow, is in ``refused``, and the verdict then is ``fail``.

    Args:
        artifact: a tag, such as ``flights:latest``, or what :func:`~gnomon.pack` returned; a
            model's name alone means its newest version.
        policy: the limits; when not given, the policy of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: it is no running shadow, and does not pass inspection.
        PolicyError: the policy names an output that it does not have.
        RolloutError: nothing is live, it is live itself, or a combined artifact.
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
    are left out. Nothing is recorded, and a promotion still needs a shadow. A combined artifact is
    never promoted, which ``refused`` says.

    Args:
        artifact: a tag, such as ``flights:latest``, or what :func:`~gnomon.pack` returned; a
            model's name alone means its newest version.
        start: requests from this time on; UTC when it has no zone.
        end: requests before this time.
        policy: the limits; when not given, the policy of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        PolicyError: the policy names something that the artifacts do not have.
        RolloutError: nothing is live, it is live, or labels cannot be compared with its answers.
    """
    check_range(start, end)
    tag = tag_of(artifact)
    return check_on_history(
        settings or Settings.read(),
        model_of(tag),
        tag,
        policy or find_policy(),
        start=start,
        end=end,
    )
