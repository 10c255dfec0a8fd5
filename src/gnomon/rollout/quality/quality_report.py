"""The quality of several shadows beside live's."""

from __future__ import annotations

import msgspec

from gnomon.notebook import NotebookTable, Tabular
from gnomon.rollout.quality.shadow_quality import ShadowQuality

__all__ = ["QualityReport"]


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
