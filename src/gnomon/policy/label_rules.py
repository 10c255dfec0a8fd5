"""Which row a label is about, and when it is late."""

from __future__ import annotations

import math
from datetime import timedelta

import msgspec

__all__ = ["LabelRules"]

_MOST_DAYS = 36_500


class LabelRules(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How labels are read.

    Attributes:
        match_within_hours: a label that names an entity and a time is about the last request of the
            entity that arrived at most so many hours before, if the contract has no event time.
        late_after_days: a label that is known later than this after its request is late. It counts
            as any other.
    """

    match_within_hours: float = 24.0
    late_after_days: float = 30.0

    def __post_init__(self) -> None:
        for name, most in (
            ("match_within_hours", 24 * _MOST_DAYS),
            ("late_after_days", _MOST_DAYS),
        ):
            value = getattr(self, name)
            if not 0 <= value <= most or math.isnan(value):
                raise ValueError(f"expected `{name}` from 0 to {most:,}, got {value}")

    @property
    def match_within(self) -> timedelta:
        """:attr:`match_within_hours` as a duration."""
        return timedelta(hours=self.match_within_hours)

    @property
    def late_after(self) -> timedelta:
        """:attr:`late_after_days` as a duration."""
        return timedelta(days=self.late_after_days)
