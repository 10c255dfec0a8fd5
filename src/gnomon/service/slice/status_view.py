"""The status of a slice, for its clients and for its heartbeat."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime

import msgspec

from gnomon.log.retention_notice import retention_warning
from gnomon.service.lane.batching import Lane
from gnomon.service.lane.recording import Recorder
from gnomon.service.metrics import Metrics
from gnomon.service.slice.automation_report import AutomationReport
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.service.slice.sealing import Sealing
from gnomon.service.slice.shadow_supervisor import ShadowSupervisor
from gnomon.service.status.proposal_status import ProposalView
from gnomon.service.status.slice_status import LiveStatus, RowAccounts, Status
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.shadow_counts import Latency
from gnomon.version import __version__

__all__ = ["StatusView"]


class StatusView:
    """A read-only view of the parts of a slice, as one status.

    Args:
        settings: have the deployment's URL.
        claim: has the slice's name.
        follower: has the live lane and the rollout.
        shadows: have the shadows' reports.
        recorder: says whether the log is written.
        sealer: says whether the log is sealed.
        metrics: have the accounts.
        automation: has what the server decides by itself.
        proposals: knows which proposals can no longer be approved.

    Attributes:
        warnings: what the operator should know of the settings, one sentence each.
    """

    def __init__(
        self,
        settings: Settings,
        claim: SliceClaim,
        follower: RolloutFollower,
        shadows: ShadowSupervisor,
        recorder: Recorder,
        sealer: Sealing,
        metrics: Metrics,
        automation: AutomationReport,
        proposals: ProposalView,
    ) -> None:
        self._settings = settings
        self._claim = claim
        self._follower = follower
        self._shadows = shadows
        self._recorder = recorder
        self._sealer = sealer
        self._metrics = metrics
        self._automation = automation
        self._proposals = proposals
        self._started = datetime.now(UTC)
        warning = retention_warning(settings)
        self.warnings = () if warning is None else (warning,)

    def status(self) -> Status:
        """Return what this slice runs now."""
        state = self._follower.state
        return Status(
            model=self._follower.history.model,
            ready=self._follower.live is not None,
            version=__version__,
            slice=self._claim.name,
            started=self._started,
            epoch=state.epoch,
            live=self._live(),
            previous=state.previous,
            shadows=self._shadows.statuses(),
            noise_floor=self._shadows.noise_floor(),
            accounts=RowAccounts(**self._metrics.accounts()),
            automation=self._automation.status(state),
            excuses=state.active_excuses,
            proposals=self._proposals.of(state),
            error=self.trouble(),
            warnings=self.warnings,
        )

    def heartbeat(self) -> heartbeats.Heartbeat:
        """Return the status for other processes, which read it under the storage root."""
        history, live = self._follower.history, self._follower.live
        return heartbeats.Heartbeat(
            model=history.model,
            slice=self._claim.name,
            host=socket.gethostname(),
            pid=os.getpid(),
            started=self._started,
            follow_seconds=self._settings.follow_seconds,
            url=self._settings.url,
            epoch=history.state.epoch,
            recorded=heartbeats.RolloutPosition(
                epoch=history.known.epoch, sha256=history.known.sha256
            ),
            live=None if live is None else live.artifact.tag,
            previous=history.state.previous,
            latency_ms=None if live is None else self._latency(live),
            shadows=self._shadows.beats(),
            noise_floor=self._shadows.noise_share,
            accounts=self._metrics.accounts(),
            automation=msgspec.to_builtins(self._automation.status(history.state)),
            error=self.trouble(),
            warnings=self.warnings,
        )

    def trouble(self) -> str | None:
        """Return why predictions are not answered, logged or sealed, or the rollout is not read."""
        error = self._follower.error or self._recorder.trouble
        if error is not None:
            return str(error)
        if self._follower.live is None:
            return str(self._follower.not_ready())
        return self._sealer.trouble

    def _live(self) -> LiveStatus | None:
        live = self._follower.live
        if live is None:
            return None
        return LiveStatus(
            artifact=live.artifact.tag,
            digest=live.artifact.digest,
            since=self._follower.live_since,
            latency_ms=self._latency(live),
        )

    def _latency(self, live: Lane) -> Latency | None:
        return self._metrics.worker_latency(live.identity.epoch)
