"""The results of comparing live and a shadow by labels, without what computes them."""

from __future__ import annotations

import msgspec

from gnomon.compare.sequential import Interval
from gnomon.policy import Metric

__all__ = ["MetricComparison", "PairedAuc"]


class MetricComparison(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The losses of live and a shadow on the same rows; smaller is better.

    Attributes:
        metric: its name.
        bound: the largest loss a row can have; a larger one counts as this.
        rows: rows with a label that both answered.
        missing: rows that both answered, old enough, without a label.
        units: of how many entities, requests or blocks the interval is.
        requests: of how many requests it also is, where these have rows of several entities; None
            where they have not.
        live: live's mean loss over the rows, each at most ``bound``; None without labels.
        shadow: the shadow's.
        difference: the shadow's minus live's.
        interval: of the mean difference over units, valid however often it is computed.
        worst_case: the same if each missing label were the best for the shadow, up to if each were
            the worst; None where that was not asked.
        possible_difference: the difference over all rows, from each missing label at its best for
            the shadow to each at its worst; None without rows.
        better: rows where the shadow's loss is smaller.
        worse: rows where it is larger.
        better_interval: of the share of the better among both; of decisions it is McNemar's test.
            None where a unit has several rows, because these may repeat each other.
        clipped: losses of both that count as the bound, because they are beyond it.
        live_clipped: of these, live's.
        shadow_clipped: of these, the shadow's.
        still_needed: about how many more rows with a label decide on which side of the limit it is;
            None if there is no limit, or no number does.
    """

    metric: Metric
    bound: float
    rows: int
    missing: int
    units: int
    live: float | None
    shadow: float | None
    difference: float | None
    interval: Interval
    worst_case: Interval | None
    possible_difference: Interval | None
    better: int
    worse: int
    better_interval: Interval | None = None
    requests: int | None = None
    clipped: int = 0
    live_clipped: int = 0
    shadow_clipped: int = 0
    still_needed: int | None = None


class PairedAuc(msgspec.Struct, frozen=True, kw_only=True):
    """The areas under both ROC curves.

    An area is not a mean of values per row, so it has no anytime-valid interval here and no gate:
    these intervals are for one look.

    Attributes:
        live: live's area.
        shadow: the shadow's.
        difference: the shadow's minus live's.
        interval: of the difference.
        positives: rows whose label is the positive class.
        negatives: the other rows with a label.
    """

    live: float
    shadow: float
    difference: float
    interval: Interval
    positives: int
    negatives: int
