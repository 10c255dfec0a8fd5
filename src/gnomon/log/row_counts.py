"""How many rows a log holds."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from gnomon.notebook import NotebookTable, Tabular

__all__ = ["LogRowCounts"]


@dataclass(frozen=True, slots=True)
class LogRowCounts(Tabular):
    """Rows of the log of one model.

    Attributes:
        model: its name.
        table: ``role``, ``artifact``, ``outcome`` and ``rows``.
    """

    model: str
    table: pa.Table

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        rows = [tuple(row.values()) for row in self.table.to_pylist()]
        return NotebookTable(
            title=f"{self.model}: {sum(row[-1] for row in rows):,} rows logged",
            verdict="",
            columns=self.table.column_names,
            rows=rows,
        )
