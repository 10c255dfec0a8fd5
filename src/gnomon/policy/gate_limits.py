"""The limits of a promotion's gates."""

from __future__ import annotations

import math

import msgspec

__all__ = ["GateLimits"]


class GateLimits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a shadow must meet to be promoted.

    A gate whose limit is None is not checked; the file says ``"off"``, as TOML has no null.

    Attributes:
        min_rows: the shadow must have scored at least this many rows.
        min_hours: the rows that it scored must have arrived over at least this many hours, such as
            24 for a day and a night.
        max_disagreement: share of compared rows that disagree with live beyond the noise floor.
        max_flips: share of rows whose decision is known that flip it.
        max_failed: share of rows scored or failed on which the shadow failed.
        max_latency_ratio: the shadow's scoring time divided by live's, medians of similar batch
            sizes.
        min_coverage: share of the rows the shadow should have scored that it did score.
        max_lag_rows: how many rows the shadow may be behind.
        max_skew: share of replayed rows where the artifact online and offline disagree.
        max_drifted_columns: how many inputs and outputs of the shadow may have drifted from its
            training, by the limits of ``[drift]``.
        confidence: with this probability no interval of any gate of any candidate misses the true
            value, however often you look.
        longest_burst: how many rows one after the other may be bad together, of whatever entities:
            blocks of at least so many rows are then units of evidence too. None expects none.
        max_excused: share of compared rows that excuses may cover; the gates that they concern do
            not pass beyond it.
    """

    min_rows: int = 1_000
    min_hours: float | None = None
    max_disagreement: float | None = 0.05
    max_flips: float | None = None
    max_failed: float | None = 0.01
    max_latency_ratio: float | None = 3.0
    min_coverage: float | None = 0.99
    max_lag_rows: int | None = 10_000
    max_skew: float | None = None
    max_drifted_columns: int | None = None
    confidence: float = 0.95
    longest_burst: int | None = None
    max_excused: float = 0.2

    def __post_init__(self) -> None:
        for name in (
            "max_disagreement",
            "max_flips",
            "max_failed",
            "min_coverage",
            "max_skew",
            "max_excused",
        ):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"expected `{name}` between 0 and 1, got {value}")
        for name in (
            "min_rows",
            "min_hours",
            "max_lag_rows",
            "max_latency_ratio",
            "max_drifted_columns",
        ):
            value = getattr(self, name)
            if value is not None and not 0 <= value < math.inf:
                raise ValueError(f"expected `{name}` to be 0 or more, got {value}")
        if not 0.5 <= self.confidence < 1:
            raise ValueError(f"expected `confidence` from 0.5 to below 1, got {self.confidence}")
        if self.longest_burst is not None and self.longest_burst < 1:
            raise ValueError(f"expected `longest_burst` of at least 1, got {self.longest_burst}")

    def confidence_of_each(self, candidates: int, *, others: int = 0) -> float:
        """Return the confidence of one interval of one candidate.

        The allowed error is split evenly over the gates that have an interval and over the
        candidates, so that their sum is at most the whole (Bonferroni). The number of candidates
        is that at the time of the look: of those that start later the promise is not proven.

        Args:
            candidates: how many runs of shadows there were beside the present live artifact.
            others: gates with an interval whose limits are elsewhere in the policy.

        >>> round(GateLimits(max_latency_ratio=None).confidence_of_each(5), 9)
        0.995
        """
        limits = (
            self.max_disagreement,
            self.max_flips,
            # Both rest on the interval of the share of failures.
            self.min_coverage if self.max_failed is None else self.max_failed,
            self.max_latency_ratio,
            self.max_skew,
        )
        intervals = others + sum(limit is not None for limit in limits)
        return 1 - (1 - self.confidence) / (max(intervals, 1) * max(candidates, 1))
