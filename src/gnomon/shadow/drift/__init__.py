"""Drift: what is served against the training profile, over time and by segment."""

from gnomon.shadow.drift.counted import Batch, Counts
from gnomon.shadow.drift.measure import measure
from gnomon.shadow.drift.model import Alert, Column, DriftReport, Effect

__all__ = ["Alert", "Batch", "Column", "Counts", "DriftReport", "Effect", "measure"]
