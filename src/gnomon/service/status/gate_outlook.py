"""What the gates of running shadows still wait for, from the counts that slices report.

Evaluating gates on the log takes seconds, and is done for a promotion. Nearly all gates use counts
that every slice reports anyway: from these the status shows, at very low cost, what is missing and
about when it will be available.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec import structs

from gnomon.errors import UnreadableFile
from gnomon.policy import Policy
from gnomon.rollout.evidence.evidence import CLOCKS_APART, Evidence, ShadowRows
from gnomon.rollout.evidence.outlook import WINDOW, Traffic
from gnomon.rollout.gates.gates import judge
from gnomon.rollout.gates.noise_floor import is_floor_off, is_noise_awaited, measured_share
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.rollout.quality.quality_gates import gate_name
from gnomon.shadow import heartbeats
from gnomon.shadow.heartbeats import Heartbeat, Heartbeats, ShadowBeat
from gnomon.shadow.shadow_counts import CountsBeside, OpenGate, ShadowCounts, beside_each
from gnomon.skew import skew_record
from gnomon.storage import Storage

__all__ = ["REFRESH_SECONDS", "GateOutlook"]

REFRESH_SECONDS = 5.0
_LEAST_SECONDS = REFRESH_SECONDS / 2
"""A rate over a shorter time is not used."""
_BEYOND_NOISE = ("disagreement", "flips")
_BY_ANOTHER_TIME = (
    "decided with the noise floor over the time of this shadow's rows, which "
    "`gnomon promote --check` reads"
)
"""Slices count the rows of live against itself over the time of another run."""


class _Sample(NamedTuple):
    """Rows of a shadow and of live at a time."""

    at: float
    scored: int
    answered: int


class _Run(NamedTuple):
    """A shadow beside a live artifact: the rollout epochs in which each of them began."""

    shadow: str
    since: int
    live_since: int


class GateOutlook:
    """The open gates of each shadow. A refresh reads a few small files.

    Args:
        storage: where slices report.
        model: the deployment's model name.
        policy: the policy file, read again each time; the defaults without one.
        clock: returns seconds.
    """

    def __init__(
        self,
        storage: Storage,
        model: str,
        policy: Path | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._storage = storage
        self._model = model
        self._policy = policy
        self._samples: dict[tuple[str, int, str | None], deque[_Sample]] = {}
        self._judged: set[_Run] = set()
        self._open: dict[str, tuple[OpenGate, ...]] = {}
        self._excused: set[str] = set()

    def of(self, artifact: str) -> tuple[OpenGate, ...]:
        """Return the gates of a shadow that were unknown at the last refresh."""
        return self._open.get(artifact, ())

    def follow(self, state: RolloutState) -> None:
        """Forget the gates of other runs, or beside another live artifact; this reads nothing."""
        new = {run.shadow for run in _runs(state) - self._judged}
        if new:
            says = f"the gates beside {state.live} are not evaluated yet"
            waits = (OpenGate(gate="rows", says=says),)
            self._open = {**self._open, **dict.fromkeys(new, waits)}

    def refresh(self, state: RolloutState) -> None:
        """Evaluate the gates again; this blocks for some milliseconds."""
        if not state.judged:
            self._open, self._samples = {}, {}
            return
        policy = Policy.read(self._policy) if self._policy else Policy()
        confidence = policy.confidence_of_each(state.candidates)
        beats = heartbeats.read(self._storage, self._model)
        self._excused = {excuse.artifact for excuse in state.active_excuses}
        keys = {(shadow.artifact, shadow.since, state.live) for shadow in state.judged}
        self._samples = {key: samples for key, samples in self._samples.items() if key in keys}
        others = tuple(_by_the_log(policy))
        self._open = {
            s.artifact: (*self._open_gates(policy, s, state, beats, confidence), *others)
            for s in state.judged
        }
        self._judged = _runs(state)

    def _open_gates(
        self,
        policy: Policy,
        shadow: Shadow,
        state: RolloutState,
        beats: Sequence[Heartbeat],
        confidence: float,
    ) -> Iterator[OpenGate]:
        limits = policy.gates
        counted = min(_report_times(shadow, beats), default=None)
        counts = _beside(state.live, _shadow_reports(shadow, beats))
        answered = sum(int(beat.accounts.get("answered", 0)) for beat in beats)
        is_off = is_floor_off(state, policy)
        share = None if is_off else measured_share(state, Heartbeats(beats))
        noise = CountsBeside() if is_off else _beside(state.live, _noise_reports(state, beats))
        awaited = share is not None or is_noise_awaited(state, policy)
        is_of_another_time = (awaited or noise.compared > 0) and not _is_noise_of_the_time(
            state, shadow, counts
        )
        if is_of_another_time:
            noise = CountsBeside()
        evidence = Evidence(
            _rows(counts),
            noise=_rows(noise),
            traffic=self._traffic(shadow, state.live, counts.scored, answered),
            first_row=counts.first,
            last_row=counts.last,
            noise_awaited=awaited or is_of_another_time,
            noise_share=share,
        )
        if shadow.artifact in self._excused:  # What slices count has the excused rows in it.
            limits = structs.replace(limits, max_disagreement=None, max_flips=None)
        if counts.scored:  # How long batches take is in the log alone.
            limits = structs.replace(limits, max_latency_ratio=None)
        try:
            skew = skew_record.read(self._storage, shadow.artifact) if limits.max_skew else None
        except UnreadableFile:
            skew, limits = None, structs.replace(limits, max_skew=None)
        for gate in judge(
            limits, shadow, evidence, confidence, reports=Heartbeats(beats), skew=skew
        ):
            if gate.awaits is not None and is_of_another_time and gate.name in _BEYOND_NOISE:
                yield OpenGate(gate=gate.name, says=_BY_ANOTHER_TIME, counted=counted)
            elif gate.awaits is not None:
                yield OpenGate(
                    gate=gate.name,
                    says=gate.because,
                    rows=gate.awaits.rows,
                    seconds=gate.awaits.seconds,
                    counted=counted,
                )

    def _traffic(
        self, shadow: Shadow, live: str | None, scored: int, answered: int
    ) -> Traffic | None:
        """Return the rate over the last minutes; None until there is one."""
        now = self._clock()
        samples = self._samples.setdefault((shadow.artifact, shadow.since, live), deque())
        while samples and (
            samples[0].at < now - WINDOW.total_seconds() or scored < samples[-1].scored
        ):
            samples.popleft()
        samples.append(_Sample(now, scored, answered))
        first = samples[0]
        if now - first.at < _LEAST_SECONDS:
            return None
        return Traffic(
            seconds=now - first.at,
            answered=max(answered - first.answered, 0),
            scored=scored - first.scored,
        )


def _by_the_log(policy: Policy) -> Iterator[OpenGate]:
    """Yield the gates of drift and of labels: slices count rows, and read neither."""
    if policy.gates.max_drifted_columns is not None:
        yield OpenGate(
            gate="drift",
            says="decided by the values in the log, which `gnomon promote --check` reads",
        )
    for metric in policy.quality.limits:
        yield OpenGate(
            gate=gate_name(metric),
            says="decided by labels, which `gnomon quality` and `gnomon promote --check` read",
        )


def _shadow_reports(shadow: Shadow, beats: Sequence[Heartbeat]) -> Iterator[ShadowBeat]:
    for beat in beats:
        report = beat.shadow(shadow.artifact)
        if report is not None and report.epoch == shadow.since:
            yield report


def _report_times(shadow: Shadow, beats: Sequence[Heartbeat]) -> Iterator[datetime]:
    """Yield when each running slice of the shadow reported."""
    for beat in beats:
        if not beat.is_stale() and next(_shadow_reports(shadow, [beat]), None) is not None:
            yield beat.updated


def _noise_reports(state: RolloutState, beats: Sequence[Heartbeat]) -> Iterator[ShadowBeat]:
    for beat in beats:
        report = beat.shadow(state.live or "")
        if report is not None and report.epoch >= state.live_since:
            yield report


def _is_noise_of_the_time(state: RolloutState, shadow: Shadow, counts: CountsBeside) -> bool:
    """Return whether slices count live against itself over the time of the shadow's rows.

    They do not where its run began before the shadow, or after the shadow's first row beside the
    present live artifact: before a rollback to it, or before a person's run of it ended.
    """
    run = state.noise_run or state.shadows.get(state.live or "")
    if run is None or run.since == shadow.since:
        return True
    is_earlier = run.since < shadow.since
    return not is_earlier and (counts.first is None or counts.first >= run.at - CLOCKS_APART)


def _runs(state: RolloutState) -> set[_Run]:
    return {_Run(s.artifact, s.since, state.live_since) for s in state.judged}


def _beside(live: str | None, reports: Iterable[ShadowBeat]) -> CountsBeside:
    """Add up the rows that were compared with one live artifact: only these are evidence."""
    return beside_each(report.against for report in reports).get(live or "", CountsBeside())


def _rows(counts: CountsBeside) -> ShadowRows:
    return ShadowRows(**{name: getattr(counts, name) for name in ShadowCounts.__struct_fields__})
