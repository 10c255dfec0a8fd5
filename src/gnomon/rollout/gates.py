"""Decide whether a shadow may be promoted: one verdict per gate, each with its evidence."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import structs

from gnomon.compare.sequential import Interval, more_until, rate_interval, rows_still_needed
from gnomon.compare.sketch import Sketch
from gnomon.errors import RolloutError, UnreadableFile
from gnomon.log import InferenceLog
from gnomon.notebook import NotebookTable, Tabular
from gnomon.policy import Limits, Policy
from gnomon.rollout.evidence import Evidence, RowReference, gather
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.rollout.outlook import Awaited, Traffic, action, live_traffic, more_rows
from gnomon.shadow.feed.pace import ENOUGH_TIMES
from gnomon.shadow.slices import Heartbeat
from gnomon.skew.last_replay import Skew

__all__ = ["Gate", "Gates", "Verdict", "evaluate", "judge"]

Verdict = Literal["pass", "fail", "unknown"]


class Gate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One condition of a promotion.

    Attributes:
        name: ``rows``, ``disagreement``, ``flips``, ``failed``, ``latency``, ``coverage``,
            ``lag`` or ``skew``.
        verdict: ``unknown`` when the evidence is not enough to decide.
        says: the verdict's reason in one sentence.
        limit: the policy's limit.
        value: the measured value; a share, a ratio or a number of rows, like the limit.
        interval: the interval of the true share at the policy's confidence, valid however often
            it is computed.
        count: how many rows count against the shadow.
        rows: out of how many rows.
        examples: some of the rows that count against it, worst first.
        awaits: what will decide an unknown gate, and about when.
    """

    name: str
    verdict: Verdict
    says: str
    limit: float
    value: float | None = None
    interval: Interval | None = None
    count: int | None = None
    rows: int | None = None
    examples: tuple[RowReference, ...] = ()
    awaits: Awaited | None = None

    @property
    def because(self) -> str:
        """The reason for its verdict, and what it waits for."""
        return self.says if self.awaits is None else f"{self.says}; {self.awaits.says}"


class Gates(Tabular, msgspec.Struct, frozen=True, kw_only=True):
    """The gates of one shadow against the live artifact, evaluated at one time."""

    artifact: str
    live: str
    gates: tuple[Gate, ...]

    @property
    def verdict(self) -> Verdict:
        """``fail`` if one gate fails, else ``unknown`` if one is unknown, else ``pass``."""
        verdicts = {gate.verdict for gate in self.gates}
        return next((v for v in _WORST_FIRST if v in verdicts), "pass")

    @property
    def unmet(self) -> tuple[Gate, ...]:
        """The gates that do not pass."""
        return tuple(gate for gate in self.gates if gate.verdict != "pass")

    def overview(self) -> NotebookTable:
        """See :class:`gnomon.notebook.Tabular`."""
        return NotebookTable(
            title=f"{self.artifact} to replace {self.live}",
            verdict=self.verdict,
            columns=("gate", "verdict", "because", "limit", "value", "count", "rows"),
            rows=[
                (g.name, g.verdict, g.because, g.limit, g.value, g.count, g.rows)
                for g in self.gates
            ],
        )


_WORST_FIRST: tuple[Verdict, ...] = ("fail", "unknown")
_IF_IT_STAYS = " if the share stays"
_AT_THE_LIMIT = (
    "no number of rows may decide it, because the share is at the limit: change the limit in the "
    "policy, or the artifact"
)


def evaluate(
    log: InferenceLog,
    state: RolloutState,
    policy: Policy,
    artifact: str,
    *,
    slices: Sequence[Heartbeat] = (),
    unreadable: Mapping[str, UnreadableFile] = MappingProxyType({}),
    skew: Skew | UnreadableFile | None = None,
) -> Gates:
    """Evaluate every gate that the policy sets, on the evidence of this run of the shadow.

    Args:
        log: the model's log.
        state: the rollout, which must have a live artifact.
        policy: the limits.
        artifact: the tag; if it is not a running shadow, there is no evidence on it.
        slices: the last reports of the slices, with the rows they still have to score.
        unreadable: slices whose report cannot be read, with the error.
        skew: the last replay of the artifact, or the error if it cannot be read.

    Raises:
        RolloutError: nothing is live.
    """
    if state.live is None:
        raise RolloutError("there is no live artifact to judge a shadow against")
    shadow = state.shadows.get(artifact)
    if shadow is None:
        gates: Iterable[Gate] = [_no_shadow(policy.gates, log, state.live, artifact)]
    else:
        evidence = gather(
            log, shadow=artifact, live=state.live, epoch=shadow.since, start=shadow.at
        )
        gates = judge(
            policy.gates, shadow, evidence, slices=slices, unreadable=unreadable, skew=skew
        )
    return Gates(artifact=artifact, live=state.live, gates=tuple(gates))


def judge(
    limits: Limits,
    shadow: Shadow,
    evidence: Evidence,
    *,
    slices: Sequence[Heartbeat] = (),
    unreadable: Mapping[str, UnreadableFile] = MappingProxyType({}),
    skew: Skew | UnreadableFile | None = None,
) -> Iterator[Gate]:
    """Evaluate the gates on gathered evidence; gates whose limit is not set are skipped."""
    yield _rows(limits.min_rows, evidence)
    if limits.max_disagreement is not None:
        yield _disagreement(limits.max_disagreement, limits.confidence, evidence)
    if limits.max_flips is not None:
        yield _flips(limits.max_flips, limits.confidence, evidence)
    if limits.max_failed is not None:
        yield _failed(limits.max_failed, limits.confidence, evidence)
    if limits.max_latency_ratio is not None:
        yield _latency(limits.max_latency_ratio, evidence)
    lag, silent = _lag(shadow, slices, unreadable)
    if limits.min_coverage is not None:
        yield _coverage(limits.min_coverage, evidence, lag, silent)
    if limits.max_lag_rows is not None:
        yield _lagging(limits.max_lag_rows, lag, silent)
    if limits.max_skew is not None:
        yield _skew(limits.max_skew, limits.confidence, shadow, skew)


def _no_shadow(limits: Limits, log: InferenceLog, live: str, artifact: str) -> Gate:
    """Build the unknown gate of an artifact that is not a shadow and has not scored requests."""
    needs = max(limits.min_rows, 1)
    awaited = more_rows(needs, "rows scored", live_traffic(log, live))
    start = f"run `gnomon shadow start {artifact}`; from then on it "
    return Gate(
        name="rows",
        verdict="unknown",
        says=f"it is not a running shadow, so there is no evidence; {limits.min_rows:,} rows "
        "are needed",
        limit=limits.min_rows,
        value=0,
        awaits=structs.replace(awaited, says=start + awaited.says),
    )


def _rows(limit: int, evidence: Evidence) -> Gate:
    rows = evidence.shadow.scored
    awaits = more_rows(limit - rows, "rows scored", evidence.traffic) if rows < limit else None
    return Gate(
        name="rows",
        verdict="unknown" if awaits else "pass",
        says=f"{rows:,} rows scored; {limit:,} are needed",
        limit=limit,
        value=rows,
        rows=rows,
        awaits=awaits,
    )


def _disagreement(limit: float, confidence: float, evidence: Evidence) -> Gate:
    """Judge the excess over the noise floor; if measured, each interval gets half the error."""
    shadow, noise = evidence.shadow, evidence.noise
    if noise.compared:
        confidence = (1 + confidence) / 2
    interval = rate_interval(shadow.disagreed, shadow.compared, confidence)
    floor, value = "", _share(shadow.disagreed, shadow.compared)
    if noise.compared:
        theirs = rate_interval(noise.disagreed, noise.compared, confidence)
        interval = Interval(
            max(interval.low - theirs.high, 0.0), max(interval.high - theirs.low, 0.0)
        )
        share = noise.disagreed / noise.compared
        rows = f"{noise.compared:,} rows of live against itself"
        floor = f" beyond the noise floor of {share:.2%} ({rows})"
        value = None if value is None else max(value - share, 0.0)
    return _rate_gate(
        "disagreement",
        f"{shadow.disagreed:,} of {shadow.compared:,} rows disagree with live",
        limit, value, interval, shadow.disagreed, shadow.compared,
        awaits=lambda: _disagreement_awaits(limit, confidence, evidence),
        beyond=floor, examples=shadow.worst,
    )  # fmt: skip


def _disagreement_awaits(limit: float, confidence: float, evidence: Evidence) -> Awaited:
    """Estimate the rows of the shadow that decide it or, if they cannot, rows of live's A/A run."""
    shadow, noise = evidence.shadow, evidence.noise
    if not noise.compared:
        return _share_awaits(shadow.disagreed, shadow.compared, limit, confidence, evidence.traffic)

    def decides(total: int, noise_rows: int) -> bool:
        ours = _at_rows(shadow.disagreed, shadow.compared, total, confidence)
        theirs = _at_rows(noise.disagreed, noise.compared, noise_rows, confidence)
        return ours.high - theirs.low <= limit or ours.low - theirs.high > limit

    more = more_until(lambda total: decides(total, noise.compared), shadow.compared)
    if more is not None:
        return more_rows(more, "rows compared", evidence.traffic, about=True, given=_IF_IT_STAYS)
    largest = max(shadow.compared, 1) * 10**6
    more = more_until(lambda total: decides(largest, total), noise.compared)
    if more is None:
        return action(_AT_THE_LIMIT)
    return action(
        f"needs about {more:,} more rows of live against itself, because the noise floor is not "
        "known well enough: run `gnomon shadow start --same` with the live artifact"
    )


def _at_rows(hits: int, rows: int, total: int, confidence: float) -> Interval:
    """Return the interval for ``total`` rows if the share stays the same."""
    return rate_interval(round(hits / rows * total) if rows else 0, total, confidence)


def _share_awaits(
    count: int, rows: int, limit: float, confidence: float, traffic: Traffic | None
) -> Awaited:
    more = rows_still_needed(count, rows, limit, confidence)
    if more is None:
        return action(_AT_THE_LIMIT)
    return more_rows(more, "rows", traffic, about=True, given=_IF_IT_STAYS if rows else "")


def _flips(limit: float, confidence: float, evidence: Evidence) -> Gate:
    shadow = evidence.shadow
    if shadow.compared and not shadow.decided:
        return Gate(
            name="flips",
            verdict="unknown",
            says="no output to decide on: live and the shadow share no label and no "
            "output named in [decision], or the policy ignores it",
            limit=limit,
            awaits=action(
                "no number of rows decides it: name an output in [decision], or set "
                'max_flips = "off", in the policy'
            ),
        )
    return _rate_gate(
        "flips",
        f"{shadow.flipped:,} of {shadow.decided:,} rows flip the decision",
        limit,
        _share(shadow.flipped, shadow.decided),
        rate_interval(shadow.flipped, shadow.decided, confidence),
        shadow.flipped,
        shadow.decided,
        awaits=lambda: _share_awaits(
            shadow.flipped, shadow.decided, limit, confidence, evidence.traffic
        ),
        examples=tuple(row for row in shadow.worst if row.flipped),
    )


def _failed(limit: float, confidence: float, evidence: Evidence) -> Gate:
    shadow = evidence.shadow
    rows = shadow.done
    codes = ", ".join(f"{count:,} {code}" for code, count in Counter(shadow.errors).most_common(3))
    return _rate_gate(
        "failed",
        f"{shadow.failed:,} of {rows:,} rows failed" + (f" ({codes})" if codes else ""),
        limit,
        _share(shadow.failed, rows),
        rate_interval(shadow.failed, rows, confidence),
        shadow.failed,
        rows,
        awaits=lambda: _share_awaits(shadow.failed, rows, limit, confidence, evidence.traffic),
    )


def _rate_gate(
    name: str,
    found: str,
    limit: float,
    value: float | None,
    interval: Interval,
    count: int,
    rows: int,
    *,
    awaits: Callable[[], Awaited],
    beyond: str = "",
    examples: tuple[RowReference, ...] = (),
) -> Gate:
    """Build the gate of a share.

    Args:
        awaits: computes what would decide it; called only if it is unknown, as that takes
            milliseconds.
    """
    verdict: Verdict = "unknown"
    if rows and interval.high <= limit:
        verdict = "pass"
    elif rows and interval.low > limit:
        verdict = "fail"
    says = f"{found}: {interval.low:.2%} to {interval.high:.2%}{beyond}; limit {limit:.2%}"
    return Gate(
        name=name, verdict=verdict, says=says, limit=limit, value=value,
        interval=interval, count=count, rows=rows, examples=examples,
        awaits=awaits() if verdict == "unknown" else None,
    )  # fmt: skip


def _latency(limit: float, evidence: Evidence) -> Gate:
    """Judge the latency ratio, averaged over the batch sizes of both, weighted by shadow rows."""
    ratios: list[tuple[int, float]] = []
    for size, theirs in evidence.times.items():
        ours = evidence.live_times.get(size, Sketch())
        slow, fast = theirs.quantile(0.5), ours.quantile(0.5)
        if min(ours.count, theirs.count) >= ENOUGH_TIMES and slow is not None and fast:
            ratios.append((theirs.count, slow / fast))
    rows = sum(weight for weight, _ in ratios)
    if not rows:
        timed = max((_timed(size, evidence) for size in evidence.times), default=0)
        return Gate(
            name="latency",
            verdict="unknown",
            says=f"{timed} rows each of live and shadow in batches of similar size; {ENOUGH_TIMES} "
            "are needed",
            limit=limit,
            rows=timed,
            awaits=more_rows(ENOUGH_TIMES - timed, "such rows", evidence.traffic),
        )
    ratio = sum(weight * ratio for weight, ratio in ratios) / rows
    return Gate(
        name="latency",
        verdict="pass" if ratio <= limit else "fail",
        says=f"the shadow takes {ratio:.2f} times live's time for batches of similar size "
        f"({rows:,} rows); limit {limit:g} times",
        limit=limit,
        value=ratio,
        rows=rows,
    )


def _timed(size: int, evidence: Evidence) -> int:
    """Count the rows in batches of about one size, on the side that has fewer."""
    return min(evidence.times[size].count, evidence.live_times.get(size, Sketch()).count)


def _lag(
    shadow: Shadow, slices: Sequence[Heartbeat], unreadable: Mapping[str, UnreadableFile]
) -> tuple[int, list[str]]:
    """Return the rows still to score, and slices without a report on them.

    Slices that stopped before this shadow was started are left out.
    """
    lag = 0
    silent = [f"{name} ({error.where}: {error.message})" for name, error in unreadable.items()]
    for beat in slices:
        said = beat.shadow(shadow.artifact)
        if beat.is_stale():
            if beat.updated >= shadow.at:
                silent.append(beat.slice)
        elif said is None or said.epoch != shadow.since or said.error is not None:
            silent.append(beat.slice)
        else:
            lag += said.lagging
    return lag, silent if slices or unreadable else ["any"]


def _coverage(limit: float, evidence: Evidence, lag: int, silent: list[str]) -> Gate:
    scored, failed = evidence.shadow.scored, evidence.shadow.failed
    eligible = scored + failed + lag
    verdict: Verdict = "unknown"
    if eligible and (scored + lag) / eligible < limit:
        verdict = "fail"
    elif eligible and scored / eligible >= limit and not silent:
        verdict = "pass"
    short = math.ceil(limit * eligible) - scored
    awaits = None
    if verdict == "unknown":
        awaits = _reports_await(silent) or more_rows(
            max(short, 1), "of the lagging rows scored" if lag else "rows scored", evidence.traffic
        )
    return Gate(
        name="coverage",
        verdict=verdict,
        says=f"{scored:,} of {eligible:,} eligible rows scored, {failed:,} failed, {lag:,} lagging"
        f"; at least {limit:.2%} must be scored" + _silent(silent),
        limit=limit,
        value=_share(scored, eligible),
        count=failed + lag,
        rows=eligible,
        awaits=awaits,
    )


def _lagging(limit: int, lag: int, silent: list[str]) -> Gate:
    verdict: Verdict = "fail" if lag > limit else "unknown" if silent else "pass"
    return Gate(
        name="lag",
        verdict=verdict,
        says=f"{lag:,} rows still to score; at most {limit:,} are allowed" + _silent(silent),
        limit=limit,
        value=lag,
        awaits=_reports_await(silent) if verdict == "unknown" else None,
    )


def _skew(
    limit: float, confidence: float, shadow: Shadow, skew: Skew | UnreadableFile | None
) -> Gate:
    if isinstance(skew, UnreadableFile):
        return Gate(
            name="skew",
            verdict="unknown",
            says=str(skew),
            limit=limit,
            awaits=_replay_awaits(shadow, "another replay, of the rows that it has scored"),
        )
    if skew is None or (shadow.digest is not None and skew.digest != shadow.digest):
        return Gate(
            name="skew",
            verdict="unknown",
            says="the artifact was not replayed",
            limit=limit,
            awaits=_replay_awaits(shadow, "a replay of the rows that it has scored"),
        )
    return _rate_gate(
        "skew",
        f"{skew.disagreed:,} of {skew.rows:,} rows differ from the offline prediction",
        limit,
        _share(skew.disagreed, skew.rows),
        rate_interval(skew.disagreed, skew.rows, confidence),
        skew.disagreed,
        skew.rows,
        awaits=lambda: _replayed_awaits(limit, confidence, shadow, skew),
    )


def _replayed_awaits(limit: float, confidence: float, shadow: Shadow, skew: Skew) -> Awaited:
    more = rows_still_needed(skew.disagreed, skew.rows, limit, confidence)
    if more is None:
        return action(_AT_THE_LIMIT)
    return _replay_awaits(shadow, f"a replay of about {more:,} more rows{_IF_IT_STAYS}")


def _replay_awaits(shadow: Shadow, what: str) -> Awaited:
    return action(f"needs {what}: run `gnomon replay {shadow.artifact} --role shadow`")


def _reports_await(silent: list[str]) -> Awaited | None:
    """Return what a gate waits for if slices have not reported."""
    if not silent:
        return None
    if silent == ["any"]:
        return action("needs a running server: each slice reports twice a second")
    return action(
        "needs their report, which a running slice writes twice a second: see `gnomon status` for "
        "those that are gone"
    )


def _silent(slices: list[str]) -> str:
    if not slices:
        return ""
    if slices == ["any"]:
        return "; no slice has reported"
    return f"; no report from {'slice' if len(slices) == 1 else 'slices'} {', '.join(slices)}"


def _share(count: int, rows: int) -> float | None:
    return count / rows if rows else None
