"""The follower of a rollout: it watches the history, and switches a slice's live and shadows."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from gnomon.artifact import tags
from gnomon.errors import ArtifactError, GnomonError, NotReady, RolloutConflict
from gnomon.rollout.decisions.first_artifact import promote_first
from gnomon.rollout.history import History, RolloutState
from gnomon.service.lane.batching import Lane
from gnomon.service.slice.loaded_artifacts import LoadedArtifacts
from gnomon.service.slice.shadow_supervisor import ShadowSupervisor
from gnomon.settings import Settings

__all__ = ["RolloutFollower"]

logger = logging.getLogger("gnomon")

CHECK_SECONDS = 30.0
"""How often a slice checks that its rollout history is intact. The check lists two folders, which
costs as much on S3 as ten reads."""

RETRY_SECONDS = 15.0
"""Pause before a slice tries again to load an artifact that was refused."""


class RolloutFollower:
    """Brings a slice to the newest rollout state, repeatedly.

    Args:
        settings: have the storage root with the rollout.
        history: the rollout of the model.
        lanes: the artifacts that are loaded.
        shadows: runs the shadows of a state.
        on_first_live: called once, when the first artifact has become live.

    Attributes:
        history: the decisions read so far.
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
        self._has_looked = False

    @property
    def state(self) -> RolloutState:
        """The newest rollout state read; it may not be applied completely yet."""
        return self.history.state

    @property
    def error(self) -> GnomonError | None:
        """Why the newest state could not be read or applied; None if it could."""
        return self._load_error or self.history_error

    def not_ready(self) -> NotReady:
        """Return why nothing is live."""
        if self.error is not None:
            return NotReady(
                f"no artifact is live: {self.error}", hint="GET /readyz shows when one is"
            )
        model = self.history.model
        if self.state.live is None and not self._has_looked:
            return NotReady(
                f"the rollout history of `{model}` and the store are being read",
                hint="GET /readyz shows when an artifact is live",
            )
        if self.state.live is None:
            return NotReady(
                f"the store has no artifact named `{model}` yet",
                hint=f'pack one with gnomon.pack("{model}", …)',
            )
        return NotReady(
            f"{self.state.live} is being loaded and verified",
            hint="GET /readyz shows when it is live",
        )

    @contextlib.contextmanager
    def keeping(self, tag: str) -> Iterator[None]:
        """Keep an artifact loaded although the rollout does not name it yet, as it soon may."""
        self._kept.add(tag)
        try:
            yield
        finally:
            self._kept.discard(tag)

    async def follow(self, *, check: bool = False) -> None:
        """Bring the slice to the newest rollout state.

        If the history cannot be followed, the live lane continues to answer, and the status says
        why.

        Args:
            check: check the complete history now instead of at the next regular time.
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
        """Apply a decision made by this slice; ``history`` ends with it."""
        if history.state.epoch > self.state.epoch:
            self.history = history
        await self._catch_up()

    async def _look(self) -> None:
        """Read new decisions, and at intervals check that the history is intact.

        Raises:
            GnomonError: the history cannot be read, or is damaged.
        """
        now = asyncio.get_running_loop().time()
        if now < self._check_at:
            await asyncio.to_thread(self.history.refresh)
        else:
            await asyncio.to_thread(self._check)
            self._check_at = now + CHECK_SECONDS
        if self.state.live is None:
            await self._promote_first()
        self._has_looked = True

    def _check(self) -> None:
        history = self.history
        history.check()
        if self._recorded_epoch != history.state.epoch:
            history.record_end()
            self._recorded_epoch = history.state.epoch

    async def _promote_first(self) -> None:
        """Promote the newest artifact in the store for a model without history.

        Raises:
            ArtifactError: none can be served; the message says why, for each artifact.
        """
        candidates, now = tags(self.history.model), asyncio.get_running_loop().time()
        if not candidates:
            return
        if (
            self._first_error is not None
            and self._refused == candidates[0]
            and now < self._retry_at
        ):
            raise self._first_error
        try:
            with contextlib.suppress(RolloutConflict):
                await asyncio.to_thread(promote_first, self._settings, candidates)
        except ArtifactError as error:
            self._first_error = error.with_traceback(None)
            self._refused, self._retry_at = candidates[0], now + RETRY_SECONDS
            raise
        await asyncio.to_thread(self.history.refresh)

    async def _catch_up(self) -> None:
        """Apply the newest state read.

        Only the decision that needs an artifact waits until it is loaded; a later decision may be
        applied meanwhile. Where its shadows begin to score rows is on disk before a decision takes
        effect.
        """
        state, loaded = self.state, None
        if state.live is not None and (self.live is None or self.live.artifact.tag != state.live):
            loaded = await self._load(state.live)
            if self.state is not state:
                return
        elif self.live is not None:
            self._load_error = None
        answering = loaded or self.live
        await self._shadows.begin(state, None if answering is None else answering.artifact)
        if self.state is not state:
            return
        if loaded is not None and loaded is not self.live:
            self._go_live(loaded, state.epoch)
        live = None if self.live is None else self.live.artifact.tag
        self._lanes.keep({state.live, state.previous, live, *self._kept})
        self._shadows.apply(state, None if self.live is None else self.live.artifact)

    async def _load(self, tag: str) -> Lane | None:
        """Return the lane to make live; None if it is refused, and live stays as it is."""
        loop = asyncio.get_running_loop()
        if tag == self._refused and loop.time() < self._retry_at and self._load_error is not None:
            return None
        try:
            return await self._lanes.warm(tag)
        except GnomonError as error:
            self._load_error, self._refused = error.with_traceback(None), tag
            self._retry_at = loop.time() + RETRY_SECONDS
            logger.error("cannot make %s live: %s", tag, error)
            return None

    def _go_live(self, lane: Lane, epoch: int) -> None:
        if self.live is None:
            self._on_first_live()
        lane.became_live(epoch)
        self.live, self._load_error, self.live_since = lane, None, datetime.now(UTC)
        logger.info("live is now %s (epoch %d)", lane.artifact.tag, epoch)
