"""Shadows: the inference log, comparing two feeds of it, and the rollout that rests on that.

Names are imported on first use: a gateway needs no DuckDB to follow a rollout.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.shadow.compare.comparators import compare
    from gnomon.shadow.compare.comparison import Comparison
    from gnomon.shadow.log import InferenceLog
    from gnomon.shadow.policy import Policy
    from gnomon.shadow.rollout.history import Event, History, RolloutState

__all__ = [
    "Comparison",
    "Event",
    "History",
    "InferenceLog",
    "Policy",
    "RolloutState",
    "compare",
]

_HOMES = {
    "Comparison": "compare.comparison",
    "Event": "rollout.history",
    "History": "rollout.history",
    "InferenceLog": "log",
    "Policy": "policy",
    "RolloutState": "rollout.history",
    "compare": "compare.comparators",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
