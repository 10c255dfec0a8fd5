"""The rollout: the recorded decisions, the gates of a promotion, and the checks behind the gates.

Functions such as ``rollout.promote(settings, "flights", "flights:latest")`` are imported on first
use, because reading the history does not need the gates. The decisions are those of
:mod:`gnomon.rollout.decisions`, for servers; users have
:mod:`gnomon.rollout.public_decisions` as ``gnomon.promote`` and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from gnomon.lazy_imports import lazy

if TYPE_CHECKING:
    from gnomon.rollout.decisions import check, promote, rollback, start_shadow, stop_shadow
    from gnomon.rollout.queries import (
        DriftCheck,
        RolloutHistory,
        answering,
        check_contract,
        check_gates,
        check_leakage,
        measure_drift,
        open_log,
        rollout_history,
        saved_reports,
    )
    from gnomon.rollout.skew_checks import SkewCheck, compare_offline, diagnose, replay

__all__ = [
    "DriftCheck",
    "RolloutHistory",
    "SkewCheck",
    "answering",
    "check",
    "check_contract",
    "check_gates",
    "check_leakage",
    "compare_offline",
    "diagnose",
    "measure_drift",
    "open_log",
    "promote",
    "replay",
    "rollback",
    "rollout_history",
    "saved_reports",
    "start_shadow",
    "stop_shadow",
]

_HOMES = {
    "DriftCheck": "queries",
    "RolloutHistory": "queries",
    "SkewCheck": "skew_checks",
    "answering": "queries",
    "check": "decisions",
    "check_contract": "queries",
    "check_gates": "queries",
    "check_leakage": "queries",
    "compare_offline": "skew_checks",
    "diagnose": "skew_checks",
    "measure_drift": "queries",
    "open_log": "queries",
    "promote": "decisions",
    "replay": "skew_checks",
    "rollback": "decisions",
    "rollout_history": "queries",
    "saved_reports": "queries",
    "start_shadow": "decisions",
    "stop_shadow": "decisions",
}

__getattr__ = lazy(__name__, _HOMES)
