"""A running slice: all parts of a gateway process, opened and closed together."""

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
from gnomon.service.access.access import REFRESH_SECONDS, Access
from gnomon.service.access.control_token import control_token
from gnomon.service.access.proxies import proxies_of
from gnomon.service.access.refusals import Refusals
from gnomon.service.lane.batching import Lane
from gnomon.service.lane.codec import Codec
from gnomon.service.lane.recording import Recorder
from gnomon.service.metric_files import release_files
from gnomon.service.metrics import Metrics
from gnomon.service.slice.automation_report import AutomationReport
from gnomon.service.slice.claim import SliceClaim
from gnomon.service.slice.label_intake import LabelIntake
from gnomon.service.slice.loaded_artifacts import LoadedArtifacts
from gnomon.service.slice.log_queries import LogQueries
from gnomon.service.slice.maintenance import Maintenance
from gnomon.service.slice.orphans import Orphans
from gnomon.service.slice.request_handler import RequestHandler
from gnomon.service.slice.rollout_automation import RolloutAutomation
from gnomon.service.slice.rollout_control import RolloutControl
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.service.slice.sealing import Sealing
from gnomon.service.slice.shadow_supervisor import ShadowSupervisor
from gnomon.service.slice.standby import Standby
from gnomon.service.slice.status_view import StatusView
from gnomon.service.slice.takeover import Takeover
from gnomon.service.status.gate_outlook import GateOutlook
from gnomon.service.status.proposal_status import ProposalView
from gnomon.service.status.slice_status import Status
from gnomon.service.tasks import Tasks, close_all, closing
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.tokens.known_tokens import KnownTokens
from gnomon.tokens.token_store import TokenStore

__all__ = ["Runtime", "open_gateway", "open_runtime"]

logger = logging.getLogger("gnomon")


@dataclass(frozen=True)
class Runtime:
    """The parts of a running slice that HTTP requests use.

    Attributes:
        settings: the slice's settings.
        requests: handles prediction requests.
        control: handles rollout decisions.
        labels: stores labels.
        queries: answers questions about the log.
    """

    settings: Settings
    requests: RequestHandler
    control: RolloutControl
    labels: LabelIntake
    queries: LogQueries
    _follower: RolloutFollower
    _lanes: LoadedArtifacts
    _metrics: Metrics
    _view: StatusView

    @property
    def live(self) -> Lane | None:
        """The lane that answers; None until the first artifact is loaded and verified."""
        return self._follower.live

    def status(self) -> Status:
        """Return what this slice runs now."""
        return self._view.status()

    def publish(self) -> None:
        """Update the metrics that ``/metrics`` shows."""
        self._metrics.publish()

    def give_up_loading(self) -> None:
        """Cancel loading because the server stops; a waiting promotion gets an error."""
        self._lanes.give_up_loading()
        self.queries.end()


@contextlib.asynccontextmanager
async def open_gateway(
    model: str, settings: Settings, policy: Path | None = None
) -> AsyncIterator[Runtime]:
    """Open a slice and its standby, before connections are accepted; see :func:`open_runtime`.

    The standby runs until the slice is closed, because the gateway may be killed while it closes.
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
    """Open the log and begin to follow the rollout; close everything, in reverse order, at the end.

    The slice answers predictions once the live artifact is loaded. At the end accepted requests are
    answered, the log is written, and the children end. If a part fails, the parts opened before are
    closed, and the first error is raised.

    Args:
        model: the artifact name whose rollout is followed.
        settings: the slice's settings.
        policy: the rollout policy file; defaults apply without one.

    Raises:
        SettingsError: the storage root, the control token, the proxies or the policy cannot be
            used.
    """
    async with contextlib.AsyncExitStack() as stack:
        token, proxies = control_token(settings), proxies_of(settings)
        storage = Storage(settings)
        metrics = stack.enter_context(contextlib.closing(Metrics(model)))

        # The parts. None is opened or started before all of them are made.
        tasks = Tasks()
        recorder = Recorder(settings, metrics)
        claim = SliceClaim(model, settings, recorder)
        codec = Codec(settings)
        sealer = Sealing(model, settings, lambda: metrics.restarted("sealer"))
        orphans = Orphans(settings, model, policy)
        takeover = stack.enter_context(contextlib.closing(Takeover(settings)))
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

        def on_first_live() -> None:  # After live, because their start would slow it down.
            sealer.start()
            codec.start()

        lanes = LoadedArtifacts(make_lane, tasks.finish)
        follower = RolloutFollower(
            settings, open_history(settings, model), lanes, shadows, on_first_live
        )
        automation_report = AutomationReport()
        proposals = ProposalView(storage)
        view = StatusView(
            settings,
            claim,
            follower,
            shadows,
            recorder,
            sealer,
            metrics,
            automation_report,
            proposals,
        )
        access = Access(
            model,
            token,
            KnownTokens(TokenStore(storage)),
            proxies,
            Refusals(metrics.refused_caller),
        )
        queries = LogQueries(settings, model, policy)
        control = RolloutControl(access, settings, policy, claim, lanes, follower, view, queries)
        labels = LabelIntake(
            settings,
            model,
            lambda: follower.live,
            lambda: follower.state.artifacts,
            tasks,
        )
        automation = RolloutAutomation(
            settings, policy, claim, follower, control, automation_report
        )
        requests = RequestHandler(settings, follower, recorder, metrics, tasks)
        maintenance = Maintenance(
            settings,
            storage,
            claim,
            recorder,
            follower,
            orphans,
            takeover,
            metrics,
            view,
            outlook,
            proposals,
            automation,
        )

        # How they are closed, from the last one to the first.
        for owner in (automation, control, labels, queries):
            stack.callback(owner.close)
        for close in (
            maintenance.end,
            lambda: close_all(sealer.close, codec.close, orphans.close, shadows.close),
            lambda: _close_log(recorder),
            tasks.finished,
            lanes.close,
            tasks.stop_repeating,
        ):
            stack.push_async_exit(closing(close))

        for warning in view.warnings:
            logger.warning("%s", warning)
        await claim.take()
        maintenance.begin(tasks)
        tasks.repeat("looking for tokens", REFRESH_SECONDS, access.refresh)
        await asyncio.to_thread(storage.sweep)
        yield Runtime(settings, requests, control, labels, queries, follower, lanes, metrics, view)


async def _close_log(recorder: Recorder) -> None:
    try:
        await recorder.close()
    except LogUnavailable as error:
        logger.error("the log was closed early: %s", error)
