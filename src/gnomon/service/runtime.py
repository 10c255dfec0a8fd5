"""One running slice: everything that a gateway process owns, opened and closed together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from gnomon.artifact import Artifact
from gnomon.compat.platform import IS_PORTABLE
from gnomon.errors import LogUnavailable
from gnomon.rollout.history import open_history
from gnomon.service.auth import control_token
from gnomon.service.batching import Lane
from gnomon.service.codec import Codec
from gnomon.service.gate_outlook import GateOutlook
from gnomon.service.loaded_artifacts import LoadedArtifacts
from gnomon.service.maintenance import Maintenance
from gnomon.service.metric_files import release_files
from gnomon.service.metrics import Metrics
from gnomon.service.orphans import Orphans
from gnomon.service.recording import Recorder
from gnomon.service.request_handler import RequestHandler
from gnomon.service.rollout_control import RolloutControl
from gnomon.service.rollout_follower import RolloutFollower
from gnomon.service.sealing import Sealing
from gnomon.service.shadow_supervisor import ShadowSupervisor
from gnomon.service.slice_claim import SliceClaim
from gnomon.service.standby import Standby
from gnomon.service.status import Status
from gnomon.service.status_view import StatusView
from gnomon.service.takeover import Takeover
from gnomon.service.tasks import Tasks, close_all, closing
from gnomon.settings import Settings
from gnomon.storage import Storage

__all__ = ["Runtime", "open_gateway", "open_runtime"]

logger = logging.getLogger("gnomon")


@dataclass(frozen=True)
class Runtime:
    """The parts of a running slice that HTTP reaches.

    Attributes:
        settings: the slice's settings.
        requests: takes prediction requests.
        control: takes rollout decisions.
    """

    settings: Settings
    requests: RequestHandler
    control: RolloutControl
    _follower: RolloutFollower
    _lanes: LoadedArtifacts
    _metrics: Metrics
    _view: StatusView

    @property
    def live(self) -> Lane | None:
        """The lane that answers; None until the first artifact is loaded and verified."""
        return self._follower.live

    def status(self) -> Status:
        """What runs in this slice now."""
        return self._view.status()

    def publish(self) -> None:
        """Bring what ``/metrics`` shows up to date."""
        self._metrics.publish()

    def give_up_loading(self) -> None:
        """The server stops: let whoever promotes an artifact that is still loading know."""
        self._lanes.give_up_loading()


@contextlib.asynccontextmanager
async def open_gateway(
    model: str, settings: Settings, policy: Path | None = None
) -> AsyncIterator[Runtime]:
    """A slice and its standby: see :func:`open_runtime`, and open it before connections are taken.

    The standby is there until the slice is closed, which may be killed while it closes.
    """
    async with contextlib.AsyncExitStack() as outlasting:
        outlasting.callback(release_files)
        async with open_runtime(model, settings, policy) as runtime:
            if not IS_PORTABLE:
                outlasting.push_async_callback(Standby().close)
            yield runtime


@contextlib.asynccontextmanager
async def open_runtime(
    model: str, settings: Settings, policy: Path | None = None
) -> AsyncIterator[Runtime]:
    """Open the log and begin to follow the rollout; close all of it, in reverse order, at the end.

    It answers predictions once the live artifact is loaded. At the end what was accepted is
    answered, the log is flushed, and the children end. Whatever fails, what was opened before is
    closed, and the error that comes out is the one that came first.

    Args:
        model: the artifact name whose rollout is followed.
        settings: the slice's settings.
        policy: the rollout policy file; defaults apply without one.

    Raises:
        SettingsError: the storage root, the control token or the policy cannot be used.
    """
    async with contextlib.AsyncExitStack() as opened:
        token = control_token(settings)
        storage = Storage(settings)
        metrics = opened.enter_context(contextlib.closing(Metrics(model)))

        # The parts. Nothing is opened or started before all of them are made.
        tasks = Tasks()
        recorder = Recorder(settings, metrics)
        claim = SliceClaim(model, settings, recorder)
        codec = Codec(settings)
        sealer = Sealing(model, settings, lambda: metrics.restarted("sealer"))
        orphans = Orphans(settings, model, policy)
        takeover = opened.enter_context(contextlib.closing(Takeover(settings)))
        outlook = GateOutlook(storage, model, policy)
        shadows = ShadowSupervisor(
            model, settings, policy, claim, recorder, metrics, tasks, outlook
        )

        def make_lane(artifact: Artifact) -> Lane:
            return Lane(
                artifact,
                settings,
                recorder,
                0,
                codec,
                lambda reason: metrics.restarted("live"),
                takeover.claim(artifact),
            )

        def on_first_live() -> None:  # Later than live, because their start would slow it.
            sealer.start()
            codec.start()

        lanes = LoadedArtifacts(make_lane, tasks.finish)
        follower = RolloutFollower(
            settings, open_history(settings, model), lanes, shadows, on_first_live
        )
        view = StatusView(settings, claim, follower, shadows, recorder, sealer, metrics)
        control = RolloutControl(token, settings, policy, claim, lanes, follower, view)
        requests = RequestHandler(settings, follower, recorder, metrics, tasks)
        maintenance = Maintenance(
            settings, storage, claim, recorder, follower, orphans, takeover, metrics, view, outlook
        )

        # How they close, the last one first.
        for close in (
            maintenance.end,
            lambda: close_all(sealer.close, codec.close, orphans.close, shadows.close),
            lambda: _close_log(recorder),
            tasks.finished,
            lanes.close,
            tasks.stop_repeating,
        ):
            opened.push_async_exit(closing(close))

        await claim.take()
        maintenance.begin(tasks)
        await asyncio.to_thread(storage.sweep)
        yield Runtime(settings, requests, control, follower, lanes, metrics, view)


async def _close_log(recorder: Recorder) -> None:
    try:
        await recorder.close()
    except LogUnavailable as error:
        logger.error("the log was closed early: %s", error)
