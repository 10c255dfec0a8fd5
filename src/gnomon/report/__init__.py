"""The report of a comparison: one struct, shown in the terminal, as JSON and as one HTML page."""

from gnomon.report.counts import Column, Count, Share, Value
from gnomon.report.diagnosis import Diagnosis, Rung, Swap, Walk
from gnomon.report.html import to_html
from gnomon.report.intervals import share
from gnomon.report.model import (
    Axis,
    Bucket,
    Cell,
    Coverage,
    Distribution,
    Example,
    Impact,
    Moment,
    OverTime,
    Report,
    Subject,
    Summary,
    TableUse,
    Timeline,
    Verdict,
)
from gnomon.report.terminal import print_report

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
    "Moment",
    "OverTime",
    "Report",
    "Rung",
    "Share",
    "Subject",
    "Summary",
    "Swap",
    "TableUse",
    "Timeline",
    "Value",
    "Verdict",
    "Walk",
    "print_report",
    "share",
    "to_html",
]
