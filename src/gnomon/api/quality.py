"""The public functions on labels and what they say of the models."""

from __future__ import annotations

from datetime import datetime

import pyarrow as pa

from gnomon.artifact import Artifact, inspect
from gnomon.policy import Policy, find_policy
from gnomon.rollout.history import newest_history
from gnomon.rollout.history.shadow_runs import check_ran_beside_live
from gnomon.rollout.named_artifacts import find_model, model_of, tag_of, version_of
from gnomon.rollout.quality.evaluation import compared_rows, quality_of
from gnomon.rollout.quality.quality_report import QualityReport
from gnomon.rollout.quality.question import metrics_of, unknown_metric
from gnomon.rollout.quality.wanted import wanted_rows
from gnomon.settings import Settings
from gnomon.time_range import check_range

__all__ = ["measure_quality", "wanted_labels"]


def measure_quality(
    which: str | Artifact | None = None,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
) -> QualityReport:
    """Compare shadows with live by the labels of the rows that both answered.

    Args:
        which: a shadow, running or stopped: an artifact or its tag; all running ones of a model by
            its name, or of the only model under the storage root when not given.
        start: rows that arrived from this time on; UTC when it has no zone.
        end: rows that arrived before this time.
        policy: the decision, the rules of quality and the confidence; when not given, the policy of
            the deployment in this folder.
        settings: settings with the storage root; read from the environment when not given.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        PolicyError: the policy names a metric or feature that the artifacts do not have.
        RolloutError: nothing is live, the artifact is live itself or was never a shadow of what is
            live, or the answers are not of a kind that has labels.
        SettingsError: no model is given, and there is none, or more than one.

    Example::

        for shadow in gnomon.measure_quality("flights").shadows:
            for metric in shadow.metrics:
                print(shadow.artifact, metric.metric, metric.difference, metric.interval)
    """
    check_range(start, end)
    settings, policy = settings or Settings.read(), policy or find_policy()
    model = find_model(settings, which)
    history = newest_history(settings, model)
    state, one = history.state, version_of(which)
    if one is not None:
        check_ran_beside_live(history.events, state, inspect(one).tag)
    return QualityReport(
        model=model,
        live=state.live,
        shadows=tuple(
            quality_of(settings, model, state, shadow, policy, start=start, end=end)
            for shadow in (state.compared if one is None else (one,))
        ),
    )


def wanted_labels(
    artifact: str | Artifact,
    *,
    rows: int = 200,
    metric: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    policy: Policy | None = None,
    settings: Settings | None = None,
) -> pa.Table:
    """Return the rows without a label whose labels would decide soonest, the most telling first.

    Rows on which both answers lose the same, whatever the label is, are left out: where only such
    rows are labelled, judge with the policy's ``missing = "worst_case"``.

    Args:
        artifact: a shadow, running or stopped: an artifact or its tag.
        rows: at most this many.
        metric: by this loss; the first with a limit in the policy, else the first that the
            artifacts have, when not given.
        start: rows that arrived from this time on; UTC when it has no zone.
        end: rows that arrived before this time.
        policy: the decision and the rules of quality; when not given, the policy of the deployment
            in this folder.
        settings: settings with the storage root; read from the environment when not given.

    Returns:
        ``request_id``, ``row``, ``arrived``, the entity key and the event time,
        ``live_prediction``, ``shadow_prediction``, ``effect`` (by how much the label can change
        the difference of losses on the row) and an empty ``value``. With a [decision] in the
        policy, also the output that decides, of both, and ``live_decision`` and
        ``shadow_decision``, yes or no. Filled in and saved, :func:`gnomon.import_labels` reads it.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        InvalidRequest: the end is before the start.
        LogError: there is no log of the model.
        PolicyError: the artifacts do not have this metric.
        RolloutError: nothing is live, the artifact is live itself or was never a shadow of what is
            live, or the answers are not of a kind that has labels.
    """
    check_range(start, end)
    settings, policy = settings or Settings.read(), policy or find_policy()
    tag = tag_of(artifact)
    history = newest_history(settings, model_of(tag))
    check_ran_beside_live(history.events, history.state, inspect(tag).tag)
    compared = compared_rows(
        settings, history.model, history.state, tag, policy, start=start, end=end
    )
    asked = compared.sides.question(policy)
    sides = (compared.run.live_contract, compared.run.shadow_contract)
    known = metrics_of(asked, sides)
    by = metric or next(iter((*policy.quality.limits, *known)), "none")
    if by not in known:
        raise unknown_metric(by, known, where="metric")
    chosen = known[known.index(by)]
    return wanted_rows(compared.log, compared.run, asked, compared.labels, chosen, rows)
