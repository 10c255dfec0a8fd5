"""The artifacts that a slice has loaded or is loading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Coroutine

from gnomon.artifact import Artifact, inspect
from gnomon.errors import WorkerError
from gnomon.service.lane.batching import Lane

__all__ = ["LoadedArtifacts"]


class LoadedArtifacts:
    """One lane per artifact. Loading takes seconds; only the caller that needs the artifact waits.

    Args:
        make: makes the lane of an inspected artifact.
        retire: runs the coroutine that closes a lane that is no longer needed.
    """

    def __init__(
        self,
        make: Callable[[Artifact], Lane],
        retire: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._make = make
        self._retire = retire
        self._lanes: dict[str, Lane] = {}
        self._loading: dict[str, asyncio.Task[Lane]] = {}

    @property
    def digests(self) -> dict[str, str]:
        """The manifest's hash of every artifact that is loaded, by tag."""
        return {tag: lane.artifact.digest for tag, lane in self._lanes.items()}

    async def warm(self, tag: str) -> Lane:
        """Return the lane of an artifact, loaded and verified; a lane already loaded is used again.

        Raises:
            ArtifactError: the artifact is refused.
            WorkerError: a worker was not ready in time, or loading was cancelled.
        """
        if tag in self._lanes:
            return self._lanes[tag]
        if tag not in self._loading:
            task = asyncio.get_running_loop().create_task(self._load(tag))
            self._loading[tag] = task
            task.add_done_callback(lambda done: self._loaded(tag, done))
        loading = self._loading[tag]
        try:
            return await asyncio.shield(loading)
        except asyncio.CancelledError:
            if loading.cancelled():
                raise WorkerError("the server stops; loading was cancelled", where=tag) from None
            raise

    def keep(self, tags: Collection[str | None]) -> None:
        """Close all other lanes, once they have answered their requests."""
        for tag in [tag for tag in self._lanes if tag not in tags]:
            self._retire(self._lanes.pop(tag).close())

    def give_up_loading(self) -> None:
        """Cancel all loading, because the server stops."""
        for task in self._loading.values():
            task.cancel()

    async def close(self) -> None:
        """Answer queued requests, and end every worker."""
        self.give_up_loading()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)
        await asyncio.gather(*(lane.close() for lane in self._lanes.values()))

    async def _load(self, tag: str) -> Lane:
        lane = self._make(await asyncio.to_thread(inspect, tag))
        try:
            await lane.start()
        except asyncio.CancelledError:
            await lane.close()
            raise
        return lane

    def _loaded(self, tag: str, task: asyncio.Task[Lane]) -> None:
        del self._loading[tag]
        if not task.cancelled() and task.exception() is None:
            self._lanes[tag] = task.result()
