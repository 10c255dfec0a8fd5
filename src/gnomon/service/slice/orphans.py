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
class _Orphan:
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
        self._orphan: _Orphan | None = None

    @property
    def name(self) -> str | None:
        """The slice that is handled now."""
        return None if self._orphan is None else self._orphan.folder.name

    async def step(self, state: RolloutState, own: str) -> None:
        """Begin, continue or finish the handling of a slice; to be called regularly.

        Args:
            state: the rollout; only for shadows that it runs are rows scored.
            own: the slice of the calling gateway.
        """
        orphan = self._orphan
        if orphan is None:
            if time.monotonic() >= self._look_at:
                self._look_at = time.monotonic() + LOOK_SECONDS
                await self._take(state, own)
        elif orphan.epoch != state.epoch:
            await self.close()
        elif all(feed.is_done for feed in orphan.feeds):
            logger.info(
                "no rows are waiting any more in slice %s, which no gateway runs", self.name
            )
            await self.close(done=True)
        elif orphan.beat is not None:
            shadows = tuple(feed.beat() for feed in orphan.feeds)
            beat = structs.replace(orphan.beat, shadows=shadows)
            await asyncio.to_thread(heartbeats.write, self._storage, beat)

    async def close(self, *, done: bool = False) -> None:
        """Release the slice that is handled; with ``done``, for ever, as no rows wait in it."""
        orphan, self._orphan = self._orphan, None
        if orphan is not None:
            await asyncio.gather(*(feed.close() for feed in orphan.feeds))
            if done:
                await asyncio.to_thread(self._forget, orphan.folder.name)
            orphan.lock.close()

    async def _take(self, state: RolloutState, own: str) -> None:
        finding = asyncio.ensure_future(asyncio.to_thread(self._find, state, own))
        try:
            orphan = await asyncio.shield(finding)
        except asyncio.CancelledError:  # The thread continues, and may acquire a lock.
            if (orphan := await finding) is not None:
                orphan.lock.close()
            raise
        if orphan is None:
            return
        logger.warning("rows are waiting in slice %s, which no gateway runs", orphan.folder.name)
        for shadow, run in orphan.runs.items():
            feed = ShadowFeed(
                orphan.folder.name,
                shadow,
                self._policy,
                run.since,
                self._settings,
                lambda: state.live,
            )
            orphan.feeds.append(feed)
            feed.start()
        self._orphan = orphan

    def _find(self, state: RolloutState, own: str) -> _Orphan | None:
        """Return the first slice left behind in which rows may wait, locked."""
        reports = heartbeats.find(self._storage, self._model)
        beats = {beat.slice: beat for beat in reports.beats}
        newer = {
            name for name, error in reports.unreadable.items() if isinstance(error, NewerFormat)
        }
        for folder in folders(self._settings.spool_path / self._model):
            beat = beats.get(folder.name)
            if folder.name in {own, *newer} or (beat is not None and not self._is_silent(beat)):
                continue
            with contextlib.suppress(GnomonError):
                if (orphan := self._lock(folder, state, beat)) is not None:
                    return orphan
        return None

    def _is_silent(self, beat: Heartbeat) -> bool:
        return beat.is_stale() and datetime.now(UTC) - beat.updated >= self._patience

    def _lock(self, folder: Path, state: RolloutState, beat: Heartbeat | None) -> _Orphan | None:
        """Lock and return a slice, if rows may wait in it.

        Raises:
            LogUnavailable: a gateway runs it.
        """
        if not (folder / REQUESTS).is_dir() or (beat is None and not _has_waiting_shadow(folder)):
            return None
        lock = StreamLock(folder / REQUESTS)
        runs = _running(folder, state)
        if runs:
            tags = [shadow.artifact for shadow in runs]
            mark_stopped(self._settings, self._model, folder.name, tags)
            return _Orphan(folder, lock, state.epoch, beat, runs)
        self._forget(folder.name)
        lock.close()
        return None

    def _forget(self, name: str) -> None:
        """Allow a slice without waiting rows to be sealed, and remove its report."""
        mark_stopped(self._settings, self._model, name, ())
        heartbeats.remove(self._storage, self._model, name)


def _has_waiting_shadow(folder: Path) -> bool:
    """Return whether the requests of a slice wait for any shadow."""
    streams = folder.glob(shadow_stream("*"))
    return any(not (stream / STOPPED).exists() for stream in streams)


def _running(folder: Path, state: RolloutState) -> dict[Shadow, Run]:
    """Return the shadows of the rollout that have begun in a slice and were not stopped there."""
    runs = {}
    for tag, shadow in state.shadows.items():
        stream = folder / shadow_stream(tag.partition(":")[2])
        run = None if (stream / STOPPED).exists() else Run.last(stream)
        if run is not None and run.epoch == shadow.since:
            runs[shadow] = run
    return runs
