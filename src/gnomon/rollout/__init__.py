"""The recorded sequence of decisions, the gates one must pass, and the checks that feed them.

``rollout.promote(settings, "flights", "flights:latest")`` and its like are imported on first use:
reading the history needs no gates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

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

_HOMES = {
    "SkewCheck": "skew_checks",
    "check": "decisions",
    "compare_offline": "skew_checks",
    "promote": "decisions",
    "replay": "skew_checks",
    "rollback": "decisions",
    "start_shadow": "decisions",
    "stop_shadow": "decisions",
}

__getattr__ = lazy(__name__, _HOMES)
