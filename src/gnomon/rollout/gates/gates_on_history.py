"""The gates of an artifact on logged traffic, before it runs as a shadow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from gnomon.artifact import inspect
from gnomon.log import InferenceLog, Snapshot
from gnomon.offline.rerun import LazyRerun
from gnomon.policy import Policy
from gnomon.rollout.evidence.evidence import Evidence, ShadowRows, count
from gnomon.rollout.evidence.outlook import action
from gnomon.rollout.gate import Gate, Gates
from gnomon.rollout.gates.gates import judge
from gnomon.rollout.history import Shadow, newest_history
from gnomon.rollout.quality.known_labels import known_labels
from gnomon.rollout.quality.measure import ComparedArtifacts, run_of, tally_of
from gnomon.rollout.quality.quality_gates import quality_gates
from gnomon.rollout.quality.replayed_rows import ReplayedRows, replayed_rows
from gnomon.rollout.quality.tally import QualityTally
from gnomon.settings import Settings

__all__ = ["evaluate_on_history"]

_ONLY_RUNNING = ("max_latency_ratio", "min_coverage", "max_lag_rows", "max_skew")
"""The limits of a shadow that runs: they say nothing about a replay."""


def evaluate_on_history(
    settings: Settings,
    model: str,
    artifact: str,
    policy: Policy,
    *,
    start: datetime | None = None,
    end: datetime | None = None,
) -> Gates:
    """Replay an artifact over rows that live answered, and evaluate its gates on them.

    The bodies of these requests are decoded by its own contract and scored in a worker, as a shadow
    does. The gates that judge a running shadow are left out: latency, coverage, lag and skew. The
    noise floor is taken as 0. Nothing is recorded. Where live answered nothing in the range, the
    only gate is that of rows, and says so.

    Args:
        settings: settings with the storage root, and of the worker.
        model: the deployment's model name.
        artifact: a tag; it need not be a shadow.
        policy: the limits.
        start: rows that arrived from this time on; UTC when it has no zone.
        end: rows that arrived before this time.

    Raises:
        ArtifactError, UnknownArtifact: an artifact does not pass inspection.
        LogError: there is no log, or it cannot be read.
        PolicyError: the policy names something that the artifacts do not have.
        RolloutError: nothing is live, or it is live, or labels cannot be compared with its answers.
    """
    state = newest_history(settings, model).state
    shadow = inspect(artifact)
    live = state.live_for(shadow.tag)
    sides = ComparedArtifacts(inspect(live), shadow)
    policy.check_names(sides.shadow.tag, sides.shadow.contract.output_schema)
    log = InferenceLog(settings, model)
    run = run_of(sides, start=start, end=end)
    tally = None
    labels = known_labels(settings, log, sides.live, policy.labels, start=run.start, end=run.end)
    if policy.quality.max_increase:
        tally = tally_of(sides, run, policy)
    seen = _Seen(tally)
    key = sides.shadow.contract.entity_key
    with ExitStack() as stack:
        snapshot = stack.enter_context(log.snapshot())
        rerun = LazyRerun(stack, sides.shadow, settings)
        rows = replayed_rows(snapshot, sides, run, labels, policy, rerun, policy.quality.segments)
        by = key if set(key) <= set(sides.live.contract.input_schema.names) else ()
        counted = count(seen.records(rows), by, policy.gates.longest_burst)
        if seen.last is None:
            gate = _nothing_answered(policy, snapshot, live)
            return Gates(artifact=sides.shadow.tag, live=live, gates=(gate,))
    confidence = policy.confidence_of_each(state.candidates_with(sides.shadow.tag))
    gates = [*_gates(policy, sides, seen, counted, confidence)]
    if tally is not None:
        gates += quality_gates(policy.quality, tally.quality(confidence), is_past=True)
    advised = tuple(_advised(gate) for gate in gates)
    return Gates(artifact=sides.shadow.tag, live=live, gates=advised, last_row=seen.last)


class _Seen:
    """Passes records on to be counted, tallies paired rows, and keeps when they arrived."""

    def __init__(self, tally: QualityTally | None) -> None:
        self._tally = tally
        self.first: datetime | None = None
        self.last: datetime | None = None

    def records(self, rows: Iterator[ReplayedRows]) -> Iterator[pa.RecordBatch]:
        for part in rows:
            if self._tally is not None and part.paired.rows.num_rows:
                self._tally.add(part.paired)
            times = pc.min_max(part.records.column("arrived")).as_py()
            self.first = min(filter(None, (self.first, times["min"])), default=None)
            self.last = max(filter(None, (self.last, times["max"])), default=None)
            yield part.records


def _gates(
    policy: Policy, sides: ComparedArtifacts, seen: _Seen, counted: ShadowRows, confidence: float
) -> Iterator[Gate]:
    limits = structs.replace(policy.gates, **dict.fromkeys(_ONLY_RUNNING))
    as_shadow = Shadow(
        artifact=sides.shadow.tag,
        digest=sides.shadow.digest,
        fraction=1.0,
        since=0,
        at=seen.first or datetime.now(UTC),
    )
    evidence = Evidence(counted, ShadowRows(), last_row=seen.last)
    return judge(limits, as_shadow, evidence, confidence, replayed=True)


def _nothing_answered(policy: Policy, snapshot: Snapshot, live: str) -> Gate:
    """Return the only gate of a range without rows, with the range that has some."""
    limits = [
        pc.min_max(batch.column("arrived")).as_py()
        for batch in snapshot.scan(
            columns=["arrived"], role="live", artifact=live, outcome="answered"
        )
        if batch.num_rows
    ]
    there = f"the log has no row that {live} answered: there is no history to judge on yet"
    if limits:
        first, last = min(one["min"] for one in limits), max(one["max"] for one in limits)
        there = f"give a range between {_written(first)} and {_written(last)}"
    return Gate(
        name="rows",
        verdict="no_data",
        says=f"{live}, which is live, answered no row in this range; "
        f"{max(policy.gates.min_rows, 1):,} are needed",
        limit=policy.gates.min_rows,
        value=0,
        rows=0,
        awaits=action(there),
    )


def _written(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _advised(gate: Gate) -> Gate:
    """Return a gate with the advice that a replay allows: more rows come from a longer range."""
    awaits = gate.awaits
    if awaits is None or (awaits.rows is None and awaits.seconds is None):
        return gate
    if gate.name == "hours":
        advice = "give a range whose rows arrived over a longer time"
        return structs.replace(gate, awaits=action(advice))
    more = (
        "a longer range, or more labels" if gate.name.startswith("quality_") else "a longer range"
    )
    says = f"{awaits.says}: give {more}"
    return structs.replace(gate, awaits=structs.replace(awaits, says=says, seconds=None))
