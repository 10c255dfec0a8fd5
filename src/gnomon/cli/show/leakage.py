"""Print leakage findings, each with its evidence and what to do."""

from __future__ import annotations

from collections import Counter

from rich.markup import escape
from rich.table import Table
from rich.text import Text

from gnomon.cli.console import out
from gnomon.leakage.finding import LeakageReport, Severity

__all__ = ["findings", "show_leakage", "summary"]

MARKS = {
    "leak": ("✗ leak", "bold red"),
    "suspect": ("! suspect", "bold yellow"),
    "unknown": ("? unknown", "yellow"),
    "note": ("· note", "dim"),
}
_WORDS: dict[Severity, str] = {"leak": "proven", "suspect": "suspected", "unknown": "inconclusive"}


def show_leakage(report: LeakageReport) -> None:
    """Print the verdict, the findings, and the checks that were skipped."""
    out.print(Text(f"Leakage: {_verdict(report)}", "bold"), soft_wrap=True)
    if report.findings:
        out.print()
        out.print(findings(report))
    out.print()
    out.print(Text(_coverage_text(report), "dim"), soft_wrap=True)
    for check, reason in sorted(report.skipped.items()):
        out.print(Text(f"{check}: not checked, {reason}", "dim"), soft_wrap=True)


def findings(report: LeakageReport) -> Table:
    """Return a few lines for each finding: the finding, affected rows, and what to do."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column()
    for finding in report.findings:
        words, style = MARKS[finding.severity]
        table.add_row(Text(words, style), Text(f"{finding.check}: {finding.sentence}"))
        for example in finding.evidence.examples:
            table.add_row("", Text(example, "dim"))
        table.add_row("", f"[dim]→[/] {escape(finding.action)}")
    return table


def summary(report: LeakageReport) -> str:
    """Return the verdict and the checks that ran, in a line."""
    checks = ", ".join(dict.fromkeys([*(f.check for f in report.findings), *report.passed]))
    return f"{_verdict(report)}; looked for {checks or 'nothing'}"


def _verdict(report: LeakageReport) -> str:
    counts = Counter(finding.severity for finding in report.findings)
    words = [f"{counts[kind]} {plural}" for kind, plural in _WORDS.items() if counts[kind]]
    return ", ".join(words) if words else "none found"


def _coverage_text(report: LeakageReport) -> str:
    names = ", ".join(report.passed) or "none"
    return f"{report.rows:,} training rows; checks that found nothing: {names}"
