"""Decide whether a shadow may be promoted: one verdict per gate, each with its evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import structs

from gnomon.errors import RolloutError, UnreadableFile
from gnomon.log import InferenceLog
from gnomon.policy import GateLimits, Policy
from gnomon.quantities import duration, percent, plural
from gnomon.rollout.evidence.evidence import Evidence
from gnomon.rollout.evidence.evidence_range import EvidenceRange
from gnomon.rollout.evidence.excuse import active
from gnomon.rollout.evidence.outlook import (
    MissingEvidence,
    about_when,
    action,
    live_traffic,
    more_rows,
)
from gnomon.rollout.gate import Gate, Gates, Verdict, share_of
from gnomon.rollout.gates import share_gates
from gnomon.rollout.gates.excuse_evidence import gather_unexcused, with_excuses
from gnomon.rollout.gates.latency_gate import latency_gate
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.shadow.heartbeats import NO_REPORTS, Heartbeats
from gnomon.skew.skew_record import SkewRecord

__all__ = ["evaluate", "judge"]


def evaluate(
    log: InferenceLog,
    state: RolloutState,
    policy: Policy,
    artifact: str,
    *,
    reports: Heartbeats = NO_REPORTS,
    skew: SkewRecord | UnreadableFile | None = None,
    drift: Sequence[Gate] = (),
    quality: Sequence[Gate] = (),
) -> Gates:
    """Evaluate every gate that the policy sets, on the evidence of this run of the shadow.

    Args:
        log: the model's log.
        state: the rollout, which must have a live artifact.
        policy: the limits.
        artifact: the tag; if it is not a running shadow, there is no evidence on it.
        reports: the last reports of the slices, with the rows they still have to score. What is
            read after them takes a while, in which a report of a running slice must not grow old.
        skew: the last replay of the artifact, or the error if it cannot be read.
        drift: the gate of drift from training, if the policy sets its limit.
        quality: the gates that rest on labels.

    Raises:
        RolloutError: nothing is live.
    """
    if state.live is None:
        raise RolloutError("there is no live artifact to judge a shadow against")
    shadow = state.shadows.get(artifact)
    if shadow is None:
        gates: Iterable[Gate] = [_no_shadow(policy.gates, log, artifact)]
        last_row = read = None
    else:
        candidates = state.candidates_with(artifact)
        confidence = policy.confidence_of_each(candidates)
        with log.snapshot() as snapshot:
            read = EvidenceRange.of(
                snapshot,
                policy.gates,
                since=shadow.since,
                start=shadow.at,
                confidence=confidence,
                candidates=candidates,
                entity_key=shadow.entity_key,
            )
            excuses = active(state.excuses, artifact, datetime.now(UTC))
            evidence = gather_unexcused(
                snapshot, state, policy, shadow, state.live, excuses, reports
            )
        gates = judge(
            policy.gates,
            shadow,
            evidence,
            confidence,
            reports=reports,
            skew=skew,
        )
        last_row = evidence.last_row
    return Gates(
        artifact=artifact,
        live=state.live,
        gates=(*gates, *drift, *quality),
        last_row=last_row,
        policy=policy,
        read=read,
    )


def judge(
    limits: GateLimits,
    shadow: Shadow,
    evidence: Evidence,
    confidence: float,
    *,
    reports: Heartbeats = NO_REPORTS,
    skew: SkewRecord | UnreadableFile | None = None,
    replayed: bool = False,
) -> Iterator[Gate]:
    """Evaluate the gates on gathered evidence; gates whose limit is not set are skipped.

    Args:
        confidence: of each interval, as :meth:`~gnomon.policy.Policy.confidence_of_each` gives.
        replayed: whether the evidence is a replay, and not what a running shadow recorded.
    """
    yield _rows(limits.min_rows, evidence)
    if limits.min_hours is not None:
        yield _hours(limits.min_hours, shadow, evidence)
    if limits.max_disagreement is not None:
        gate = share_gates.disagreement_gate(
            limits.max_disagreement, confidence, evidence, replayed=replayed
        )
        yield with_excuses(gate, evidence, limits.max_excused)
    if limits.max_flips is not None:
        gate = share_gates.flips_gate(limits.max_flips, confidence, evidence)
        yield with_excuses(gate, evidence, limits.max_excused)
    if limits.max_failed is not None:
        yield share_gates.failed_gate(limits.max_failed, confidence, evidence)
    if limits.max_latency_ratio is not None:
        yield latency_gate(limits.max_latency_ratio, confidence, evidence)
    lag, silent = _lag(shadow, reports)
    if limits.min_coverage is not None:
        yield _coverage(limits.min_coverage, confidence, evidence, lag, silent)
    if limits.max_lag_rows is not None:
        yield _lagging(limits.max_lag_rows, lag, silent)
    if limits.max_skew is not None:
        yield share_gates.skew_gate(limits.max_skew, confidence, shadow, skew)


def _no_shadow(limits: GateLimits, log: InferenceLog, artifact: str) -> Gate:
    """Build the gate of an artifact that is not a shadow: it has not scored requests."""
    needs = max(limits.min_rows, 1)
    awaited = more_rows(needs, "rows scored", live_traffic(log))
    start = f"run `gnomon shadow start {artifact}`; from then on it "
    return Gate(
        name="rows",
        verdict="no_data",
        says=f"it is not a running shadow, so there is no evidence; "
        f"{plural(limits.min_rows, 'row')} {'is' if limits.min_rows == 1 else 'are'} needed",
        limit=limits.min_rows,
        value=0,
        awaits=structs.replace(awaited, says=start + awaited.says),
    )


def _rows(limit: int, evidence: Evidence) -> Gate:
    rows = evidence.shadow.scored
    awaits = more_rows(limit - rows, "rows scored", evidence.traffic) if rows < limit else None
    return Gate(
        name="rows",
        verdict=_open(rows) if awaits else "pass",
        says=f"{plural(rows, 'row')} scored; {limit:,} {'is' if limit == 1 else 'are'} needed",
        limit=limit,
        value=rows,
        rows=rows,
        awaits=awaits,
    )


def _open(data: object) -> Verdict:
    """Return the verdict of a gate that is not decided, on the data there is."""
    return "unknown" if data else "no_data"


def _hours(limit: float, shadow: Shadow, evidence: Evidence) -> Gate:
    seconds, first = 0.0, datetime.now(UTC)
    if evidence.last_row is not None:
        # A shadow may have run beside another live artifact before: those rows are no evidence.
        first = max(shadow.at, evidence.first_row or shadow.at)
        seconds = max((evidence.last_row - first).total_seconds(), 0.0)
    hours, awaits = seconds / 3600, None
    if hours < limit:
        left = limit * 3600 - (datetime.now(UTC) - first).total_seconds()
        when = f"arrive {about_when(left)}" if left > 0 else "arrive from now on"
        awaits = MissingEvidence(says=f"needs rows that {when}", seconds=max(left, 0.0))
    return Gate(
        name="hours",
        verdict=_open(evidence.last_row) if awaits else "pass",
        says=f"its rows arrived over {duration(seconds)}; the policy requires "
        f"{duration(limit * 3600)}",
        limit=limit,
        value=hours,
        awaits=awaits,
    )


class _Silent(NamedTuple):
    """A slice that does not report how many rows it still has to score.

    Attributes:
        slice: its name; None for all of them, as there is no report at all.
        why: why it does not; empty if it is gone.
    """

    slice: str | None
    why: str = ""


def _lag(shadow: Shadow, reports: Heartbeats) -> tuple[int, list[_Silent]]:
    """Return the rows still to score, and slices without a report on them.

    Slices that stopped before this shadow was started are left out.
    """
    lag = 0
    unreadable = reports.unreadable.items()
    silent = [_Silent(name, f"{error.where}: {error.message}") for name, error in unreadable]
    for beat in reports.beats:
        report = beat.shadow(shadow.artifact)
        if beat.is_stale(reports.read_at):
            if beat.updated >= shadow.at:
                silent.append(_Silent(beat.slice))
        elif report is None or report.epoch != shadow.since:
            silent.append(_Silent(beat.slice, beat.error or "it has not started the shadow yet"))
        elif report.error is not None:
            silent.append(_Silent(beat.slice, report.error))
        else:
            lag += report.lagging
    return lag, silent if reports.beats or unreadable else [_Silent(None)]


def _coverage(
    limit: float, confidence: float, evidence: Evidence, lag: int, silent: list[_Silent]
) -> Gate:
    """Judge the share of the eligible rows that were scored.

    It passes by the rows that were seen. It fails only if the shadow is proven to fail on more than
    the limit allows: else the next rows may bring it back, and it would fail by chance.
    """
    scored, failed = evidence.shadow.scored, evidence.shadow.failed
    eligible = scored + failed + lag
    verdict = _open(eligible)
    too_few = bool(eligible) and (scored + lag) / eligible < limit
    if too_few and evidence.shadow.share("failed", "done").interval(confidence).low > 1 - limit:
        verdict = "fail"
    elif eligible and scored / eligible >= limit and not silent:
        verdict = "pass"
    needed = math.ceil(limit * eligible) - scored
    awaits = None
    if verdict in ("unknown", "no_data"):
        awaits = _reports_await(silent) or more_rows(
            max(needed, 1), "of the lagging rows scored" if lag else "rows scored", evidence.traffic
        )
    return Gate(
        name="coverage",
        verdict=verdict,
        says=f"{scored:,} of {eligible:,} eligible rows scored, {failed:,} failed, {lag:,} lagging"
        f"; at least {percent(limit, 2)} must be scored" + _silent(silent),
        limit=limit,
        value=share_of(scored, eligible),
        count=failed + lag,
        rows=eligible,
        awaits=awaits,
    )


def _lagging(limit: int, lag: int, silent: list[_Silent]) -> Gate:
    verdict: Verdict = "fail" if lag > limit else "unknown" if silent else "pass"
    return Gate(
        name="lag",
        verdict=verdict,
        says=f"{plural(lag, 'row')} still to score; limit {limit:,}" + _silent(silent),
        limit=limit,
        value=lag,
        awaits=_reports_await(silent) if verdict == "unknown" else None,
    )


def _reports_await(silent: list[_Silent]) -> MissingEvidence | None:
    """Return what a gate waits for if slices have not reported."""
    if not silent:
        return None
    if silent == [_Silent(None)]:
        return action("needs a running server: each slice reports twice a second")
    if any(each.why for each in silent):
        return action("needs these slices to report on it: mend what is said of them")
    return action(
        "needs their report, which a running slice writes twice a second: see `gnomon status` for "
        "those that are gone"
    )


def _silent(slices: list[_Silent]) -> str:
    if slices == [_Silent(None)]:
        return "; no slice has reported"
    gone = [each.slice or "" for each in slices if not each.why]
    says = [
        f"; slice {each.slice} does not report on it: {each.why}" for each in slices if each.why
    ]
    if gone:
        names = f"{'slice' if len(gone) == 1 else 'slices'} {', '.join(gone)}"
        says.append(f"; no report from {names}")
    return "".join(says)
