"""The shadows of one slice: a feed process each, and what it last reported."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gnomon.errors import GnomonError
from gnomon.models import inspect
from gnomon.service.children import Child
from gnomon.service.metrics import Metrics
from gnomon.service.status import ShadowStatus
from gnomon.settings import Settings
from gnomon.shadow.feed.progress import Progress
from gnomon.shadow.rollout.history import Shadow
from gnomon.shadow.slices import ShadowBeat

__all__ = ["ShadowFeed"]


class ShadowFeed:
    """Keeps the feed of one shadow running; nothing it does can reach the live lane.

    Args:
        model: the deployment's model name.
        slice_name: the slice whose requests it reads.
        shadow: the artifact and its sample, as the rollout decided.
        policy: the policy file, for its comparators.
        since: the position in the request stream from which a new shadow reads.
        settings: handed down.
        metrics: where its counts are shown.

    Raises:
        ArtifactError: the artifact does not pass inspection; the feed is not started.
    """

    def __init__(
        self,
        model: str,
        slice_name: str,
        shadow: Shadow,
        policy: Path | None,
        since: str,
        settings: Settings,
        metrics: Metrics,
    ) -> None:
        self.shadow = shadow
        self._metrics = metrics
        self._progress = Progress()
        self._reported = False
        arguments = [
            "--model", model,
            "--slice", slice_name,
            "--artifact", str(inspect(shadow.artifact).path),
            "--fraction", repr(shadow.fraction),
            "--since", since,
            "--epoch", str(shadow.since),
        ]  # fmt: skip
        if policy is not None:
            arguments += ["--policy", str(policy.absolute())]
        self._child = Child(
            "gnomon.shadow.feed", arguments, settings, self._on_report, self._on_death
        )

    @property
    def pid(self) -> int | None:
        """The feed's process id."""
        return self._child.pid

    def start(self) -> None:
        """Start the feed process."""
        self._child.start()

    async def close(self) -> None:
        """End the feed process; its position is in the log, so nothing is lost."""
        await self._child.close()

    def status(self) -> ShadowStatus:
        """What the feed last reported."""
        progress = self._progress
        state = "running" if self._reported else "starting"
        if progress.error is not None or (self._child.pid is None and self._child.restarts):
            state = "failing"
        return ShadowStatus(
            artifact=self.shadow.artifact,
            fraction=self.shadow.fraction,
            since=self.shadow.at,
            state=state,
            **progress.counts(),
        )

    def beat(self) -> ShadowBeat:
        """The same for the slice's heartbeat."""
        progress = self._progress
        return ShadowBeat(
            artifact=self.shadow.artifact,
            epoch=self.shadow.since,
            pid=self._child.pid,
            position=progress.position,
            scored=progress.scored,
            failed=progress.failed,
            lagging=progress.lagging,
            error=progress.error,
        )

    def _on_report(self, report: dict[str, object]) -> None:
        self._progress = msgspec.convert(report, Progress)
        self._reported = True
        self._metrics.shadow(
            self.shadow.artifact,
            {
                "scored": self._progress.scored,
                "failed": self._progress.failed,
                "lagging": self._progress.lagging,
                "disagreed": self._progress.disagreed,
            },
        )

    def _on_death(self) -> None:
        self._metrics.restarted("shadow")


def refused(shadow: Shadow, error: GnomonError) -> ShadowStatus:
    """The status of a shadow whose artifact cannot be run here."""
    return ShadowStatus(
        artifact=shadow.artifact,
        fraction=shadow.fraction,
        since=shadow.at,
        state="failing",
        error=str(error),
    )
