"""Print the list of saved reports."""

from __future__ import annotations

from collections.abc import Iterable

from rich.text import Text

from gnomon.cli.console import local, out
from gnomon.report.saved import SavedReport

__all__ = ["show_reports"]

_COLOURS = {"ok": "green", "unknown": "yellow"}


def show_reports(reports: Iterable[SavedReport]) -> None:
    """Print each report in three lines: its subject, the finding, and the place of its page.

    The page is never wrapped, so that it can be copied or clicked.
    """
    for report in reports:
        verdict = (report.verdict, _COLOURS.get(report.verdict, "red"))
        subject = f"{report.kind} of {report.artifact}, {report.role}"
        out.print(Text.assemble((local(report.created), "dim"), "  ", subject, "  ", verdict))
        out.print(Text("  " + report.title.replace("`", "")), soft_wrap=True)
        out.print(Text("  " + report.page, "dim"), soft_wrap=True)
