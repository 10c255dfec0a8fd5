"""Takes one decision at the storage root of the environment, once a file says so.

python -c "from tests.faults.decider import main; main(KIND, TAG, FILE)"
"""

from __future__ import annotations

import time
from pathlib import Path

from gnomon.policy import GateLimits, Policy
from gnomon.rollout import promote, rollback, start_shadow, stop_shadow
from gnomon.rollout.history import RolloutEvent
from gnomon.settings import Settings

POLICY = Policy(gates=GateLimits(min_rows=100, min_coverage=None, max_lag_rows=None))


def main(kind: str, tag: str, go: str) -> None:
    """Wait for the file, then decide."""
    settings = Settings.read()
    while not Path(go).exists():
        time.sleep(0.005)
    decide(settings, kind, tag)


def decide(settings: Settings, kind: str, tag: str) -> RolloutEvent:
    """Take a decision about the toy model."""
    if kind == "shadow_start":
        return start_shadow(settings, "toy", tag, policy=POLICY)
    if kind == "shadow_stop":
        return stop_shadow(settings, "toy", tag)
    if kind == "promote":
        return promote(settings, "toy", tag, policy=POLICY)
    return rollback(settings, "toy")
