"""How many rows a log has."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from gnomon.notebook import NotebookTable, Tabular

__all__ = ["LogRowCounts"]


@dataclass(frozen=True, slots=True)
class LogRowCounts(Tabular):
    """The number of rows in the log of one model.

    Attributes:
        model: the model's name.
        table: the columns ``role``, ``artifact``, ``outcome`` and ``rows``.
    """

    model: str
    table: pa.Table

    def overview(self) -> NotebookTable:
        """Return the counts as :class:`gnomon.notebook.Tabular` describes."""
        rows = [tuple(row.values()) for row in self.table.to_pylist()]
        return NotebookTable(
            title=f"{self.model}: {sum(row[-1] for row in rows):,} rows logged",
            verdict="",
            columns=self.table.column_names,
            rows=rows,
        )
