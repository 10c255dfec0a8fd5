"""What a slice decides by itself: kept by what decides, read by what shows it."""

from __future__ import annotations

from datetime import UTC, datetime

from gnomon.policy import Policy
from gnomon.rollout.gates.watch_gates import would_roll_back
from gnomon.rollout.history import RolloutState
from gnomon.rollout.watch_window import open_watch
from gnomon.service.status.automation_status import AutomationStatus, WatchStatus

__all__ = ["AutomationReport"]


class AutomationReport:
    """Keeps what is not in the state of the rollout.

    Attributes:
        policy: the policy as it was last read.
        says: why something is not decided that might be expected; None if nothing is to be said.
    """

    def __init__(self) -> None:
        self.policy = Policy()
        self.says: str | None = None
        self._checked: datetime | None = None

    def checked(self) -> None:
        """Note that gates were evaluated now."""
        self._checked = datetime.now(UTC)

    def status(self, state: RolloutState) -> AutomationStatus:
        """Return the status in a state of the rollout, at this time."""
        return AutomationStatus(
            mode=self.policy.rollout.mode,
            check_seconds=self.policy.rollout.check_seconds,
            checked=self._checked,
            says=self.says,
            watch=_watch(self.policy, state),
            only_by_a_person=tuple(tag for tag in state.distrusted if tag in state.shadows),
        )


def _watch(policy: Policy, state: RolloutState) -> WatchStatus | None:
    watch = open_watch(state.watch)
    if watch is None:
        return None
    return WatchStatus(
        artifact=watch.artifact,
        previous=watch.previous,
        until=watch.until,
        rolls_back_if=would_roll_back(watch, policy.gates),
    )
