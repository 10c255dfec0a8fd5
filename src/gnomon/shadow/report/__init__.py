"""The report of a comparison: one struct, shown in the terminal, as JSON and as one HTML page."""

from gnomon.shadow.report.html import to_html
from gnomon.shadow.report.intervals import share
from gnomon.shadow.report.model import (
    Axis,
    Bucket,
    Cell,
    Column,
    Count,
    Coverage,
    Diagnosis,
    Distribution,
    Example,
    Impact,
    Report,
    Rung,
    Share,
    Subject,
    Summary,
    TableUse,
    Timeline,
    Value,
    Verdict,
    Walk,
)
from gnomon.shadow.report.terminal import print_report

__all__ = [
    "Axis",
    "Bucket",
    "Cell",
    "Column",
    "Count",
    "Coverage",
    "Diagnosis",
    "Distribution",
    "Example",
    "Impact",
    "Report",
    "Rung",
    "Share",
    "Subject",
    "Summary",
    "TableUse",
    "Timeline",
    "Value",
    "Verdict",
    "Walk",
    "print_report",
    "share",
    "to_html",
]
