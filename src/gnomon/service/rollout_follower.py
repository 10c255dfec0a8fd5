"""Follows the rollout: watches its history, and switches live and the shadows of a slice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from gnomon.artifact import tags
from gnomon.errors import ArtifactError, GnomonError, NotReady, RolloutConflict
from gnomon.rollout.first_artifact import promote_first
from gnomon.rollout.history import History, RolloutState
from gnomon.service.batching import Lane
from gnomon.service.loaded_artifacts import LoadedArtifacts
from gnomon.service.shadow_supervisor import ShadowSupervisor
from gnomon.settings import Settings

__all__ = ["RolloutFollower"]

logger = logging.getLogger("gnomon")

CHECK_SECONDS = 30.0
"""How often a slice looks whether the rollout history it follows is still whole. That lists two
folders, which S3 charges for as for ten reads."""

RETRY_SECONDS = 15.0
"""Pause before a slice tries again to load an artifact that was refused."""


class RolloutFollower:
    """Brings a slice to the newest rollout state, again and again.

    Args:
        settings: where the rollout is.
        history: the rollout of the model.
        lanes: the artifacts that are loaded.
        shadows: runs the shadows of a state.
        on_first_live: called once, when the first artifact has become live.

    Attributes:
        history: as far as it is known here.
        history_error: why newer decisions could not be read; None if they could.
        live: the lane that answers; None until the first artifact is loaded.
        live_since: when it became live here.
    """

    def __init__(
        self,
        settings: Settings,
        history: History,
        lanes: LoadedArtifacts,
        shadows: ShadowSupervisor,
        on_first_live: Callable[[], None],
    ) -> None:
        self.history = history
        self.history_error: GnomonError | None = None
        self.live: Lane | None = None
        self.live_since: datetime | None = None
        self._settings = settings
        self._lanes = lanes
        self._shadows = shadows
        self._on_first_live = on_first_live
        self._following = asyncio.Lock()
        self._check_at = 0.0
        self._recorded_epoch = 0
        self._load_error: GnomonError | None = None
        self._first_error: ArtifactError | None = None
        self._retry_at = 0.0
        self._refused: str | None = None
        self._kept: set[str] = set()

    @property
    def state(self) -> RolloutState:
        """The newest rollout state known here; not all of it may be carried out yet."""
        return self.history.state

    @property
    def error(self) -> GnomonError | None:
        """Why the newest state is not known or not carried out; None if it is."""
        return self._load_error or self.history_error

    def not_ready(self) -> NotReady:
        """Why nothing is live."""
        if self.error is not None:
            return NotReady(
                f"no artifact is live: {self.error}", hint="GET /readyz tells when one is"
            )
        if self.state.live is None:
            model = self.history.model
            return NotReady(
                f"the store has no artifact named `{model}` yet",
                hint=f'pack one with gnomon.pack("{model}", …)',
            )
        return NotReady(
            f"{self.state.live} is being loaded and verified",
            hint="GET /readyz tells when it is",
        )

    @contextlib.contextmanager
    def keeping(self, tag: str) -> Iterator[None]:
        """Keep an artifact loaded though the rollout does not name it: it may in a moment."""
        self._kept.add(tag)
        try:
            yield
        finally:
            self._kept.discard(tag)

    async def follow(self, *, check: bool = False) -> None:
        """Bring the slice to the newest rollout state.

        Where the history cannot be followed, what is live goes on to answer, and status says why.

        Args:
            check: look now whether the history is whole, rather than now and then.
        """
        if check:
            self._check_at = 0.0
        async with self._following:
            try:
                await self._look()
            except GnomonError as error:
                if str(error) != str(self.history_error):
                    logger.error("cannot follow the rollout: %s", error)
                self.history_error = error
                return
            self.history_error = None
        await self._catch_up()

    async def decided(self, history: History) -> None:
        """Carry out a decision that was taken here; ``history`` ends with it."""
        if history.state.epoch > self.state.epoch:
            self.history = history
        await self._catch_up()

    async def _look(self) -> None:
        """Read what was decided; now and then, whether the history is whole.

        Raises:
            GnomonError: it cannot be read, or is damaged.
        """
        now = asyncio.get_running_loop().time()
        if now < self._check_at:
            await asyncio.to_thread(self.history.refresh)
        else:
            await asyncio.to_thread(self._check)
            self._check_at = now + CHECK_SECONDS
        if self.state.live is None:
            await self._promote_first()

    def _check(self) -> None:
        history = self.history
        history.check()
        if self._recorded_epoch != history.state.epoch:
            history.record_end()
            self._recorded_epoch = history.state.epoch

    async def _promote_first(self) -> None:
        """A model with no history starts with the newest artifact in the store.

        Raises:
            ArtifactError: it cannot be served; which artifacts there are, and why each cannot.
        """
        there, now = tags(self.history.model), asyncio.get_running_loop().time()
        if not there:
            return
        if self._first_error is not None and self._refused == there[0] and now < self._retry_at:
            raise self._first_error
        try:
            with contextlib.suppress(RolloutConflict):
                await asyncio.to_thread(promote_first, self._settings, there)
        except ArtifactError as error:
            self._first_error = error.with_traceback(None)
            self._refused, self._retry_at = there[0], now + RETRY_SECONDS
            raise
        await asyncio.to_thread(self.history.refresh)

    async def _catch_up(self) -> None:
        """Carry the newest state known out. Nothing waits for an artifact that is loading but the
        decision that wants it: a later one may be carried out meanwhile."""
        state = self.state
        if state.live is not None and (self.live is None or self.live.artifact.tag != state.live):
            lane = await self._load(state.live)
            if self.state is not state:
                return
            if lane is not None:
                self._go_live(lane, state.epoch)
        elif self.live is not None:
            self._load_error = None
        live = None if self.live is None else self.live.artifact.tag
        self._lanes.keep({state.live, state.previous, live, *self._kept})
        self._shadows.apply(state)

    async def _load(self, tag: str) -> Lane | None:
        """The lane that is to be live; None, and live goes on as it is, if it is refused."""
        loop = asyncio.get_running_loop()
        if tag == self._refused and loop.time() < self._retry_at and self._load_error is not None:
            return None
        try:
            return await self._lanes.warm(tag)
        except GnomonError as error:
            self._load_error, self._refused = error, tag
            self._retry_at = loop.time() + RETRY_SECONDS
            logger.error("cannot make %s live: %s", tag, error)
            return None

    def _go_live(self, lane: Lane, epoch: int) -> None:
        if self.live is None:
            self._on_first_live()
        lane.became_live(epoch)
        self.live, self._load_error, self.live_since = lane, None, datetime.now(UTC)
        logger.info("live is now %s (epoch %d)", lane.artifact.tag, epoch)
