"""Drift: what is served against the training profile, over time and by segment."""

from gnomon.drift.counted import Counts, DriftBatch
from gnomon.drift.drift_document import print_report, to_html
from gnomon.drift.measure import measure
from gnomon.drift.model import Alert, DriftColumn, DriftReport, Effect

__all__ = [
    "Alert",
    "Counts",
    "DriftBatch",
    "DriftColumn",
    "DriftReport",
    "Effect",
    "measure",
    "print_report",
    "to_html",
]
