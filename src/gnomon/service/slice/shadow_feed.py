"""The feed process of a shadow in one slice, and its last report."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import structs

from gnomon.rollout.history import Shadow
from gnomon.service.children import Child
from gnomon.service.status.shadow_status import shadow_status
from gnomon.service.status.slice_status import ShadowStatus
from gnomon.settings import Settings
from gnomon.shadow.feed.progress import Progress
from gnomon.shadow.heartbeats import ShadowBeat

__all__ = ["ShadowFeed"]

WATCH_SECONDS = 0.5
SILENT_SECONDS = 5.0
"""A feed without a report for this long is stopped or gets no processor time: it reports twice a
second."""


class ShadowFeed:
    """Keeps the feed of one shadow running, without effect on the live lane.

    Args:
        slice_name: the slice whose requests it reads.
        shadow: the artifact and its sample, from the rollout.
        policy: the policy file, for its comparators.
        since: the position in the request stream from which a new shadow reads.
        settings: passed to the feed.
        live: returns the tag of the live artifact that its answers are compared with.
        show: called twice a second with its rows by state and the seconds it is behind.
        on_death: called each time the feed ends unexpectedly.
    """

    def __init__(
        self,
        slice_name: str,
        shadow: Shadow,
        policy: Path | None,
        since: str,
        settings: Settings,
        live: Callable[[], str | None],
        show: Callable[[dict[str, int], float], None] = lambda counts, behind_seconds: None,
        on_death: Callable[[], None] = lambda: None,
    ) -> None:
        self.shadow = shadow
        self._live = live
        self._show = show
        self._progress = Progress()
        self._reported = 0.0
        self._task: asyncio.Task[None] | None = None
        arguments = [
            "--slice", slice_name,
            "--artifact", shadow.artifact,
            "--fraction", repr(shadow.fraction),
            "--since", since,
            "--epoch", str(shadow.since),
        ]  # fmt: skip
        for feature in shadow.entity_key:
            arguments += ["--entity-key", feature]
        if policy is not None:
            arguments += ["--policy", str(policy.absolute())]
        self._child = Child("gnomon.shadow.feed", arguments, settings, self._on_report, on_death)

    @property
    def is_done(self) -> bool:
        """Whether no rows wait for it, in a slice that receives no more requests."""
        beat = self.beat()
        return self._progress.came_to_end and beat.state == "running" and not beat.lagging

    def start(self) -> None:
        """Start the feed process."""
        self._child.start()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """End the feed process; its position is in the log, so nothing is lost."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._child.close()
        self._show({"lagging": 0}, 0.0)

    def status(self) -> ShadowStatus:
        """Return the feed's last report."""
        return shadow_status(self.shadow, self.beat())

    def beat(self) -> ShadowBeat:
        """Return the same for the slice's heartbeat; time without reports counts as behind."""
        progress = self._progress.beside(self._live())
        error = progress.error
        silent = self._silence()
        if silent:
            error = f"its feed, process {self._child.pid}, has not reported for {silent:.0f} s"
        state = "running" if self._reported else "starting"
        if error is not None or (self._child.pid is None and self._child.restarts):
            state = "failing"
        return ShadowBeat(
            artifact=self.shadow.artifact,
            epoch=self.shadow.since,
            pid=self._child.pid,
            state=state,
            position=progress.position,
            **structs.replace(
                progress, behind_seconds=progress.behind_seconds + silent, error=error
            ).reported(),
        )

    def _silence(self) -> float:
        """Return the seconds since the last report, if they exceed the limit; else 0."""
        if not self._reported:
            return 0.0
        silent = asyncio.get_running_loop().time() - self._reported
        return silent if silent > SILENT_SECONDS else 0.0

    async def _watch(self) -> None:
        """Show the counts regularly, even without new reports."""
        while True:
            beat = self.beat()
            self._show(beat.counts(), beat.behind_seconds)
            await asyncio.sleep(WATCH_SECONDS)

    def _on_report(self, report: dict[str, object]) -> None:
        self._progress = msgspec.convert(report, Progress)
        self._reported = asyncio.get_running_loop().time()
