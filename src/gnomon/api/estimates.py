"""The public function on performance estimated before labels."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from gnomon.artifact import Artifact, inspect
from gnomon.errors import RolloutError
from gnomon.estimates.estimate_report import EstimateReport
from gnomon.estimates.estimation import EstimatedRows, estimate
from gnomon.estimates.reference_table import read_reference
from gnomon.log import InferenceLog
from gnomon.log.snapshot import Role
from gnomon.policy import Policy, find_policy
from gnomon.rollout.history import History, newest_history
from gnomon.rollout.history.shadow_runs import has_run
from gnomon.rollout.named_artifacts import find_model, find_role, version_of
from gnomon.rollout.quality.known_labels import known_labels
from gnomon.rollout.quality.measure import ComparedArtifacts
from gnomon.settings import Settings
from gnomon.time_range import check_range, in_utc

__all__ = ["estimate_quality"]


def estimate_quality(
    which: str | Artifact | None = None,
    *,
    reference: str | Path | None = None,
    label: str = "label",
    start: datetime | None = None,
    end: datetime | None = None,
    chunk: timedelta | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
) -> EstimateReport:
    """Estimate the quality of live and its shadows before labels are known, by chunk of time.

    It assumes that the labels still follow from the inputs as they did in the reference; a change
    of that is only seen in labels. No gate rests on it.

    Args:
        which: an artifact or its tag; live and all running shadows of a model by its name, or of
            the only model under the storage root when not given.
        reference: a CSV or Parquet file with labelled rows, which the artifact was not trained on.
            When not given, labelled rows of the log are the reference: those that arrived before
            ``start`` or, without it, the older half.
        label: the column of the labels in ``reference``.
        start: rows that arrived from this time on are estimated; UTC when it has no zone.
        end: rows that arrived before this time are estimated.
        chunk: the least width of a chunk; when not given, as wide as it takes for 24 chunks of 500
            rows on average.
        policy: the decision, the rules of quality, the limits of drift and the confidence; when not
            given, the policy of the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        RolloutError: nothing is live, the artifact was never live nor a shadow, or the answers are
            not of a kind that has labels.
        SettingsError: no model is given, and there is none, or more than one.
        TableError: the reference cannot be read.

    Example::

        for found in gnomon.estimate_quality("flights").artifacts:
            for chunk in found.chunks:
                print(found.artifact, chunk.start, chunk.state, chunk.metrics)
    """
    check_range(start, end)
    settings, policy = settings or Settings.read(), policy or find_policy()
    model = find_model(settings, which)
    history = newest_history(settings, model)
    state = history.state
    if state.live is None:
        raise RolloutError("there is no live artifact whose quality could be estimated")
    chosen = tuple(_chosen(settings, history, which))
    live, log = inspect(state.live), InferenceLog(settings, model)
    start, end = in_utc(start), in_utc(end)
    found = []
    with log.snapshot() as snapshot:
        for artifact, role in chosen:
            run = state.shadows.get(artifact.tag) if role == "shadow" else None
            rows = EstimatedRows(
                artifact=artifact,
                role=role,
                since=None if run is None else run.at,
                start=start,
                end=end,
                chunk=chunk,
                table=None
                if reference is None
                else read_reference(Path(reference), label, artifact, settings),
            )
            answered_by = artifact if role == "live" else live
            labels = known_labels(settings, log, answered_by, policy.labels, end=end)
            asked = ComparedArtifacts(answered_by, artifact).question(policy)
            found.append(estimate(snapshot, rows, asked, labels, policy))
    return EstimateReport(model=model, live=state.live, artifacts=tuple(found))


def _chosen(
    settings: Settings, history: History, which: str | Artifact | None
) -> Iterator[tuple[Artifact, Role]]:
    """Yield the artifacts to estimate, each in its role.

    Raises:
        RolloutError: the one that is asked for has answered no row in any role.
    """
    tag = version_of(which)
    if tag is not None:
        artifact = inspect(tag)
        running: Role = "live" if artifact.tag == history.state.live else "shadow"
        if artifact.tag in (history.state.live, *history.state.shadows):
            yield artifact, running
            return
        if not has_run(history.events, artifact.tag):
            raise RolloutError(
                f"`{artifact.tag}` was never live nor a shadow, so there is no row that it "
                "answered",
                hint=f"to start it: gnomon shadow start {artifact.tag}",
            )
        yield artifact, find_role(settings, artifact)
        return
    yield inspect(str(history.state.live)), "live"
    for shadow in history.state.compared:
        yield inspect(shadow), "shadow"
