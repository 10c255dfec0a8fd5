"""Reports: findings as data, a common document model, and its terminal and HTML output."""

from gnomon.report.comparison_document import print_report, to_html
from gnomon.report.counts import Column, Count, Share, Value
from gnomon.report.diagnosis import Diagnosis, Rung, Swap, Walk
from gnomon.report.halves import HalfEffect, Halves
from gnomon.report.intervals import share
from gnomon.report.model import (
    Axis,
    BaseReport,
    Bucket,
    Cell,
    Coverage,
    Distribution,
    Example,
    Impact,
    MetricsBucket,
    OverTime,
    Report,
    Subject,
    Summary,
    TableUse,
    Timeline,
    Verdict,
)

__all__ = [
    "Axis",
    "BaseReport",
    "Bucket",
    "Cell",
    "Column",
    "Count",
    "Coverage",
    "Diagnosis",
    "Distribution",
    "Example",
    "HalfEffect",
    "Halves",
    "Impact",
    "MetricsBucket",
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
