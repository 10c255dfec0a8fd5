"""The runs of a slice's shadows, on disk before the decisions that start them take effect."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from gnomon.errors import GnomonError
from gnomon.log import shadow_stream, stream_folder
from gnomon.rollout.history import Shadow
from gnomon.service.lane.recording import Recorder
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.tasks import in_thread
from gnomon.settings import Settings
from gnomon.shadow.feed.run import Run

__all__ = ["ShadowRuns"]

logger = logging.getLogger("gnomon")

Key = tuple[str, int]
"""The tag of a shadow, and the epoch it was started in."""


class ShadowRuns:
    """Records from where on each shadow of a slice has to score rows.

    A feed takes seconds to start, and may never start. Rows that are answered meanwhile are the
    shadow's all the same, also if the gateway is killed and another continues the slice.

    Args:
        model: the deployment's model name.
        settings: where the spool is.
        claim: the slice.
        recorder: has the end of the slice's requests.
    """

    def __init__(
        self, model: str, settings: Settings, claim: SliceClaim, recorder: Recorder
    ) -> None:
        self._model = model
        self._settings = settings
        self._claim = claim
        self._recorder = recorder
        self._runs: dict[Key, Run] = {}
        self._unrecorded: dict[Key, str] = {}
        """Why a run is not on disk yet."""
        self._awaited: set[Key] = set()
        """Runs of decisions that took effect before there was a log."""
        self._recording = asyncio.Lock()

    async def begin(self, shadows: Sequence[Shadow]) -> None:
        """Record the runs of exactly these shadows, at the present end of the slice's requests.

        A run that has begun before, in this process or an earlier one, stays as it is. A disk that
        refuses holds no decision up: the error is logged, and each call tries again. Until the log
        is open, nothing is recorded, because no request is logged.
        """
        async with self._recording:
            keys = {_key(shadow) for shadow in shadows}
            self._runs = {key: run for key, run in self._runs.items() if key in keys}
            self._unrecorded = {key: why for key, why in self._unrecorded.items() if key in keys}
            if not self._recorder.is_open:
                self._awaited |= keys
                return
            for shadow in shadows:
                key = _key(shadow)
                if key not in self._runs:
                    self._runs[key] = self._new(shadow)
                    self._unrecorded[key] = ""
            for key in list(self._unrecorded):
                await self._record(key)
            self._awaited.clear()

    def of(self, shadow: Shadow) -> Run | None:
        """Return the run of a shadow in this slice; None if it has not begun yet."""
        return self._runs.get(_key(shadow))

    def _new(self, shadow: Shadow) -> Run:
        since = self._recorder.position
        if _key(shadow) in self._awaited and self._recorder.opened_at is not None:
            since = self._recorder.opened_at
        return Run(
            artifact=shadow.artifact,
            epoch=shadow.since,
            since=since,
            fraction=shadow.fraction,
            entity_key=shadow.entity_key,
        )

    async def _record(self, key: Key) -> None:
        stream = shadow_stream(key[0].partition(":")[2])
        folder = stream_folder(self._settings, self._model, self._claim.name, stream)
        try:
            self._runs[key] = await in_thread(self._runs[key].begin, folder)
        except GnomonError as error:
            if self._unrecorded[key] != str(error):
                logger.error("if this gateway is killed now, rows may miss in a shadow: %s", error)
            self._unrecorded[key] = str(error)
        else:
            del self._unrecorded[key]


def _key(shadow: Shadow) -> Key:
    return shadow.artifact, shadow.since
