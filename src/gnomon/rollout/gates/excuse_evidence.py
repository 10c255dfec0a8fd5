"""Find the rows that excuses cover, and say in the gates what they left out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa
from msgspec import structs

from gnomon.artifact import inspect
from gnomon.errors import GnomonError
from gnomon.log import Snapshot, output_column
from gnomon.policy import Policy, Rules
from gnomon.quantities import percent
from gnomon.rollout.evidence.evidence import CLOCKS_APART, Evidence, gather, shadow_rows
from gnomon.rollout.evidence.excuse import RecordedExcuse, excused_columns
from gnomon.rollout.evidence.excused_rows import (
    ExcusedCounts,
    ExcusedRows,
    WithoutColumns,
    compared_without,
    differing,
)
from gnomon.rollout.evidence.outlook import action
from gnomon.rollout.gate import Gate
from gnomon.rollout.gates.noise_floor import is_floor_off, is_noise_awaited, measured_share
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.shadow.heartbeats import Heartbeats

__all__ = ["excused_rows", "gather_unexcused", "with_excuses"]


def excused_rows(
    log: Snapshot,
    policy: Policy,
    excuses: Sequence[RecordedExcuse],
    *,
    shadow: str,
    live: str,
    epoch: int | None = None,
    start: datetime | None = None,
) -> ExcusedRows | None:
    """Return what takes the excused rows out; None without an excuse.

    For an excused column the rows that disagree are compared again, on the other columns and by
    the present policy. That needs the contracts of both artifacts; without one of them, or if no
    other column is left, the column is not excused.

    Args:
        log: a snapshot of the model's log.
        policy: has the tolerances.
        excuses: those that have an effect now.
        shadow: the tag of the shadow.
        live: the tag it is compared with.
        epoch: the rollout epoch in which this run of the shadow began; None for all its runs.
        start: when it began.
    """
    if not excuses:
        return None
    segments = [e for e in excuses if e.excuse.feature is not None]
    columns = [e for e in excuses if e.excuse.column is not None]
    rules = _rules_without(columns, policy, shadow, live) if columns else None
    if rules is None:
        return ExcusedRows(segments)
    outputs = tuple(output_column(name) for name in rules.comparators)
    parts = []
    since = None if start is None else start - CLOCKS_APART
    rows = shadow_rows(log, shadow, live, outputs, epoch=epoch, start=since)
    for batch in rows:
        parts.append(differing(batch))
    without: dict[str, WithoutColumns] = {}
    if parts:
        without = compared_without(log, pa.Table.from_batches(parts), live, rules)
    return ExcusedRows(segments, columns, without)


def gather_unexcused(
    log: Snapshot,
    state: RolloutState,
    policy: Policy,
    shadow: Shadow,
    live: str,
    excuses: Sequence[RecordedExcuse],
    reports: Heartbeats,
) -> Evidence:
    """Gather the evidence on a run of a shadow, without the rows that are excused.

    Args:
        log: a snapshot of the model's log.
        state: the rollout.
        policy: has the tolerances, how many rows may be bad together, and the noise floor.
        shadow: the run.
        live: the tag it is compared with.
        excuses: those that have an effect now.
        reports: those of the slices, which say whether the noise floor is measured.
    """
    share = measured_share(state, reports)
    evidence = gather(
        log,
        shadow=shadow.artifact,
        live=live,
        epoch=shadow.since,
        start=shadow.at,
        live_at=state.live_at,
        entity_key=shadow.entity_key,
        longest_burst=policy.gates.longest_burst,
        noise_awaited=share is not None or is_noise_awaited(state, policy),
        noise_share=share,
        excused=excused_rows(
            log,
            policy,
            excuses,
            shadow=shadow.artifact,
            live=live,
            epoch=shadow.since,
            start=shadow.at,
        ),
        excused_noise=excused_rows(log, policy, excuses, shadow=live, live=live, start=shadow.at),
    )
    return evidence.without_noise() if is_floor_off(state, policy) else evidence


def _rules_without(
    columns: Sequence[RecordedExcuse], policy: Policy, shadow: str, live: str
) -> Rules | None:
    """Return how the outputs that are not excused are compared; None if there are none."""
    try:
        contract, other = inspect(shadow).contract, inspect(live).contract
    except GnomonError:
        return None
    excused = {name for e in columns for name in excused_columns(e.excuse, contract.outputs)}
    fields = [
        field
        for field in contract.output_schema
        if field.name in other.output_schema.names and field.name not in excused
    ]
    rules = policy.rules(pa.schema(fields), outputs=contract.compared_as)
    return rules if rules.comparators else None


def with_excuses(gate: Gate, evidence: Evidence, most: float) -> Gate:
    """Say in a gate of disagreement or flips which of its rows are excused.

    It does not pass if more than the share ``most`` of them is.
    """
    counts = [each for each in evidence.excused if each.rows or each.decided]
    for each in evidence.excused:
        if each not in counts:
            covers = "; ".join(map(str, each.excuses))
            gate = structs.replace(gate, says=f"{gate.says}; no row is excused by {covers}")
    if not counts:
        return gate
    flips = gate.name == "flips"
    bad, kind = ("flipped", "flipping") if flips else ("disagreed", "disagreeing")
    excused = sum(getattr(each, bad) for each in counts)
    total = getattr(evidence.shadow, bad) + excused
    reasons = "; ".join(str(excuse) for each in counts for excuse in each.excuses)
    rows = sum(_rows(each, flips) for each in counts)
    says = f"{gate.says}; of {total:,} {kind} rows {excused:,} are excused ({reasons})"
    gate = structs.replace(gate, says=says, excused=rows)
    left_out = sum(_rows(each, flips) for each in counts if each.left_out)
    of = (evidence.shadow.decided if flips else evidence.shadow.compared) + left_out
    if rows <= most * of or gate.verdict == "fail":
        return gate
    counted = f"{rows - left_out:,} counted as {'not flipping' if flips else 'agreeing'}"
    return structs.replace(
        gate,
        verdict="unknown",
        says=f"{gate.says}; {rows:,} of {of:,} rows are excused ({percent(rows / of, 2)}: "
        f"{left_out:,} left out, {counted}); limit {percent(most, 2)}",
        awaits=action("no number of rows decides it: end an excuse, or raise `max_excused`"),
    )


def _rows(counts: ExcusedCounts, flips: bool) -> int:
    """Return the rows of a gate that are excused."""
    return counts.decided if flips else counts.rows
