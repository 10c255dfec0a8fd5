"""The gate of latency: how many times as long as live a shadow takes, as an interval."""

from __future__ import annotations

import math

from gnomon.compare.sequential import more_until
from gnomon.quantities import plural
from gnomon.rollout.evidence.batch_times import BatchTimes, batches_needed, times_ratio
from gnomon.rollout.evidence.evidence import Evidence
from gnomon.rollout.evidence.outlook import MissingEvidence, action, more_rows
from gnomon.rollout.gate import Gate, Verdict

__all__ = ["latency_gate"]

_AT_THE_LIMIT = (
    "no number of rows may decide it, because the ratio is at the limit: change the limit in the "
    "policy, or the artifact"
)


def latency_gate(
    limit: float,
    confidence: float,
    evidence: Evidence,
    *,
    who: str = "the shadow",
    than: str = "live",
) -> Gate:
    """Judge the ratio of the median times, averaged over the batch sizes of both.

    Sizes are weighted by the rows of the one that is judged.

    Args:
        limit: the largest ratio that passes.
        confidence: of the interval.
        evidence: has the times of the one that is judged as those of the shadow.
        who: the one that is judged, in the sentence.
        than: the one that it is compared with.
    """
    ratio = times_ratio(evidence.times, evidence.live_times, confidence)
    if ratio is None:
        return _too_few(limit, confidence, evidence, who, than)
    low, high = ratio.interval
    verdict: Verdict = "pass" if high <= limit else "fail" if low > limit else "unknown"
    return Gate(
        name="latency",
        verdict=verdict,
        says=f"{who} takes {ratio.value:.2f} times {than}'s time for batches of similar size "
        f"({plural(ratio.rows, 'row')}): {low:.2f} to {high:.2f}; limit {limit:g} times",
        limit=limit,
        value=ratio.value,
        interval=ratio.interval,
        rows=ratio.rows,
        awaits=_awaits(limit, confidence, evidence, ratio.rows) if verdict == "unknown" else None,
    )


def _awaits(limit: float, confidence: float, evidence: Evidence, rows: int) -> MissingEvidence:
    """Return how many rows decide it if the times stay as they are."""

    def decides(total: int) -> bool:
        ratio = times_ratio(evidence.times, evidence.live_times, confidence, growth=total / rows)
        return ratio is not None and (ratio.interval.high <= limit or ratio.interval.low > limit)

    more = more_until(decides, rows)
    if more is None:
        return action(_AT_THE_LIMIT)
    return more_rows(
        more, "such rows", evidence.traffic, about=True, given=" if the times stay as they are"
    )


def _too_few(limit: float, confidence: float, evidence: Evidence, who: str, than: str) -> Gate:
    """Build the gate without an interval: no size has enough batches of both."""
    missing = [_missing(size, confidence, evidence) for size in evidence.times]
    none = batches_needed(0, confidence)
    more, batches, needed = min(missing, default=(none, 0, none))
    return Gate(
        name="latency",
        verdict="unknown" if missing else "no_data",
        says=f"{plural(batches, 'batch')} each of {than} and {who} of similar size; {needed} are "
        "needed",
        limit=limit,
        rows=sum(map(evidence.times.rows, evidence.times)),
        awaits=more_rows(more, "such rows", evidence.traffic, about=True),
    )


def _missing(size: int, confidence: float, evidence: Evidence) -> tuple[int, int, int]:
    """Return the rows missing of a size, the batches that both have, and those that are needed."""
    needed = batches_needed(size, confidence)
    sides: tuple[BatchTimes, BatchTimes] = (evidence.times, evidence.live_times)
    batches = math.floor(min(times.batches(size) for times in sides))
    of_each = evidence.times.rows(size) / evidence.times.batches(size)
    return math.ceil((needed - batches) * of_each), batches, needed
