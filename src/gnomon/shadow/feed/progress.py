"""How far a shadow feed has come: counts that survive it, and what it reports each half second."""

from __future__ import annotations

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["Latency", "Progress", "Totals"]


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds the shadow's worker spent on one batch, at two quantiles of the recent ones."""

    p50: float
    p99: float


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one run of a shadow in one slice, since it was started there.

    Attributes:
        scored: rows it answered.
        failed: rows it failed on, crashes included.
        compared: scored rows whose answer compares with live's.
        disagreed: of those, the rows beyond the policy's tolerance.
        flipped: of those, the rows whose decision changes.
        apart: the sum of the compared rows' differences.
        measured: the rows that have a difference.
    """

    scored: int = 0
    failed: int = 0
    compared: int = 0
    disagreed: int = 0
    flipped: int = 0
    apart: float = 0.0
    measured: int = 0

    @property
    def done(self) -> int:
        """Rows that are no longer lagging."""
        return self.scored + self.failed

    def plus(self, records: pa.RecordBatch) -> Totals:
        """These, and a batch of the shadow's own records."""
        scored = _count(pc.equal(records.column("outcome"), "scored"))
        agreed, difference = records.column("agreed"), records.column("difference")
        compared = len(agreed) - agreed.null_count
        return Totals(
            scored=self.scored + scored,
            failed=self.failed + records.num_rows - scored,
            compared=self.compared + compared,
            disagreed=self.disagreed + compared - _count(agreed),
            flipped=self.flipped + _count(records.column("flipped")),
            apart=self.apart + float(pc.sum(difference).as_py() or 0.0),
            measured=self.measured + len(difference) - difference.null_count,
        )


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a feed tells its gateway: one JSON line on the lifeline.

    Attributes:
        position: how far in the slice's requests it has read and recorded.
        scored, failed, compared, disagreed, flipped: as in :class:`Totals`.
        lagging: rows it has still to score.
        behind_seconds: how long ago the oldest of those arrived; 0 when there is none.
        came_to_end: whether it has once read all there was since it began.
        difference: the mean over rows of their largest absolute difference.
        latency_ms: None before the first batch.
        worker: the process id of its worker.
        error: what keeps it from scoring, or from comparing.
    """

    position: str = "0:0"
    scored: int = 0
    failed: int = 0
    lagging: int = 0
    behind_seconds: float = 0.0
    came_to_end: bool = False
    compared: int = 0
    disagreed: int = 0
    flipped: int = 0
    difference: float | None = None
    latency_ms: Latency | None = None
    worker: int | None = None
    error: str | None = None

    @property
    def eligible(self) -> int:
        """Rows it is to have scored: scored, failed and lagging, to the row."""
        return self.scored + self.failed + self.lagging

    def counts(self) -> dict[str, int]:
        """Rows by what became of them."""
        names = ("scored", "failed", "lagging", "compared", "disagreed", "flipped")
        return {name: getattr(self, name) for name in names}


def _count(mask: pa.BooleanArray) -> int:
    return int(pc.sum(mask).as_py() or 0)
