"""The rollout: the recorded decisions, and the gates of a promotion.

Functions such as ``rollout.promote(settings, "flights", "flights:latest")`` are imported on first
use, because reading the history does not need the gates. They are for servers, whose settings and
policy are given; users have :mod:`gnomon.api.decisions` as ``gnomon.promote`` and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.rollout.decisions.excuse_decisions import add_excuse, end_excuse
    from gnomon.rollout.decisions.gate_checks import check
    from gnomon.rollout.decisions.promotion import (
        approve,
        precheck_approval,
        precheck_promotion,
        promote,
        rollback,
    )
    from gnomon.rollout.decisions.shadow_decisions import start_shadow, stop_shadow
    from gnomon.rollout.decisions.withdrawal import withdraw

__all__ = [
    "add_excuse",
    "approve",
    "check",
    "end_excuse",
    "precheck_approval",
    "precheck_promotion",
    "promote",
    "rollback",
    "start_shadow",
    "stop_shadow",
    "withdraw",
]

_HOMES = {
    "add_excuse": "decisions.excuse_decisions",
    "approve": "decisions.promotion",
    "check": "decisions.gate_checks",
    "end_excuse": "decisions.excuse_decisions",
    "precheck_approval": "decisions.promotion",
    "precheck_promotion": "decisions.promotion",
    "promote": "decisions.promotion",
    "rollback": "decisions.promotion",
    "start_shadow": "decisions.shadow_decisions",
    "stop_shadow": "decisions.shadow_decisions",
    "withdraw": "decisions.withdrawal",
}

__getattr__ = lazy(__name__, _HOMES)
