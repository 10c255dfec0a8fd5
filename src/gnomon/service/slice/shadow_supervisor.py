"""The shadows of one slice: one feed for each shadow of the rollout."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

from msgspec import structs

from gnomon.rollout.history import RolloutState, Shadow
from gnomon.service.lane.recording import Recorder
from gnomon.service.metrics import Metrics
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.slice.shadow_feed import ShadowFeed
from gnomon.service.status.gate_outlook import GateOutlook
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.service.tasks import Tasks, close_all
from gnomon.settings import Settings
from gnomon.shadow.feed.run import mark_stopped
from gnomon.shadow.heartbeats import ShadowBeat

__all__ = ["ShadowSupervisor"]


class ShadowSupervisor:
    """Starts and ends feeds as shadows are started and stopped.

    Args:
        model: the deployment's model name.
        settings: passed to the feeds.
        policy: the policy file, for the comparators.
        claim: the slice whose requests the feeds read.
        recorder: has the position from which a new shadow reads.
        metrics: shows what the feeds report.
        tasks: closes the feeds of stopped shadows.
        outlook: has the gates that promotions wait for.
    """

    def __init__(
        self,
        model: str,
        settings: Settings,
        policy: Path | None,
        claim: SliceClaim,
        recorder: Recorder,
        metrics: Metrics,
        tasks: Tasks,
        outlook: GateOutlook,
    ) -> None:
        self._outlook = outlook
        self._model = model
        self._settings = settings
        self._policy = policy
        self._claim = claim
        self._recorder = recorder
        self._metrics = metrics
        self._tasks = tasks
        self._feeds: dict[str, ShadowFeed] = {}
        self._marked: int | None = None
        """The last epoch for which stopped shadows were marked in the slice's folder."""

    def apply(self, state: RolloutState) -> None:
        """Run exactly the shadows of this state; start none while the log is not open."""
        for tag in [t for t, feed in self._feeds.items() if state.shadows.get(t) != feed.shadow]:
            self._tasks.finish(self._feeds.pop(tag).close())
        if not self._recorder.is_open:
            return
        for tag, shadow in state.shadows.items():
            if tag not in self._feeds:
                self._start(tag, shadow)
        if self._marked != state.epoch:
            with contextlib.suppress(OSError):  # The next call tries again.
                mark_stopped(self._settings, self._model, self._claim.name, state.shadows)
                self._marked = state.epoch

    def statuses(self) -> tuple[ShadowStatus, ...]:
        """Return each feed's last report, and the gates its artifact's promotion waits for."""
        return tuple(
            structs.replace(feed.status(), open_gates=self._outlook.of(tag))
            for tag, feed in self._feeds.items()
        )

    def beats(self) -> tuple[ShadowBeat, ...]:
        """Return the same for the slice's heartbeat."""
        return tuple(
            structs.replace(feed.beat(), open_gates=self._outlook.of(tag))
            for tag, feed in self._feeds.items()
        )

    async def close(self) -> None:
        """End every feed; their positions are in the log, so nothing is lost."""
        await close_all(*(feed.close for feed in self._feeds.values()))

    def _start(self, tag: str, shadow: Shadow) -> None:
        self._feeds[tag] = ShadowFeed(
            self._claim.name,
            shadow,
            self._policy,
            self._recorder.position,
            self._settings,
            functools.partial(self._metrics.shadow, tag),
            functools.partial(self._metrics.restarted, "shadow"),
        )
        self._feeds[tag].start()
