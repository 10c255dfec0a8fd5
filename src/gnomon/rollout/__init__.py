"""The recorded sequence of decisions, and the gates one must pass.

``rollout.promote(settings, "flights", "flights:latest")`` and its like are imported on first use:
reading the history needs no gates.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gnomon.rollout.decisions import check, promote, rollback, start_shadow, stop_shadow

__all__ = ["check", "promote", "rollback", "start_shadow", "stop_shadow"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.decisions"), name)
