"""The public functions on labels and what they say of the models."""

from __future__ import annotations

from datetime import datetime

import msgspec

from gnomon.artifact import Artifact
from gnomon.notebook import NotebookTable, Tabular
from gnomon.policy import Policy, find_policy
from gnomon.rollout.defaults import find_model, tag_of
from gnomon.rollout.history import open_history
from gnomon.rollout.quality.evaluation import quality_of
from gnomon.rollout.quality.shadow_quality import ShadowQuality
from gnomon.settings import Settings

__all__ = ["QualityReport", "measure_quality"]


class QualityReport(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """The quality of shadows beside live's, by the labels of the rows that both answered.

    Attributes:
        model: the name of the model.
        live: the live artifact.
        shadows: one for each shadow.
    """

    model: str
    live: str | None
    shadows: tuple[ShadowQuality, ...]

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{self.model} by labels: shadows beside {self.live or 'nothing'}",
            verdict="",
            columns=("shadow", "metric", "live", "value", "difference", "low", "high", "rows"),
            rows=[
                (s.artifact, m.metric, m.live, m.shadow, m.difference, *m.interval, m.rows)
                for s in self.shadows
                for m in s.metrics
            ],
        )


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
        LogError: there is no log of the model.
        PolicyError: the policy names a metric or feature that the artifacts do not have.
        RolloutError: nothing is live, or the answers are not of a kind that has labels.
        SettingsError: no model is given, and there is none, or more than one.

    Example::

        for shadow in gnomon.measure_quality("flights").shadows:
            for metric in shadow.metrics:
                print(shadow.artifact, metric.metric, metric.difference, metric.interval)
    """
    settings, policy = settings or Settings.read(), policy or find_policy()
    model = find_model(settings, which)
    history = open_history(settings, model)
    history.refresh()
    state = history.state
    tag = None if which is None else tag_of(which)
    tags = (
        [tag] if tag is not None and ":" in tag else [t for t in state.shadows if t != state.live]
    )
    return QualityReport(
        model=model,
        live=state.live,
        shadows=tuple(
            quality_of(settings, model, state, shadow, policy, start=start, end=end)
            for shadow in tags
        ),
    )
