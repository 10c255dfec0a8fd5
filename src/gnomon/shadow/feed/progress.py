"""The progress of a shadow feed: counts that outlive its process, and its half-second reports."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from gnomon.shadow.shadow_counts import (
    CountsBeside,
    ShadowCounts,
    ShadowReport,
    added,
    beside_each,
)

__all__ = ["Progress", "Totals", "count"]


class Totals(ShadowCounts, frozen=True, kw_only=True):
    """Rows of one run of a shadow in one slice, since it was started there.

    Attributes:
        against: the counts by the artifact that was live.
        apart: the sum of the rows' differences.
        measured: the rows that have a difference.
    """

    against: dict[str, CountsBeside] = msgspec.field(default_factory=dict)
    apart: float = 0.0
    measured: int = 0

    def plus(self, records: pa.RecordBatch) -> Totals:
        """Return these totals plus a batch of the shadow's records."""
        difference = records.column("difference")
        counts = Totals(
            measured=len(difference) - difference.null_count, **structs.asdict(count(records))
        )
        apart = self.apart + float(pc.sum(difference).as_py() or 0.0)
        against = beside_each((self.against, _count_beside_each(records)))
        return structs.replace(added((self, counts)), apart=apart, against=against)


class Progress(ShadowReport, frozen=True, kw_only=True):
    """A feed's report to its gateway: one JSON line on the parent socket.

    Attributes:
        position: how far in the slice's requests it has read and recorded.
        came_to_end: whether it has reached the end of the requests at least once since it began.
        difference: the mean over rows of their largest absolute difference.
        worker: the process id of its worker.
    """

    position: str = "0:0"
    came_to_end: bool = False
    difference: float | None = None
    worker: int | None = None


def count(records: pa.RecordBatch) -> ShadowCounts:
    """Count a batch of a shadow's records by ``outcome``, ``agreed`` and ``flipped``."""
    scored, agreed = _true(pc.equal(records.column("outcome"), "scored")), records.column("agreed")
    compared = len(agreed) - agreed.null_count
    return ShadowCounts(
        scored=scored,
        failed=records.num_rows - scored,
        compared=compared,
        disagreed=compared - _true(agreed),
        decided=len(agreed) - records.column("flipped").null_count,
        flipped=_true(records.column("flipped")),
    )


def _count_beside_each(records: pa.RecordBatch) -> dict[str, CountsBeside]:
    """Count a batch by the artifact that was live."""
    against = records.column("against")
    parts = {
        live: records.filter(pc.equal(against, live))
        for live in against.drop_null().unique().to_pylist()
    }
    return {live: _count_beside(part) for live, part in parts.items()}


def _count_beside(records: pa.RecordBatch) -> CountsBeside:
    arrived: dict[str, datetime | None] = pc.min_max(records.column("arrived")).as_py()
    return CountsBeside(**structs.asdict(count(records)), first=arrived["min"], last=arrived["max"])


def _true(mask: pa.BooleanArray) -> int:
    return int(pc.sum(mask).as_py() or 0)
