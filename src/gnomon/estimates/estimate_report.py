"""The estimated quality of several artifacts."""

from __future__ import annotations

import msgspec

from gnomon.estimates.quality_estimate import QualityEstimate
from gnomon.notebook import NotebookTable, Tabular

__all__ = ["EstimateReport"]


class EstimateReport(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """The estimated quality of artifacts, beside what labels say; no gate rests on it.

    Attributes:
        model: the name of the model.
        live: the live artifact.
        artifacts: live and each shadow.
    """

    model: str
    live: str | None
    artifacts: tuple[QualityEstimate, ...]

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        columns = ("artifact", "from", "to", "rows", "state", "metric", "estimate", "low", "high")
        return NotebookTable(
            title=f"{self.model}: quality estimated before labels",
            verdict="",
            columns=(*columns, "realised", "labelled", "reason"),
            rows=[
                (
                    *(found.artifact, chunk.start, chunk.end, chunk.rows, chunk.state),
                    *(metric.metric, metric.estimate, *(metric.interval or (None, None))),
                    *(metric.realised, metric.labelled, chunk.reason),
                )
                for found in self.artifacts
                for chunk in found.chunks
                for metric in chunk.metrics
            ],
        )
