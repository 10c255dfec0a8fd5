"""The shadows of one slice: one feed for each of the rollout, and one for the noise floor."""

from __future__ import annotations

import contextlib
import functools
from pathlib import Path

from msgspec import structs

from gnomon.artifact import Artifact
from gnomon.rollout.gates.noise_floor import noise_shadow
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.service.lane.recording import Recorder
from gnomon.service.metrics import Metrics
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.slice.followed_policy import FollowedPolicy
from gnomon.service.slice.shadow_feed import ShadowFeed
from gnomon.service.slice.shadow_runs import ShadowRuns
from gnomon.service.status.gate_outlook import GateOutlook
from gnomon.service.status.shadow_status import noise_floor_status
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.service.tasks import Tasks, close_all, in_thread
from gnomon.settings import Settings
from gnomon.shadow.feed.run import Run, mark_stopped
from gnomon.shadow.heartbeats import ShadowBeat

__all__ = ["ShadowSupervisor"]


class ShadowSupervisor:
    """Starts and ends feeds as shadows are started and stopped.

    While shadows are judged, it also runs live against itself on a share of the requests, as the
    policy says, also if it comes to say so later; see :mod:`gnomon.rollout.gates.noise_floor`.

    Args:
        model: the deployment's model name.
        settings: passed to the feeds.
        policy: the policy file, for the comparators and the share of the noise floor. The share is
            read again when the file changes.
        claim: the slice whose requests the feeds read.
        recorder: has the log, whose end is the position from which a new shadow reads.
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
        self._rules = FollowedPolicy(policy)
        self._claim = claim
        self._recorder = recorder
        self._metrics = metrics
        self._tasks = tasks
        self._runs = ShadowRuns(model, settings, claim, recorder)
        self._feeds: dict[str, ShadowFeed] = {}
        self._noise: Shadow | None = None
        self._live: str | None = None
        self._marked: tuple[int, frozenset[str]] | None = None
        """The last epoch and shadows for which the others were marked in the slice's folder."""

    async def begin(self, state: RolloutState, live: Artifact | None) -> None:
        """Record on disk from where on the shadows of a state have to score rows.

        To be awaited before the state takes effect in this slice; see :class:`ShadowRuns`.

        Args:
            state: the rollout.
            live: the artifact that answers when the state is in effect.
        """
        if state.noise_run is not None:
            await in_thread(self._rules.refresh)
        noise = None if live is None else noise_shadow(state, live, self._rules.policy)
        await self._runs.begin([*state.shadows.values(), *([] if noise is None else [noise])])

    def apply(self, state: RolloutState, live: Artifact | None) -> None:
        """Run exactly the shadows of this state; start none before its run has begun.

        Args:
            state: the rollout.
            live: the artifact that answers here, whose noise floor is measured.
        """
        self._live = None if live is None else live.tag
        self._outlook.follow(state)
        self._noise = self._noise_of(state, live)
        shadows = dict(state.shadows)
        if self._noise is not None:
            shadows[self._noise.artifact] = self._noise
        for tag in [t for t, feed in self._feeds.items() if shadows.get(t) != feed.shadow]:
            self._tasks.finish(self._feeds.pop(tag).close())
        if not self._recorder.is_open:
            return
        for tag, shadow in shadows.items():
            if tag not in self._feeds and (run := self._runs.of(shadow)) is not None:
                self._start(tag, shadow, run)
        running = (state.epoch, frozenset(shadows))
        if self._marked != running:
            with contextlib.suppress(OSError):  # The next call tries again.
                mark_stopped(self._settings, self._model, self._claim.name, shadows)
                self._marked = running

    def statuses(self) -> tuple[ShadowStatus, ...]:
        """Return each feed's last report, and the gates its artifact's promotion waits for."""
        return tuple(
            structs.replace(feed.status(), open_gates=self._outlook.of(tag))
            for tag, feed in self._feeds.items()
            if feed.shadow != self._noise
        )

    @property
    def noise_share(self) -> float | None:
        """The share of the noise floor; None while it is not measured."""
        return None if self._noise is None else self._noise.fraction

    def noise_floor(self) -> ShadowStatus | None:
        """Return the last report of the noise floor's feed; None while it is not measured."""
        feed = None if self._noise is None else self._feeds.get(self._noise.artifact)
        return None if feed is None else noise_floor_status(feed.shadow, feed.beat())

    def beats(self) -> tuple[ShadowBeat, ...]:
        """Return the same for the slice's heartbeat, with the noise floor among them."""
        return tuple(
            structs.replace(feed.beat(), open_gates=self._outlook.of(tag))
            for tag, feed in self._feeds.items()
        )

    async def close(self) -> None:
        """End every feed; their positions are in the log, so nothing is lost."""
        await close_all(*(feed.close for feed in self._feeds.values()))

    def _noise_of(self, state: RolloutState, live: Artifact | None) -> Shadow | None:
        """Return the shadow of live itself; one that has begun keeps its share to its end."""
        shadow = None if live is None else noise_shadow(state, live, self._rules.policy)
        run = None if shadow is None else self._runs.of(shadow)
        if shadow is None or run is None:
            return None
        return structs.replace(shadow, fraction=run.fraction)

    def _start(self, tag: str, shadow: Shadow, run: Run) -> None:
        self._feeds[tag] = ShadowFeed(
            self._claim.name,
            shadow,
            self._policy,
            run.since,
            self._settings,
            lambda: self._live,
            functools.partial(self._metrics.shadow, tag),
            functools.partial(self._metrics.restarted, "shadow"),
        )
        self._feeds[tag].start()
