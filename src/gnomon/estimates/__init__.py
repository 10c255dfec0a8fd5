"""Performance estimated before labels are known, beside what the labels later say."""

from gnomon.estimates.quality_estimate import (
    EstimatedChunk,
    MetricEstimate,
    QualityEstimate,
    Reference,
)

__all__ = ["EstimatedChunk", "MetricEstimate", "QualityEstimate", "Reference"]
