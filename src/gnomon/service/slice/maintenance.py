"""The periodic work of a slice."""

from __future__ import annotations

import asyncio
import logging

from gnomon.errors import StorageError
from gnomon.service.lane.recording import Recorder
from gnomon.service.metrics import Metrics
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.slice.orphans import Orphans
from gnomon.service.slice.rollout_automation import STEP_SECONDS, RolloutAutomation
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.service.slice.status_view import StatusView
from gnomon.service.slice.takeover import Takeover
from gnomon.service.status.gate_outlook import REFRESH_SECONDS, GateOutlook
from gnomon.service.status.proposal_status import ProposalView
from gnomon.service.tasks import Tasks, in_thread
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.storage import Storage

__all__ = ["Maintenance"]

logger = logging.getLogger("gnomon")


class Maintenance:
    """Follows the rollout, publishes metrics, syncs the log and writes the heartbeat.

    Args:
        settings: say how often.
        storage: where the heartbeat is written.
        claim: the slice's name, which is claimed later if the disk failed at first.
        recorder: the log.
        follower: brings the slice to the newest rollout state.
        orphans: runs the feeds of slices that were left behind.
        takeover: lets the next gateway take over the live workers if this one is killed.
        metrics: published each time.
        view: makes the heartbeat.
        outlook: what promotions wait for.
        proposals: those that can no longer be approved.
        automation: takes the decisions that the policy leaves to the server.
    """

    def __init__(
        self,
        settings: Settings,
        storage: Storage,
        claim: SliceClaim,
        recorder: Recorder,
        follower: RolloutFollower,
        orphans: Orphans,
        takeover: Takeover,
        metrics: Metrics,
        view: StatusView,
        outlook: GateOutlook,
        proposals: ProposalView,
        automation: RolloutAutomation,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._claim = claim
        self._recorder = recorder
        self._follower = follower
        self._orphans = orphans
        self._takeover = takeover
        self._metrics = metrics
        self._view = view
        self._outlook = outlook
        self._proposals = proposals
        self._automation = automation
        self._begun = False

    def begin(self, tasks: Tasks) -> None:
        """Start all periodic tasks."""
        self._begun = True
        interval = self._settings.follow_seconds
        tasks.repeat("following the rollout", interval, self._tick)
        tasks.repeat(
            "syncing the log", self._settings.fsync_seconds or interval, self._recorder.fsync
        )
        tasks.repeat("looking at what promotions need", REFRESH_SECONDS, self._look_at_promotions)
        tasks.repeat("deciding by the policy", STEP_SECONDS, self._automation.step)
        tasks.repeat("taking over slices left behind", interval, self._check_orphans)

    async def end(self) -> None:
        """Report that the slice shuts down properly; do nothing if it had not begun."""
        if not (self._begun and self._claim.name):
            return
        try:
            await asyncio.to_thread(heartbeats.end, self._storage, self._view.heartbeat())
        except StorageError as error:
            logger.error("the last heartbeat was not written: %s", error)

    async def _tick(self) -> None:
        if not self._recorder.is_open:
            await self._claim.take()
        await self._follower.follow()
        self._takeover.offer(self._follower.live)
        self._metrics.publish()
        if self._recorder.is_open:
            self._recorder.rotate_if_due()
            await in_thread(heartbeats.write, self._storage, self._view.heartbeat())

    async def _look_at_promotions(self) -> None:
        await in_thread(self._outlook.refresh, self._follower.state)
        await in_thread(self._proposals.refresh, self._follower.state)

    async def _check_orphans(self) -> None:
        if self._claim.name and self._follower.history_error is None:
            # With a damaged history, some shadows may be unknown.
            await self._orphans.step(self._follower.state, self._claim.name)
