"""What the gates of a promotion were evaluated on, so that they can be evaluated again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from gnomon.log import Snapshot
from gnomon.log.log_position import LogPosition
from gnomon.policy import GateLimits

__all__ = ["EvidenceRange"]


class EvidenceRange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The rows and the settings of the statistics behind the gates of one shadow.

    The rows are those of the shadow that were compared with live, that have ``since`` as their
    epoch, and that :meth:`gnomon.log.log_position.LogPosition.has`. In a watch window the rows of
    live itself count too, from that epoch on. The noise floor is of the rows of live against itself
    that arrived from ``noise_start`` on. Gates on the reports of slices
    (coverage, lag) and on the last replay (skew) rest on those instead, and say so.

    Attributes:
        read_at: when the log was read.
        since: the epoch in which this run of the shadow began; its rows have it.
        start: when that was; earlier rows are not evidence.
        log: how far the log went.
        confidence: of all intervals together, over all gates and candidates.
        confidence_of_each: of one interval.
        candidates: how many runs of shadows share the allowed error.
        entity_key: the features that make rows one unit of evidence.
        longest_burst: how many units in a row may be bad together; see ``docs/policy.md``.
        noise_start: when the rows of the noise floor begin; None in evidence of earlier releases,
            which took all rows of live against itself.
    """

    read_at: datetime
    since: int
    start: datetime
    log: LogPosition
    confidence: float
    confidence_of_each: float
    candidates: int
    entity_key: tuple[str, ...] = ()
    longest_burst: int | None = None
    noise_start: datetime | None = None

    @classmethod
    def of(
        cls,
        log: Snapshot,
        limits: GateLimits,
        *,
        since: int,
        start: datetime,
        confidence: float,
        candidates: int = 1,
        entity_key: Sequence[str] = (),
    ) -> EvidenceRange:
        """Return what gates with these limits rest on, if they read this snapshot now."""
        return cls(
            read_at=datetime.now(UTC),
            since=since,
            start=start,
            log=log.position(),
            confidence=limits.confidence,
            confidence_of_each=confidence,
            candidates=max(candidates, 1),
            entity_key=tuple(entity_key),
            longest_burst=limits.longest_burst,
            noise_start=start,
        )
