"""The log's evidence on a shadow against the live artifact: the counts that the gates use."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from gnomon.log import Snapshot, input_column
from gnomon.rollout.evidence.batch_times import BatchTimes
from gnomon.rollout.evidence.excused_rows import ExcusedCounts, ExcusedRows
from gnomon.rollout.evidence.outlook import WINDOW, Traffic
from gnomon.rollout.evidence.settling import Settling, settling_at
from gnomon.rollout.evidence.share import BadShare
from gnomon.rollout.evidence.unit_counts import UnitCounter, UnitCounts
from gnomon.shadow.feed.progress import count as count_records
from gnomon.shadow.shadow_counts import ShadowCounts, added

__all__ = [
    "CLOCKS_APART",
    "Evidence",
    "RowReference",
    "ShadowRows",
    "count",
    "gather",
    "logged",
    "shadow_rows",
]

KEPT_EXAMPLES = 10
CLOCKS_APART = timedelta(minutes=1)
"""The clocks of the machine that decided and the one that serves may differ by this much."""


class RowReference(msgspec.Struct, frozen=True):
    """One row that disagrees, with its place in the log."""

    flipped: bool
    difference: float | None
    request_id: str
    row: int


class ShadowRows(ShadowCounts, frozen=True, kw_only=True):
    """The rows of one shadow, compared with one live artifact.

    Attributes:
        errors: failed rows by error code.
        worst: rows that disagree, flips and the largest differences first.
        units: the counts of each unit of evidence; None where only rows were counted.
    """

    errors: dict[str, int] = msgspec.field(default_factory=dict)
    worst: tuple[RowReference, ...] = ()
    units: UnitCounts | None = None

    def share(self, bad: str, of: str) -> BadShare:
        """Return the share of bad rows among the rows of a kind, both by the name of the count."""
        rows = getattr(self, bad), getattr(self, of)
        if self.units is None:
            return BadShare(*rows)
        units = self.units
        return BadShare(*rows, units.shares(bad, of), units.error_part, units.settles)


@dataclass(slots=True)
class Evidence:
    """The evidence for a verdict on a shadow, except for the reports of slices.

    Attributes:
        shadow: the shadow against live.
        noise: live against itself (A/A) in the time of the shadow's rows; the noise floor.
        noise_awaited: whether such a run goes on all the time, or should, so that what it has not
            seen yet is unknown and not 0.
        noise_share: the share of live's rows that running servers score a second time for it; None
            if none does.
        noise_error: what one of its failed rows says.
        times: how long the shadow took for its batches.
        live_times: how long the live artifact took.
        traffic: how many rows arrived recently; None where that is not known.
        first_row: when the first row that the shadow scored or failed on arrived.
        last_row: the same for the last one.
        excused: what excuses left out of the shadow's compared rows.
    """

    shadow: ShadowRows
    noise: ShadowRows
    times: BatchTimes = field(default_factory=BatchTimes)
    live_times: BatchTimes = field(default_factory=BatchTimes)
    traffic: Traffic | None = None
    first_row: datetime | None = None
    last_row: datetime | None = None
    excused: tuple[ExcusedCounts, ...] = ()
    noise_awaited: bool = False
    noise_share: float | None = None
    noise_error: str | None = None

    def without_noise(self) -> Evidence:
        """Return the same without a noise floor."""
        return replace(
            self, noise=ShadowRows(), noise_awaited=False, noise_share=None, noise_error=None
        )


def gather(
    log: Snapshot,
    *,
    shadow: str,
    live: str,
    epoch: int,
    start: datetime,
    live_at: datetime | None = None,
    entity_key: Sequence[str] = (),
    longest_burst: int | None = None,
    noise_awaited: bool = False,
    noise_share: float | None = None,
    excused: ExcusedRows | None = None,
    excused_noise: ExcusedRows | None = None,
) -> Evidence:
    """Read the log once for the shadow, once for live's times and once for the noise floor.

    Args:
        log: a snapshot of the model's log, of which all three see the same rows.
        shadow: the tag of the shadow.
        live: the tag it is compared with. Rows scored while another artifact was live are left out.
        epoch: the rollout epoch in which this run of the shadow began.
        start: when it began. Live against itself counts from then on, too: the noise of another
            time may be another.
        live_at: when live became live, since when the rate of rows is measured.
        entity_key: the features that name the entity of a row. The rows of each request are a unit
            without one, or if the log has no column of a feature.
        longest_burst: how many rows one after the other may be bad together.
        noise_awaited: see :class:`Evidence`.
        noise_share: the same.
        excused: takes the excused rows out.
        excused_noise: takes them out of the noise floor: what is noisy in live and excused would
            otherwise be subtracted from what is not excused.
    """
    entity_key = logged(log, entity_key)
    times = BatchTimes()
    now = datetime.now(UTC)
    beside = start if live_at is None else max(start, live_at)
    window = min(max(now - beside, timedelta(seconds=1)), WINDOW)
    recent = (now - window, now)
    settling = settling_at(start, now)
    began, start = start, start - CLOCKS_APART
    scored = Counter[str]()
    key = [*map(input_column, entity_key)]
    needs = key if excused is None else [*key, *(c for c in excused.needs if c not in key)]
    there = [name for name in needs if name in log.view.schema.names]
    rows = shadow_rows(log, shadow, live, there, epoch=epoch, start=start)
    if excused is not None:
        rows = excused.applied(rows)
    arrived: list[datetime] = []
    seen = _keep_arrivals(_add_times_of_each(rows, times), arrived)
    counted = count(
        _count_recent(seen, recent[0], scored), entity_key, longest_burst, recent, settling
    )
    live_times, answered = _live_times(log, live, start, recent[0])
    traffic = Traffic(
        seconds=window.total_seconds(),
        answered=answered,
        scored=scored["scored"],
        new=None if counted.units is None else counted.units.new_entities,
    )
    noise_needs = there if excused_noise is not None else key
    noise_errors: list[str] = []
    noise_rows = shadow_rows(log, live, live, [*noise_needs, "error"], start=began)
    noise_rows = _keep_error(noise_rows, noise_errors)
    if excused_noise is not None:
        noise_rows = excused_noise.applied(noise_rows)
    return Evidence(
        counted,
        count(noise_rows, entity_key, longest_burst, settling=settling),
        times,
        live_times,
        traffic,
        first_row=min(arrived, default=None),
        last_row=max(arrived, default=None),
        excused=() if excused is None else excused.counts(),
        noise_awaited=noise_awaited,
        noise_share=noise_share,
        noise_error=noise_errors[0] if noise_errors else None,
    )


def count(
    batches: Iterator[pa.RecordBatch],
    entity_key: Sequence[str] = (),
    longest_burst: int | None = None,
    window: tuple[datetime, datetime] | None = None,
    settling: Settling | None = None,
) -> ShadowRows:
    """Count a shadow's rows, with their ``outcome`` and comparison columns; see :func:`gather`.

    Entities that are new between the two times of ``window`` are counted too. ``settling`` is the
    stage of a run at which many look; without it all rows of an entity count.
    """
    total, errors = ShadowCounts(), Counter[str]()
    units = UnitCounter(entity_key, longest_burst, window, settling)
    worst: list[RowReference] = []
    for batch in batches:
        total = added((total, count_records(batch)))
        failed = batch.filter(pc.not_equal(batch.column("outcome"), "scored"))
        errors.update(pc.fill_null(failed.column("error_code"), "prediction_failed").to_pylist())
        disagreeing = batch.filter(pc.invert(batch.column("agreed")))
        worst = heapq.nlargest(KEPT_EXAMPLES, [*worst, *_worst(disagreeing)], key=_badness)
        units.add(batch)
    return ShadowRows(
        **structs.asdict(total),
        errors=errors,
        worst=tuple(worst),
        units=units.counts(),
    )


def shadow_rows(
    log: Snapshot,
    shadow: str,
    live: str,
    more: Sequence[str] = (),
    *,
    epoch: int | None = None,
    start: datetime | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a shadow that were compared with one live artifact.

    Args:
        log: a snapshot of the model's log.
        shadow: the tag of the shadow.
        live: the tag it is compared with.
        more: columns of the log, besides those of the comparison.
        epoch: only of the run that began in this rollout epoch.
        start: only rows that arrived since.
    """
    columns = [
        "request_id", "row", "arrived", "outcome", "error_code", "epoch", "against", "agreed",
        "flipped", "difference", "scored_us", "batch_rows", *more,
    ]  # fmt: skip
    for batch in log.scan(columns=columns, role="shadow", artifact=shadow, start=start):
        mask = pc.equal(batch.column("against"), live)
        if epoch is not None:
            mask = pc.and_(mask, pc.equal(batch.column("epoch"), epoch))
        yield batch.filter(mask)


def logged(log: Snapshot, features: Sequence[str]) -> Sequence[str]:
    """Return the features if the log has all of them, else none."""
    return features if set(map(input_column, features)) <= set(log.view.schema.names) else ()


def _add_times_of_each(
    batches: Iterator[pa.RecordBatch], times: BatchTimes
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        times.add(batch)
        yield batch


def _live_times(
    log: Snapshot, live: str, start: datetime, recent: datetime
) -> tuple[BatchTimes, int]:
    """Return how long live took for its batches, and how many rows it answered recently."""
    times = BatchTimes()
    answered = Counter[str]()
    columns = ["arrived", "artifact", "outcome", "scored_us", "batch_rows"]
    batches = log.scan(columns=columns, role="live", artifact=live, start=start)
    for batch in _count_recent(batches, recent, answered):
        times.add(batch.filter(pc.equal(batch.column("outcome"), "answered")))
    return times, answered["answered"]


def _keep_arrivals(
    batches: Iterator[pa.RecordBatch], arrived: list[datetime]
) -> Iterator[pa.RecordBatch]:
    """Append when the first and the last row of each batch arrived, and pass the batches on."""
    for batch in batches:
        if batch.num_rows:
            arrived += pc.min_max(batch.column("arrived")).as_py().values()
        yield batch


def _keep_error(batches: Iterator[pa.RecordBatch], errors: list[str]) -> Iterator[pa.RecordBatch]:
    """Append what the first failed row says, and pass the batches on."""
    for batch in batches:
        if not errors:
            errors += batch.column("error").drop_null()[:1].to_pylist()
        yield batch


def _count_recent(
    batches: Iterator[pa.RecordBatch], since: datetime, rows: Counter[str]
) -> Iterator[pa.RecordBatch]:
    """Count, by outcome, the rows that arrived since a time, and pass the batches on."""
    start = pa.scalar(since, pa.timestamp("us", tz="UTC"))
    for batch in batches:
        recent = batch.filter(pc.greater_equal(batch.column("arrived"), start))
        for pair in pc.value_counts(recent.column("outcome")).to_pylist():
            rows[pair["values"]] += pair["counts"]
        yield batch


def _worst(disagreeing: pa.RecordBatch) -> list[RowReference]:
    order = pc.sort_indices(disagreeing, [("flipped", "descending"), ("difference", "descending")])
    rows = disagreeing.take(order[:KEPT_EXAMPLES]).to_pylist()
    return [
        RowReference(bool(r["flipped"]), r["difference"], r["request_id"], r["row"]) for r in rows
    ]


def _badness(row: RowReference) -> tuple[bool, float]:
    return row.flipped, -1.0 if row.difference is None else row.difference
