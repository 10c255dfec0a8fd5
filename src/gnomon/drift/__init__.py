"""Drift: what is served against the training profile, over time and by segment."""

from gnomon.drift.counted import Batch, Counts
from gnomon.drift.document import print_report, to_html
from gnomon.drift.measure import measure
from gnomon.drift.model import Alert, Column, DriftReport, Effect

__all__ = [
    "Alert",
    "Batch",
    "Column",
    "Counts",
    "DriftReport",
    "Effect",
    "measure",
    "print_report",
    "to_html",
]
