"""The rollout: the recorded decisions, and the gates of a promotion.

Functions such as ``rollout.promote(settings, "flights", "flights:latest")`` are imported on first
use, because reading the history does not need the gates. They are for servers, whose settings and
policy are given; users have :mod:`gnomon.api.decisions` as ``gnomon.promote`` and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.rollout.decisions.decisions import (
        approve,
        check,
        promote,
        rollback,
        start_shadow,
        stop_shadow,
    )
    from gnomon.rollout.decisions.excuse_decisions import add_excuse, end_excuse
    from gnomon.rollout.decisions.withdrawal import withdraw

__all__ = [
    "add_excuse",
    "approve",
    "check",
    "end_excuse",
    "promote",
    "rollback",
    "start_shadow",
    "stop_shadow",
    "withdraw",
]

__getattr__ = lazy(
    __name__,
    dict.fromkeys(__all__, "decisions.decisions")
    | dict.fromkeys(("add_excuse", "end_excuse"), "decisions.excuse_decisions")
    | {"withdraw": "decisions.withdrawal"},
)
