"""Drift: served data compared with the training profile, over time and by segment."""

from gnomon.drift.drift_counts import DriftBatch, DriftCounts
from gnomon.drift.drift_document import print_report, to_html
from gnomon.drift.drift_report import Alert, DriftColumn, DriftReport, Effect
from gnomon.drift.measure import measure

__all__ = [
    "Alert",
    "DriftBatch",
    "DriftColumn",
    "DriftCounts",
    "DriftReport",
    "Effect",
    "measure",
    "print_report",
    "to_html",
]
