"""The gates of a share of rows: each holds an anytime-valid interval against its limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

from msgspec import structs

from gnomon.compare.sequential import Interval
from gnomon.errors import UnreadableFile
from gnomon.quantities import percent
from gnomon.rollout.evidence.evidence import Evidence, RowReference
from gnomon.rollout.evidence.excess import Excess
from gnomon.rollout.evidence.outlook import (
    AT_THE_LIMIT,
    IF_IT_STAYS,
    MissingEvidence,
    Traffic,
    about_when,
    action,
    more_entities,
    more_rows,
)
from gnomon.rollout.evidence.share import BadShare
from gnomon.rollout.gate import Gate, Verdict
from gnomon.rollout.history import Shadow
from gnomon.skew.skew_record import SkewRecord

__all__ = ["SHARE_GATES", "disagreement_gate", "failed_gate", "flips_gate", "skew_gate"]

SHARE_GATES = ("disagreement", "flips", "failed", "skew")
"""The names of the gates whose numbers are shares of rows."""

_CLOSE = "; [compare] in the policy says how close two answers must be to agree"
"""Numbers must be within 1% by default, which few pairs of models of a number are."""

_ONCE_COMPARED = ": after a change of it, stop and start the shadow"
"""Each row was compared when the shadow scored it; a replay compares anew."""

_HEAVY_ENTITIES = (
    "no number of rows may decide it, because entities with many rows are on the other side of the "
    "limit from the mean over entities: look at their rows, or change the limit in the policy"
)


def disagreement_gate(
    limit: float, confidence: float, evidence: Evidence, *, replayed: bool = False
) -> Gate:
    """Judge the share of compared rows that disagree with live, beyond the noise floor.

    Args:
        replayed: whether the evidence is a replay, and not what a running shadow recorded.
    """
    excess = Excess.of(evidence, "disagreed", "compared")
    finding = f"{excess.shadow} disagree with live"
    worst = evidence.shadow.worst
    gate = _excess_gate("disagreement", finding, limit, confidence, evidence, excess, worst)
    if gate.verdict != "fail":
        return gate
    return structs.replace(gate, says=gate.says + _CLOSE + ("" if replayed else _ONCE_COMPARED))


def _excess_gate(
    name: str,
    finding: str,
    limit: float,
    confidence: float,
    evidence: Evidence,
    excess: Excess,
    examples: tuple[RowReference, ...],
) -> Gate:
    def awaits() -> MissingEvidence:
        if excess.counts_noise:
            return excess.awaits(limit, confidence, evidence.traffic)
        return _share_awaits(excess.shadow, limit, confidence, evidence.traffic)

    gate = _rate_gate(
        name, finding, limit, excess.value, excess.interval(confidence), excess.shadow,
        awaits=awaits, beyond=excess.floor, examples=examples,
    )  # fmt: skip
    return structs.replace(gate, noise=excess.noise.value, noise_rows=excess.noise.rows or None)


def _share_awaits(
    share: BadShare, limit: float, confidence: float, traffic: Traffic | None
) -> MissingEvidence:
    more = share.rows_still_needed(limit, confidence)
    if more is None:
        return action(AT_THE_LIMIT)
    if not more:
        return _settled_later(share.settles) if share.settles else action(_HEAVY_ENTITIES)
    needs, given = _rows_that_count(share), IF_IT_STAYS if share.rows else ""
    entities = share.entities_of(more)
    if entities is not None:
        return more_entities(more, entities, needs, traffic, given)
    return more_rows(more, needs, traffic, about=True, given=given)


def _settled_later(settles: datetime) -> MissingEvidence:
    """Return that the next stage decides, in which later rows of known entities count."""
    left = max((settles - datetime.now(UTC)).total_seconds(), 0.0)
    return MissingEvidence(
        says="the rows that known entities have sent since differ from those counted so far; they "
        f"will be counted {about_when(left)}",
        seconds=left,
    )


def _rows_that_count(share: BadShare) -> str:
    """Say which rows add units, not only rows of units that are known."""
    return "rows" if share.entities_of(0) is None else "rows of other entities"


def flips_gate(limit: float, confidence: float, evidence: Evidence) -> Gate:
    """Judge the share of flips among the rows whose decision is known, beyond the noise floor.

    It is unknown, whatever the number of rows, where nothing is decided.
    """
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
    excess = Excess.of(evidence, "flipped", "decided")
    finding = f"{excess.shadow} flip the decision"
    flips = tuple(row for row in shadow.worst if row.flipped)
    return _excess_gate("flips", finding, limit, confidence, evidence, excess, flips)


def failed_gate(limit: float, confidence: float, evidence: Evidence) -> Gate:
    """Judge the share of rows that the shadow failed on, among those it scored or failed on."""
    shadow = evidence.shadow
    failed = shadow.share("failed", "done")
    codes = ", ".join(f"{count:,} {code}" for code, count in Counter(shadow.errors).most_common(3))
    return _rate_gate(
        "failed",
        f"{failed} failed" + (f" ({codes})" if codes else ""),
        limit,
        failed.value,
        failed.interval(confidence),
        failed,
        awaits=lambda: _share_awaits(failed, limit, confidence, evidence.traffic),
    )


def _rate_gate(
    name: str,
    finding: str,
    limit: float,
    value: float | None,
    interval: Interval,
    share: BadShare,
    *,
    awaits: Callable[[], MissingEvidence],
    beyond: str = "",
    examples: tuple[RowReference, ...] = (),
) -> Gate:
    """Build the gate of a share.

    It is decided if the interval and the share of the rows are on one side of the limit. They are
    not where entities with many rows differ from the others.

    Args:
        awaits: computes what would decide it; called only if it is unknown, as that takes
            milliseconds.
    """
    verdict: Verdict = "no_data" if value is None else "unknown"
    if value is not None and max(interval.high, value) <= limit:
        verdict = "pass"
    elif value is not None and min(interval.low, value) > limit:
        verdict = "fail"
    low, high, most = (percent(share, 2) for share in (interval.low, interval.high, limit))
    sentence = f"{finding}: {low} to {high}{beyond}; limit {most}"
    return Gate(
        name=name, verdict=verdict, says=sentence, limit=limit, value=value,
        interval=interval, count=share.bad, rows=share.rows, units=share.unit_count,
        examples=examples,
        awaits=None if verdict in ("pass", "fail") else awaits(),
    )  # fmt: skip


def skew_gate(
    limit: float, confidence: float, shadow: Shadow, replay: SkewRecord | UnreadableFile | None
) -> Gate:
    """Judge the share of rows whose online and offline predictions differ in the last replay.

    It is unknown if there is no replay, its result cannot be read, or it was of other files of the
    artifact than those that run as the shadow.
    """
    if isinstance(replay, UnreadableFile):
        return Gate(
            name="skew",
            verdict="unknown",
            says=str(replay),
            limit=limit,
            awaits=_replay_awaits(shadow, "another replay, of the rows that it has scored"),
        )
    if replay is None or (shadow.digest is not None and replay.digest != shadow.digest):
        return Gate(
            name="skew",
            verdict="no_data",
            says="the artifact was neither replayed nor compared with a table",
            limit=limit,
            awaits=_replay_awaits(shadow, "a replay of the rows that it has scored"),
        )
    differing = _differing(replay)
    return _rate_gate(
        "skew",
        f"{differing} differ from the offline prediction",
        limit,
        differing.value,
        differing.interval(confidence),
        differing,
        awaits=lambda: _replayed_awaits(limit, confidence, shadow, replay),
    )


def _differing(replay: SkewRecord) -> BadShare:
    units = replay.by_unit.shares() if replay.by_unit else None
    return BadShare(replay.disagreed, replay.rows, () if units is None else (units,))


def _replayed_awaits(
    limit: float, confidence: float, shadow: Shadow, replay: SkewRecord
) -> MissingEvidence:
    differing = _differing(replay)
    more = differing.rows_still_needed(limit, confidence)
    if more is None:
        return action(AT_THE_LIMIT)
    if not more:
        return action(_HEAVY_ENTITIES)
    needs = f"about {more:,} more {_rows_that_count(differing)}{IF_IT_STAYS}"
    return _replay_awaits(shadow, f"a replay of {needs}")


def _replay_awaits(shadow: Shadow, what: str) -> MissingEvidence:
    return action(f"needs {what}: run `gnomon replay {shadow.artifact} --role shadow`")
