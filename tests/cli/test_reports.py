"""Listing saved reports."""

from __future__ import annotations

from gnomon.report import to_html
from gnomon.report.saved import save
from gnomon.settings import Settings
from tests.cli.running import Shell
from tests.report.example import a_report


def test_reports_are_listed(shell: Shell) -> None:
    """They are listed as a table, as JSON, and for one model; an empty list is no error."""
    (shell.folder / ".gnomon").mkdir()
    report = a_report()
    model = report.subject.model
    assert "no reports are saved" in shell("reports", "--model", model).out
    root = str(shell.folder / ".gnomon")
    page = save(report.kind, report, to_html(report), Settings(root=root), None)
    text = " ".join(shell("reports", "--model", model).out.split())
    assert report.subject.artifact in text
    assert "diverged" in text
    (entry,) = shell("reports", "--model", model, "--json").json
    assert entry["title"] == report.title
    assert entry["page"].endswith(page.rpartition("/")[2])
