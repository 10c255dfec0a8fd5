"""Slices of this machine that no gateway runs any more, whose rows another gateway has scored.

A server that is started with fewer slices than before, or under another name, leaves the logs of
slices behind, with rows that shadows have not read. A gateway handles one such slice at a time: it
holds the lock on the slice's requests, as a gateway of that slice would, and runs its feeds until
no rows wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import structs

from gnomon.errors import GnomonError, NewerFormat
from gnomon.log import REQUESTS, STOPPED, shadow_stream
from gnomon.log.segments.layout import StreamLock, folders
from gnomon.rollout.history import RolloutState, Shadow
from gnomon.service.slice.shadow_feed import ShadowFeed
from gnomon.settings import Settings
from gnomon.shadow import heartbeats
from gnomon.shadow.feed.run import Run, mark_stopped
from gnomon.shadow.heartbeats import Heartbeat
from gnomon.storage import Storage

__all__ = ["Orphans"]

logger = logging.getLogger("gnomon")

LOOK_SECONDS = 15.0
PATIENCE_SECONDS = 60.0
"""How long a slice must have been silent, and this gateway have run, before the slice counts as
left behind: it may be restarting."""


@dataclass
class _Taken:
    """A slice that was left behind, and the feeds that run for it here."""

    folder: Path
    lock: StreamLock
    epoch: int
    beat: Heartbeat | None
    runs: dict[Shadow, Run]
    feeds: list[ShadowFeed] = field(default_factory=list)


class Orphans:
    """Looks for slices that were left behind in this spool, and has their waiting rows scored.

    Args:
        settings: where the spool is.
        model: the deployment's model name.
        policy: the policy file, for the comparators of the feeds.
        patience: seconds a slice must have been silent, and this gateway have run.
    """

    def __init__(
        self,
        settings: Settings,
        model: str,
        policy: Path | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._settings = settings
        self._model = model
        self._policy = policy
        self._patience = timedelta(seconds=patience)
        self._look_at = time.monotonic() + patience
        self._storage = Storage(settings)
        self._taken: _Taken | None = None

    @property
    def name(self) -> str | None:
        """The slice that is handled now."""
        return None if self._taken is None else self._taken.folder.name

    async def step(self, state: RolloutState, own: str) -> None:
        """Begin, continue or finish the handling of a slice; to be called regularly.

        Args:
            state: the rollout; only for shadows that it runs are rows scored.
            own: the slice of the calling gateway.
        """
        taken = self._taken
        if taken is None:
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + LOOK_SECONDS
                await self._take(state, own)
        elif taken.epoch != state.epoch:
            await self.close()
        elif all(feed.is_done for feed in taken.feeds):
            logger.info(
                "no rows are waiting any more in slice %s, which no gateway runs", self.name
            )
            await self.close(done=True)
        elif taken.beat is not None:
            shadows = tuple(feed.beat() for feed in taken.feeds)
            beat = structs.replace(taken.beat, shadows=shadows)
            await asyncio.to_thread(heartbeats.write, self._storage, beat)

    async def close(self, *, done: bool = False) -> None:
        """Release the slice that is handled; with ``done``, for ever, as no rows wait in it."""
        taken, self._taken = self._taken, None
        if taken is not None:
            await asyncio.gather(*(feed.close() for feed in taken.feeds))
            if done:
                await asyncio.to_thread(self._forget, taken.folder.name)
            taken.lock.close()

    async def _take(self, state: RolloutState, own: str) -> None:
        finding = asyncio.ensure_future(asyncio.to_thread(self._find, state, own))
        try:
            taken = await asyncio.shield(finding)
        except asyncio.CancelledError:  # The thread continues, and may acquire a lock.
            if (taken := await finding) is not None:
                taken.lock.close()
            raise
        if taken is None:
            return
        logger.warning("rows are waiting in slice %s, which no gateway runs", taken.folder.name)
        for shadow, run in taken.runs.items():
            feed = ShadowFeed(taken.folder.name, shadow, self._policy, run.since, self._settings)
            taken.feeds.append(feed)
            feed.start()
        self._taken = taken

    def _find(self, state: RolloutState, own: str) -> _Taken | None:
        """Return the first slice left behind in which rows may wait, locked."""
        found = heartbeats.find(self._storage, self._model)
        beats = {beat.slice: beat for beat in found.beats}
        newer = {name for name, why in found.unreadable.items() if isinstance(why, NewerFormat)}
        for folder in folders(self._settings.spool_path / self._model):
            beat = beats.get(folder.name)
            if folder.name in {own, *newer} or (beat is not None and not self._is_silent(beat)):
                continue
            with contextlib.suppress(GnomonError):
                if (taken := self._lock(folder, state, beat)) is not None:
                    return taken
        return None

    def _is_silent(self, beat: Heartbeat) -> bool:
        return beat.is_stale() and datetime.now(UTC) - beat.updated >= self._patience

    def _lock(self, folder: Path, state: RolloutState, beat: Heartbeat | None) -> _Taken | None:
        """Lock and return a slice, if rows may wait in it.

        Raises:
            LogUnavailable: a gateway runs it.
        """
        if not (folder / REQUESTS).is_dir() or (beat is None and not _waited_for(folder)):
            return None
        lock = StreamLock(folder / REQUESTS)
        runs = _running(folder, state)
        if runs:
            tags = [shadow.artifact for shadow in runs]
            mark_stopped(self._settings, self._model, folder.name, tags)
            return _Taken(folder, lock, state.epoch, beat, runs)
        self._forget(folder.name)
        lock.close()
        return None

    def _forget(self, name: str) -> None:
        """Allow a slice without waiting rows to be sealed, and remove its report."""
        mark_stopped(self._settings, self._model, name, ())
        heartbeats.remove(self._storage, self._model, name)


def _waited_for(folder: Path) -> bool:
    """Return whether the requests of a slice wait for any shadow."""
    streams = folder.glob(shadow_stream("*"))
    return any(not (stream / STOPPED).exists() for stream in streams)


def _running(folder: Path, state: RolloutState) -> dict[Shadow, Run]:
    """Return the shadows of the rollout that have begun in a slice and were not stopped there."""
    found = {}
    for tag, shadow in state.shadows.items():
        stream = folder / shadow_stream(tag.partition(":")[2])
        run = None if (stream / STOPPED).exists() else Run.last(stream)
        if run is not None and run.epoch == shadow.since:
            found[shadow] = run
    return found
