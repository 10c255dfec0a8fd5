"""The bodies of rollout decisions, and the answer of the history. A client imports no more."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec

from gnomon.artifact.manifest import GivenTag
from gnomon.rollout.history import RolloutEvent

__all__ = [
    "PATHS",
    "AddExcuse",
    "Approve",
    "DecisionRequest",
    "Decisions",
    "EndExcuse",
    "Promote",
    "Rollback",
    "StartShadow",
    "StopShadow",
    "Withdraw",
]


class DecisionRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """For whom a decision is made, and the reason; both are kept in the history.

    Attributes:
        by: with the control token, who decides, as claimed; with a credential of its own the
            caller decides, and this is on whose behalf.
    """

    by: str | None = None
    why: str | None = None


class StartShadow(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/shadow/start``.

    Attributes:
        same: shadow the live artifact itself, to measure the noise floor.
        force: start it even if its contract refuses requests that clients send today.
        preprocessing: another artifact's tag: the model of ``artifact`` runs on its preprocessing,
            for debugging.
    """

    artifact: GivenTag
    fraction: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    same: bool = False
    force: bool = False
    preprocessing: GivenTag | None = None


class StopShadow(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/shadow/stop``."""

    artifact: GivenTag


class AddExcuse(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/excuse/add``.

    Attributes:
        target: an output column, or ``FEATURE=VALUE``.
        artifact: the tag whose differences are excused; the only shadow by default.
        owner: who answers for it.
        until: its end, with an offset from UTC.
    """

    target: str
    artifact: GivenTag | None = None
    owner: str
    until: Annotated[datetime, msgspec.Meta(tz=True)]


class EndExcuse(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/excuse/end``.

    Attributes:
        number: the number of the excuse in the history and the status.
    """

    number: int


class Promote(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/promote``."""

    artifact: GivenTag
    force: bool = False


class Approve(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/approve``."""

    artifact: GivenTag


class Withdraw(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/withdraw``.

    Attributes:
        artifact: the proposed tag; the only one by default.
    """

    artifact: GivenTag | None = None


class Rollback(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/rollback``."""


class Decisions(msgspec.Struct):
    """The answer of ``GET /gnomon/history``: every rollout decision, oldest first.

    Attributes:
        events: the decisions; those before the damage, if there is any.
        damage: what is wrong with the history; ``None`` if it is intact.
    """

    events: list[RolloutEvent]
    damage: str | None = None


PATHS: dict[type[DecisionRequest], str] = {
    StartShadow: "/gnomon/shadow/start",
    StopShadow: "/gnomon/shadow/stop",
    AddExcuse: "/gnomon/excuse/add",
    EndExcuse: "/gnomon/excuse/end",
    Promote: "/gnomon/promote",
    Approve: "/gnomon/approve",
    Withdraw: "/gnomon/withdraw",
    Rollback: "/gnomon/rollback",
}
"""The route of each decision."""
