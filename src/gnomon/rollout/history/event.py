"""One decision of a rollout, as it is recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

import msgspec

from gnomon.artifact.manifest import Combination
from gnomon.errors import HistoryDamaged
from gnomon.formats import Format, decode
from gnomon.rollout.actor import signature
from gnomon.rollout.evidence.excuse import Excuse
from gnomon.rollout.watch_window import WatchWindow

__all__ = ["FORMAT", "Kind", "RolloutEvent", "decode_event", "forced_reason", "summary"]

FORMAT = 3
"""Format 2 added ``previous_sha256``; events of format 1 may only come before those of format 2.
Format 3 added what changes the state: ``watch`` of a promotion, ``combination`` of a shadow, and
the kinds ``propose``, ``withdraw``, ``excuse`` and ``excuse_end``."""

_KIND = Format("rollout event", FORMAT, damaged=HistoryDamaged)

Kind = Literal[
    "promote",
    "rollback",
    "shadow_start",
    "shadow_stop",
    "propose",
    "withdraw",
    "excuse",
    "excuse_end",
]


class RolloutEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One decision. Keys that this version does not know are ignored; see ``docs/formats.md``.

    Attributes:
        format: the version of this file's format.
        kind: the kind of decision.
        artifact: the tag it is about; for a rollback, the artifact rolled back to.
        digest: that artifact's manifest hash.
        fraction: the share of the requests that a started shadow scores.
        entity_key: the features by which they are sampled.
        same: whether the shadow is the live artifact itself, to measure the noise floor (A/A).
        at: when it was decided.
        by: who decided, if known.
        authenticated: how that is known; see :class:`gnomon.rollout.actor.Actor`. None: an event
            of an earlier release, or one that nobody signed.
        on_behalf_of: for whom they decided, as they say.
        combination: of a shadow that is the model of one artifact on the preprocessing of another:
            which. It is for debugging, and no candidate.
        why: the reason they gave.
        forced: whether it was done although gates did not pass or were not evaluated, or the
            contract is incompatible.
        gates: each gate's verdict and evidence at that time.
        changes: how a shadow's contract differs from the live one, each as a
            :class:`gnomon.contract.difference.Change`.
        automatic: whether a server decided it by the policy's ``[rollout]`` table, not a person.
        watch: of a promotion that is watched: until when, by which gates, and the shadow that the
            replaced artifact becomes by this same event.
        approves: of a promotion that another person proposed: the number of that event, from 1.
        excuse: of an excuse: what it covers.
        ends: of the end of an excuse, or of the withdrawal of a proposal: its number.
        evidence: what the gates were evaluated on, as a
            :class:`gnomon.rollout.evidence.evidence_range.EvidenceRange`.
        policy_sha256: of the policy that decided, kept as ``policies/<sha256>.json``.
        contract_sha256: of the artifact's contract.
        code_sha256: of the artifact's vendored code; see :mod:`gnomon.rollout.provenance`.
        previous_sha256: the hash of the previous event; None for the first one. ``append`` sets it.
    """

    format: int = FORMAT
    kind: Kind
    artifact: str
    digest: str | None = None
    fraction: float = 1.0
    entity_key: tuple[str, ...] = ()
    same: bool = False
    combination: Combination | None = None
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    by: str | None = None
    authenticated: str | None = None
    on_behalf_of: str | None = None
    why: str | None = None
    forced: bool = False
    gates: tuple[dict[str, object], ...] = ()
    changes: tuple[dict[str, object], ...] = ()
    automatic: bool = False
    watch: WatchWindow | None = None
    approves: int | None = None
    excuse: Excuse | None = None
    ends: int | None = None
    evidence: dict[str, object] | None = None
    policy_sha256: str | None = None
    contract_sha256: str | None = None
    code_sha256: str | None = None
    previous_sha256: str | None = None


def decode_event(content: bytes, where: str) -> RolloutEvent:
    """Return the event in a file; ``where`` is the file's name.

    Raises:
        HistoryDamaged: it is not an event.
        NewerFormat: a newer version of Gnomon recorded it.
    """
    return decode(content, RolloutEvent, _KIND, where)


def forced_reason(event: RolloutEvent) -> str | None:
    """Return what a forced decision was taken in spite of; None if it was not forced."""
    if not event.forced:
        return None
    if event.kind == "shadow_start":
        return "its contract is incompatible"
    if not event.gates:
        return "its gates were not evaluated"
    if any(gate.get("verdict") != "pass" for gate in event.gates):
        return "its gates did not pass"
    return "its gates judge other content, which is in shadow under this tag"


def summary(event: RolloutEvent) -> str:
    """Say in a few words what was decided and by whom: ``promote flights:two by ann``."""
    who = signature(event.by or "somebody", event.authenticated, event.on_behalf_of)
    return f"{event.kind.replace('_', ' ')} {event.artifact} by {who}"
