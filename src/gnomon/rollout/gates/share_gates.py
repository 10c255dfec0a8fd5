"""The gates of a share of rows: each holds an anytime-valid interval against its limit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from msgspec import structs

from gnomon.compare.sequential import Interval, more_until
from gnomon.errors import UnreadableFile
from gnomon.quantities import percent, plural
from gnomon.rollout.evidence.evidence import Evidence, RowReference
from gnomon.rollout.evidence.outlook import MissingEvidence, Traffic, action, more_rows
from gnomon.rollout.evidence.share import BadShare
from gnomon.rollout.gate import Gate, Verdict
from gnomon.rollout.history import Shadow
from gnomon.skew.skew_record import SkewRecord

__all__ = ["disagreement_gate", "failed_gate", "flips_gate", "skew_gate"]

_CLOSE = (
    "; [compare] in the policy says how close two answers must be to agree: after a change of it, "
    "stop and start the shadow"
)
"""Numbers must be within 1% by default, which few pairs of models of a number are. Each row was
compared when the shadow scored it."""

_IF_IT_STAYS = " if the share stays"
_AT_THE_LIMIT = (
    "no number of rows may decide it, because the share is at the limit: change the limit in the "
    "policy, or the artifact"
)
_HEAVY_ENTITIES = (
    "no number of rows may decide it, because entities with many rows are on the other side of the "
    "limit from the mean over entities: look at their rows, or change the limit in the policy"
)


def disagreement_gate(limit: float, confidence: float, evidence: Evidence) -> Gate:
    """Judge the excess over the noise floor; if measured, each interval gets half the error."""
    shadow, noise = evidence.shadow, evidence.noise
    if noise.compared:
        confidence = (1 + confidence) / 2
    disagreed = shadow.share("disagreed", "compared")
    interval, floor, value = disagreed.interval(confidence), "", disagreed.value
    if noise.compared:
        noise_interval = noise.share("disagreed", "compared").interval(confidence)
        interval = Interval(
            max(interval.low - noise_interval.high, 0.0),
            max(interval.high - noise_interval.low, 0.0),
        )
        share = noise.disagreed / noise.compared
        rows = f"{plural(noise.compared, 'row')} of live against itself"
        floor = f" beyond the noise floor of {percent(share, 2)} ({rows})"
        value = None if value is None else max(value - share, 0.0)
    gate = _rate_gate(
        "disagreement",
        f"{disagreed} disagree with live",
        limit, value, interval, disagreed,
        awaits=lambda: _disagreement_awaits(limit, confidence, evidence),
        beyond=floor, examples=shadow.worst,
    )  # fmt: skip
    return structs.replace(gate, says=gate.says + _CLOSE) if gate.verdict == "fail" else gate


def _disagreement_awaits(limit: float, confidence: float, evidence: Evidence) -> MissingEvidence:
    """Estimate the rows of the shadow that decide it or, if they cannot, rows of live's A/A run."""
    shadow = evidence.shadow.share("disagreed", "compared")
    noise = evidence.noise.share("disagreed", "compared")
    if not noise.rows:
        return _share_awaits(shadow, limit, confidence, evidence.traffic)

    def decides(total: int, noise_rows: int) -> bool:
        shadow_interval = shadow.at(total, confidence)
        noise_interval = noise.at(noise_rows, confidence)
        return (
            shadow_interval.high - noise_interval.low <= limit
            or shadow_interval.low - noise_interval.high > limit
        )

    more = more_until(lambda total: decides(total, noise.rows), shadow.rows)
    if more is not None:
        return more_rows(more, "rows compared", evidence.traffic, about=True, given=_IF_IT_STAYS)
    largest = max(shadow.rows, 1) * 10**6
    more = more_until(lambda total: decides(largest, total), noise.rows)
    if more is None:
        return action(_AT_THE_LIMIT)
    return action(
        f"needs about {more:,} more rows of live against itself, because the noise floor is not "
        "known well enough: run `gnomon shadow start --same` with the live artifact"
    )


def _share_awaits(
    share: BadShare, limit: float, confidence: float, traffic: Traffic | None
) -> MissingEvidence:
    more = share.rows_still_needed(limit, confidence)
    if more is None:
        return action(_AT_THE_LIMIT)
    if not more:
        return action(_HEAVY_ENTITIES)
    needs, given = _rows_that_count(share), _IF_IT_STAYS if share.rows else ""
    return more_rows(more, needs, traffic, about=True, given=given)


def _rows_that_count(share: BadShare) -> str:
    """Say which rows add units, not only rows of units that are known."""
    of_entities = any(units.kind == "entity" for units in share.units)
    return "rows of other entities" if of_entities else "rows"


def flips_gate(limit: float, confidence: float, evidence: Evidence) -> Gate:
    """Judge the share of flips among the rows whose decision is known.

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
    flipped = shadow.share("flipped", "decided")
    return _rate_gate(
        "flips",
        f"{flipped} flip the decision",
        limit,
        flipped.value,
        flipped.interval(confidence),
        flipped,
        awaits=lambda: _share_awaits(flipped, limit, confidence, evidence.traffic),
        examples=tuple(row for row in shadow.worst if row.flipped),
    )


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
        return action(_AT_THE_LIMIT)
    if not more:
        return action(_HEAVY_ENTITIES)
    needs = f"about {more:,} more {_rows_that_count(differing)}{_IF_IT_STAYS}"
    return _replay_awaits(shadow, f"a replay of {needs}")


def _replay_awaits(shadow: Shadow, what: str) -> MissingEvidence:
    return action(f"needs {what}: run `gnomon replay {shadow.artifact} --role shadow`")
