"""The recorded sequence of decisions, the gates one must pass, and the checks that feed them.

``rollout.promote(settings, "flights", "flights:latest")`` and its like are imported on first use:
reading the history needs no gates.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.rollout.decisions import check, promote, rollback, start_shadow, stop_shadow
    from gnomon.rollout.skew_checks import SkewCheck, compare_offline, replay

__all__ = [
    "SkewCheck",
    "check",
    "compare_offline",
    "promote",
    "replay",
    "rollback",
    "start_shadow",
    "stop_shadow",
]

_CHECKS = {"SkewCheck", "compare_offline", "replay"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = "skew_checks" if name in _CHECKS else "decisions"
    return getattr(import_module(f"{__name__}.{home}"), name)
