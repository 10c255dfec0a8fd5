"""Decisions that a server takes by itself: what they rest on, and the rules for taking one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from gnomon.name_lists import listed
from gnomon.policy.rollout_rules import Mode
from gnomon.quantities import percent
from gnomon.rollout.gate import Gate, Gates
from gnomon.rollout.gates.share_gates import SHARE_GATES
from gnomon.rollout.history import RolloutState

__all__ = [
    "BY",
    "LOOKS",
    "Automatic",
    "FailedLooks",
    "Step",
    "because",
    "promotable",
    "window_over",
]

BY = "gnomon"
"""Who decides automatically, in the history."""

LOOKS = 3
"""A gate without an interval, such as that of the lag, may fail for a moment: it decides only after
this many looks in a row. An interval holds however often it is computed."""


class Automatic(NamedTuple):
    """What an automatic decision rests on.

    Attributes:
        epoch: the state on which the gates were evaluated. If anything was decided since, the
            automatic decision is not recorded.
        gates: the gates, which its event keeps; None at the end of a watch window.
    """

    epoch: int
    gates: Gates | None = None


class Step(NamedTuple):
    """An automatic decision to take.

    Attributes:
        kind: what to do.
        artifact: the tag: of the shadow to stop, or of the artifact to make live.
        why: the reason, for the history.
        gates: what it rests on.
    """

    kind: Literal["abort", "promote", "rollback", "end_watch"]
    artifact: str
    why: str
    gates: Gates | None = None


class FailedLooks:
    """Counts how often in a row each gate failed, and says which failures decide."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int, str]] = Counter()

    def deciding(self, artifact: str, since: int, gates: Iterable[Gate]) -> tuple[Gate, ...]:
        """Return the gates whose failure decides at this look.

        Args:
            artifact: the tag they are of.
            since: the epoch in which its run began.
            gates: the gates as evaluated now.
        """
        failed = [gate for gate in gates if gate.verdict == "fail"]
        for key in [key for key in self._counts if key[:2] == (artifact, since)]:
            if key[2] not in {gate.name for gate in failed}:
                del self._counts[key]
        self._counts.update((artifact, since, gate.name) for gate in failed)
        return tuple(
            gate
            for gate in failed
            if gate.interval is not None or self._counts[artifact, since, gate.name] >= LOOKS
        )


def because(failed: Iterable[Gate]) -> str:
    """Return the reason of an automatic decision; its event has the gates with all they say."""
    return "; ".join(map(_failure, failed))


def _failure(gate: Gate) -> str:
    if gate.interval is None or gate.value is None or gate.name not in SHARE_GATES:
        return f"gate {gate.name} failed: {gate.says}"
    value, low, high, limit = (
        percent(share, 2) for share in (gate.value, *gate.interval, gate.limit)
    )
    return f"gate {gate.name} failed: {value} ({low} to {high}) of the rows; limit {limit}"


def promotable(
    state: RolloutState, mode: Mode, passing: Sequence[Gates]
) -> tuple[Step | None, str | None]:
    """Return the promotion to make, if any; else why a shadow that passes is not promoted.

    Only a person chooses between several that pass, and promotes an artifact that was rolled back
    or stopped by a server before, so that nothing goes back and forth.
    """
    if mode != "auto-promote" or not passing:
        return None, None
    if len(passing) > 1:
        tags = listed([gates.artifact for gates in passing])
        return None, f"the gates of {tags} all pass: choose which to promote"
    (gates,) = passing
    if gates.artifact in state.distrusted:
        return None, (
            f"the gates of {gates.artifact} pass, but it was rolled back or stopped because of a "
            f"gate before: only a person may promote it"
        )
    return Step("promote", gates.artifact, "all its gates pass", gates), None


def window_over(state: RolloutState, now: datetime) -> Step | None:
    """Return the end of the reverse shadow, once the watch window is over."""
    watch = state.watch
    if watch is None or not watch.shadow or now < watch.until:
        return None
    return Step("end_watch", watch.previous, f"the watch window of {watch.artifact} is over")
