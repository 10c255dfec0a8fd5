"""The gates of a watch window, whose failure undoes the promotion."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.compute as pc

from gnomon.errors import RolloutError
from gnomon.log import InferenceLog, Snapshot, input_column
from gnomon.policy import GateLimits, Policy
from gnomon.quantities import percent
from gnomon.rollout.evidence.evidence import CLOCKS_APART, Evidence, ShadowRows, count, logged
from gnomon.rollout.evidence.evidence_range import EvidenceRange
from gnomon.rollout.evidence.excuse import active
from gnomon.rollout.gate import Gate, Gates
from gnomon.rollout.gates import share_gates
from gnomon.rollout.gates.excuse_evidence import gather_unexcused, with_excuses
from gnomon.rollout.gates.latency_gate import latency_gate
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.rollout.watch_window import WATCHABLE, Watch
from gnomon.shadow.heartbeats import NO_REPORTS, Heartbeats

__all__ = ["evaluate_watch", "would_roll_back"]

_ANSWERS = ("answered", "failed", "timed_out")
"""Outcomes of rows that reached the live artifact. Rejected and shed rows say nothing about it."""


def evaluate_watch(
    log: InferenceLog, state: RolloutState, policy: Policy, reports: Heartbeats = NO_REPORTS
) -> Gates:
    """Evaluate the gates of the watch window, on the rows since the promotion.

    One that fails is a reason to roll back. They have the policy's confidence together, as a
    decision of their own.

    Args:
        log: the model's log.
        state: the rollout, whose live artifact is watched.
        policy: the limits.
        reports: the last reports of the slices, which say whether the noise floor is measured.

    Raises:
        RolloutError: nothing is watched.
    """
    watch = state.watch
    if watch is None:
        raise RolloutError("the present live artifact is not in a watch window")
    shadow = state.shadows.get(watch.previous) if watch.shadow else None
    confidence = policy.gates.confidence_of_each(1)
    last_row = None
    with log.snapshot() as snapshot:
        read = EvidenceRange.of(
            snapshot,
            policy.gates,
            since=watch.since,
            start=watch.at,
            confidence=confidence,
            entity_key=() if shadow is None else shadow.entity_key,
        )
        gates = list(_of_live(snapshot, watch, shadow, policy.gates, confidence))
        if shadow is not None:
            # The promotion rested on those that had an effect then.
            excuses = active(state.excuses, watch.artifact, watch.at, datetime.now(UTC))
            evidence = gather_unexcused(
                snapshot, state, policy, shadow, watch.artifact, excuses, reports
            )
            gates += _against_previous(watch, evidence, policy.gates, confidence)
            last_row = evidence.last_row
    return Gates(
        artifact=watch.artifact,
        live=watch.previous,
        gates=tuple(gates),
        last_row=last_row,
        policy=policy,
        read=read,
    )


def would_roll_back(watch: Watch, limits: GateLimits) -> tuple[str, ...]:
    """Return the conditions under which the promotion is undone, in words."""
    old, ratio = watch.previous, limits.max_latency_ratio
    conditions = {
        "failed": _above(limits.max_failed, "of its rows fail"),
        "latency": None
        if ratio is None
        else f"it takes more than {ratio:g} times as long as {old}",
        "disagreement": _above(limits.max_disagreement, f"of its rows disagree with {old}"),
        "flips": _above(limits.max_flips, f"of its decisions differ from those of {old}"),
    }
    compared = WATCHABLE if watch.shadow else WATCHABLE[:1]
    return tuple(
        condition
        for name, condition in conditions.items()
        if condition is not None and name in watch.gates and name in compared
    )


def _above(limit: float | None, what: str) -> str | None:
    return None if limit is None else f"more than {percent(limit, 2)} {what}"


def _of_live(
    log: Snapshot,
    watch: Watch,
    shadow: Shadow | None,
    limits: GateLimits,
    confidence: float,
) -> Iterator[Gate]:
    """Judge the live artifact's own failures."""
    if limits.max_failed is None or "failed" not in watch.gates:
        return
    entity_key = logged(log, () if shadow is None else shadow.entity_key)
    rows = count(_live_rows(log, watch, entity_key), entity_key, limits.longest_burst)
    evidence = Evidence(rows, ShadowRows())
    yield share_gates.failed_gate(limits.max_failed, confidence, evidence)


def _against_previous(
    watch: Watch, evidence: Evidence, limits: GateLimits, confidence: float
) -> Iterator[Gate]:
    """Judge the live artifact against the reverse shadow."""
    if limits.max_latency_ratio is not None and "latency" in watch.gates:
        new_against_old = replace(evidence, times=evidence.live_times, live_times=evidence.times)
        yield latency_gate(
            limits.max_latency_ratio,
            confidence,
            new_against_old,
            who=watch.artifact,
            than=watch.previous,
        )
    if limits.max_disagreement is not None and "disagreement" in watch.gates:
        gate = share_gates.disagreement_gate(limits.max_disagreement, confidence, evidence)
        yield with_excuses(gate, evidence, limits.max_excused)
    if limits.max_flips is not None and "flips" in watch.gates:
        gate = share_gates.flips_gate(limits.max_flips, confidence, evidence)
        yield with_excuses(gate, evidence, limits.max_excused)


def _live_rows(log: Snapshot, watch: Watch, entity_key: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the live artifact's rows since the promotion, in the form of a shadow's."""
    columns = [
        "request_id", "row", "arrived", "outcome", "error_code", "epoch",
        *map(input_column, entity_key),
    ]  # fmt: skip
    start = watch.at - CLOCKS_APART
    for batch in log.scan(columns=columns, role="live", artifact=watch.artifact, start=start):
        since = pc.greater_equal(batch.column("epoch"), watch.since)
        rows = batch.filter(pc.and_(since, pc.is_in(batch.column("outcome"), pa.array(_ANSWERS))))
        answered = pc.equal(rows.column("outcome"), "answered")
        outcome = pc.if_else(answered, "scored", rows.column("outcome"))
        unknown = pa.nulls(rows.num_rows, pa.bool_())
        rows = rows.set_column(rows.schema.get_field_index("outcome"), "outcome", outcome)
        for name in ("agreed", "flipped"):
            rows = rows.append_column(name, unknown)
        yield rows.append_column("difference", pa.nulls(rows.num_rows, pa.float64()))
