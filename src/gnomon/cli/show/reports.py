"""Saved reports as a table."""

from __future__ import annotations

from collections.abc import Iterable

from rich.markup import escape
from rich.table import Table

from gnomon.cli.console import columns, local
from gnomon.printable import printable
from gnomon.report.saved import SavedReport

__all__ = ["show_reports"]


def show_reports(reports: Iterable[SavedReport]) -> Table:
    """A row for each report, with its page below the finding."""
    table = columns("when", "kind", "artifact", "role", "verdict", "finding", whole=("when",))
    for report in reports:
        table.add_row(
            local(report.created),
            report.kind,
            escape(printable(report.artifact)),
            escape(printable(report.role)),
            escape(printable(report.verdict)),
            f"{escape(printable(report.title))}\n[dim]{escape(printable(report.page))}[/]",
        )
    return table
