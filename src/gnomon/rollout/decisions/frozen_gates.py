"""What a decision rests on, kept in its event."""

from __future__ import annotations

from typing import Any

import msgspec

from gnomon.errors import RolloutConflict
from gnomon.rollout.decisions.automatic import Automatic
from gnomon.rollout.gate import Gates
from gnomon.rollout.history import History, RolloutEvent
from gnomon.rollout.provenance import keep_policy
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["frozen", "taken_automatically"]


def frozen(gates: Gates | None, settings: Settings) -> dict[str, Any]:
    """Return the fields of an event that keep the gates, what they rest on and the policy."""
    if gates is None:
        return {}
    policy = gates.policy
    return {
        "gates": tuple(msgspec.to_builtins(gates.gates)),
        "evidence": msgspec.to_builtins(gates.read),
        "policy_sha256": None if policy is None else keep_policy(Storage(settings), policy),
    }


def taken_automatically(
    event: RolloutEvent, history: History, automatic: Automatic | None, settings: Settings
) -> RolloutEvent:
    """Mark an automatic decision, and refuse it if anything was decided since it was evaluated."""
    if automatic is None:
        return event
    if history.state.epoch != automatic.epoch:
        raise RolloutConflict(
            "another decision was recorded while the gates were evaluated",
            hint="nothing is to be done: they are evaluated again on the new state",
        )
    if not event.gates:
        event = msgspec.structs.replace(event, **frozen(automatic.gates, settings))
    return msgspec.structs.replace(event, automatic=True)
