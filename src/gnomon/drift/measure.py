"""Measure drift: one pass over a range of the log, then the steps on a sample of its rows."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import pyarrow as pa

from gnomon.artifact import Artifact
from gnomon.contract import Contract
from gnomon.drift.bins import Bins
from gnomon.drift.column_reader import ColumnReader
from gnomon.drift.drift_counts import DriftBatch, DriftCounts
from gnomon.drift.drift_report import Alert, DriftReport
from gnomon.drift.drift_summary import DriftFinding
from gnomon.drift.segments import Segments
from gnomon.errors import PolicyError
from gnomon.log import InferenceLog
from gnomon.log.snapshot import Role
from gnomon.offline.logged import Range, Rows
from gnomon.offline.paired_rows import Pairs, RowSample, about, row_ids, row_places, seconds
from gnomon.offline.rerun import Rerun
from gnomon.offline.time_buckets import FROM_MINUTES, moved, wider
from gnomon.policy import Policy
from gnomon.report import Axis, Subject
from gnomon.settings import Settings
from gnomon.worker import WorkerClient

__all__ = ["Measurement", "frozen", "measure"]

STEP_ROWS = 10_000
"""How many rows are run again for the step columns."""

_MOST_BUCKETS = 60
_FEWEST_BUCKETS = 6
_FEWEST_ROWS = 200
"""Buckets are widened until they have this many rows on average: with 20 bins, chance alone gives a
PSI of up to 0.2 on 200 rows."""


def measure(
    log: InferenceLog,
    artifact: Artifact,
    *,
    policy: Policy | None = None,
    role: Role = "live",
    start: datetime | None = None,
    end: datetime | None = None,
    split_by: str | None = None,
    step_rows: int = STEP_ROWS,
    settings: Settings | None = None,
    progress: Callable[[int], None] | None = None,
) -> DriftReport:
    """Measure how far an artifact's requests and answers differ from its training data.

    The log is read once; memory does not grow with it.

    Args:
        policy: the limits, in its ``[drift]``.
        role: whether the artifact answered as ``live`` or as ``shadow``.
        start: rows that arrived from this time on.
        end: rows that arrived before this time.
        split_by: a feature to split the rows by.
        step_rows: how many rows to run again, in a worker, for the step columns; 0 for none.
        settings: settings of the worker.
        progress: called with the number of logged rows read since the last call.

    Raises:
        LogError: there is no log of the model.
        PolicyError: ``split_by`` is not a feature.
    """
    policy, settings = policy or Policy(), settings or Settings.read()
    measurement = Measurement(artifact, split_by=split_by, step_rows=step_rows)
    with log.snapshot() as snapshot:
        source = Range(snapshot, artifact, role, start, end)
        for part in source.chunks():
            measurement.add(part)
            if progress:
                progress(part.num_rows)
    measurement.trace(settings)
    words = ["gnomon", "drift", artifact.tag, *source.options()]
    words += ["--split-by", split_by] if split_by else []
    words += ["--step-rows", str(step_rows)] if step_rows != STEP_ROWS else []
    return measurement.report(policy, role, shlex.join(words))


def frozen(artifact: Artifact) -> list[Bins]:
    """Return the bins of an artifact's training profile."""
    texts = [f for f in artifact.contract.features if f.type in ("string", "category")]
    domains = {f.name: [*map(str, f.domain)] for f in texts if f.domain}
    times = _times(artifact)
    bins = []
    for row in artifact.profile().to_pylist():
        domain = domains.get(row["name"]) if row["kind"] == "input" else None
        is_time = (row["kind"], row["name"]) in times
        bins.append(Bins.read(row, domain, is_time=is_time))
    return bins


def _times(artifact: Artifact) -> set[tuple[str, str]]:
    """Return the columns that are timestamps, by kind and name."""
    inputs = {("input", f.name) for f in artifact.contract.features if f.type == "timestamp"}
    steps = {("step", f.name) for f in artifact.golden().schema if pa.types.is_timestamp(f.type)}
    return inputs | steps


class Measurement:
    """Counts of an artifact's rows, and a sample of them to run again.

    Attributes:
        counts: counts of inputs and outputs, over every row.
        steps: counts of the step columns, over the sample.
    """

    def __init__(
        self, artifact: Artifact, *, split_by: str | None = None, step_rows: int = 0
    ) -> None:
        self._artifact = artifact
        bins = frozen(artifact)
        self.counts = DriftCounts([b for b in bins if b.kind != "step"])
        self.steps = DriftCounts([b for b in bins if b.kind == "step"])
        self._split_by = split_by
        self._segments = (
            None
            if split_by is None
            else Segments(_bins_of_feature(split_by, bins, artifact.contract))
        )
        self._sample = RowSample(step_rows) if step_rows else None

    def add(self, rows: Rows) -> None:
        """Count rows of the log."""
        facts = about(rows, self._artifact.contract, rows.inputs.select([]))
        columns = _columns("input", rows.inputs) | _columns("output", rows.outputs)
        self.counts.add(self._batch(columns, facts, rows.inputs))
        if self._sample is not None:
            places = row_places(facts)
            self._sample.add(places, Pairs(facts, rows.inputs, rows.outputs))

    def trace(self, settings: Settings) -> None:
        """Run the sample again and count the output of each step."""
        pairs = self._sample.pairs() if self._sample is not None else None
        if pairs is None:
            return
        schema, names = self._artifact.contract.input_schema, [c.bins.name for c in self.steps]
        batch = pairs.left.cast(schema).combine_chunks().to_batches()[0]
        with WorkerClient(self._artifact, settings) as client:
            rerun = Rerun(client, self._artifact, settings)
            scorable = rerun.good(batch)
            traced = rerun.trace(batch.take(pa.array(scorable)), names)
        pairs = pairs.take(scorable)
        self.steps.add(self._batch(_columns("step", traced), pairs.about, pairs.left))

    def report(self, policy: Policy, role: Role, command: str) -> DriftReport:
        """Build the report of the rows counted so far."""
        _settle(self.counts, self.steps)
        contract, artifact = self._artifact.contract, self._artifact
        reader = ColumnReader(
            policy.drift, contract, self.counts.seconds, segments=self._segments is not None
        )
        counted = [c for part in (self.counts, self.steps) if part.rows for c in part]
        columns = tuple(reader.column(c) for c in counted)
        alerts = _without_consequences(alert for c in counted for alert in reader.alerts(c))
        buckets = self.counts.buckets
        start, end = (
            (reader.iso(buckets[0]), reader.iso(buckets[-1] + 1)) if buckets else (None,) * 2
        )
        finding = DriftFinding(
            artifact=artifact.tag,
            role=role,
            rows=self.counts.rows,
            seconds=self.counts.seconds,
            start=start,
            columns=columns,
            alerts=alerts,
        )
        return DriftReport(
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            title=finding.title(),
            verdict=finding.verdict,
            summary=finding.summary(),
            subject=Subject(
                model=artifact.name, artifact=artifact.tag, digest=artifact.digest, role=role
            ),
            rows=self.counts.rows,
            traced=self.steps.rows,
            axis=Axis(label=contract.event_time or "arrival", unit="UTC"),
            seconds=self.counts.seconds,
            by=self._split_by,
            start=start,
            end=end,
            columns=columns,
            alerts=alerts,
            policy=policy.digest,
            command=command,
        )

    def _batch(
        self, columns: dict[tuple[str, str], pa.Array], facts: pa.Table, inputs: pa.Table
    ) -> DriftBatch:
        segments = None
        if self._segments is not None:
            segments = self._segments.of(_combined(inputs.column(self._segments.bins.name)))
        entities = facts.column("unit") if self._artifact.contract.entity_key else None
        return DriftBatch(
            columns, seconds(facts.column("time")), row_ids(facts), segments, entities
        )


def _without_consequences(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Keep changes where they begin.

    A step column is left out if an input, or an earlier step, changes in the same bucket.
    """
    first_alerts: list[Alert] = []
    changed: set[tuple[str, str | None]] = set()
    for alert in sorted(alerts, key=lambda a: ("input", "step", "output").index(a.kind)):
        change = (alert.since, alert.segment)
        if alert.kind == "step" and change in changed:
            continue
        changed.add(change)
        first_alerts.append(alert)
    return tuple(first_alerts)


def _bins_of_feature(feature: str, bins: list[Bins], contract: Contract) -> Bins:
    matches = [b for b in bins if b.kind == "input" and b.name == feature]
    if not matches:
        names = ", ".join(f.name for f in contract.features)
        raise PolicyError(
            f"there is no feature `{feature}` to split rows by", hint=f"the features are {names}"
        )
    return matches[0]


def _columns(kind: str, table: pa.Table) -> dict[tuple[str, str], pa.Array]:
    pairs = zip(table.column_names, table.columns, strict=True)
    return {(kind, name): _combined(column) for name, column in pairs}


def _combined(column: pa.ChunkedArray) -> pa.Array:
    array = column.combine_chunks()
    return array.chunk(0) if isinstance(array, pa.ChunkedArray) else array


def _settle(counts: DriftCounts, steps: DriftCounts) -> None:
    """Widen buckets until they are few enough, and most of them have enough rows."""
    while counts.buckets and _too_fine(counts) and counts.widen():
        pass
    while steps.rows and steps.seconds < counts.seconds and steps.widen():
        pass


def _too_fine(counts: DriftCounts) -> bool:
    buckets, to = counts.buckets, wider(FROM_MINUTES, counts.seconds)
    if len(buckets) > _MOST_BUCKETS:
        return True
    if to is None or len({moved(b, counts.seconds, to) for b in buckets}) < _FEWEST_BUCKETS:
        return False
    return bool(counts.rows / len(buckets) < _FEWEST_ROWS)
