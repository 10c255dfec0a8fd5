"""One running slice: the live lane, the log, the shadows, and the rollout it follows."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bentoml
import msgspec

from gnomon import rollout
from gnomon.artifact import Artifact, inspect, tags
from gnomon.errors import (
    DeadlineExceeded,
    GnomonError,
    InvalidRequest,
    LogUnavailable,
    NotReady,
    Overloaded,
    RolloutConflict,
)
from gnomon.log import REQUESTS, new_request_id, stream_folder
from gnomon.log.layout import StreamBusy
from gnomon.policy import Policy
from gnomon.rollout.gates import Gates
from gnomon.rollout.history import Event, History, RolloutState, Shadow
from gnomon.rollout.judging import gates_elsewhere
from gnomon.service.auth import control_token
from gnomon.service.batching import Lane
from gnomon.service.codec import Codec
from gnomon.service.control import Decisions
from gnomon.service.lanes import Lanes
from gnomon.service.metrics import Metrics
from gnomon.service.orphans import Orphans
from gnomon.service.recording import Recorder
from gnomon.service.sealing import Sealing
from gnomon.service.shadows import ShadowFeed
from gnomon.service.status import Books, Live, Status
from gnomon.service.takeover import Takeover
from gnomon.service.ticket import Answer, Ticket
from gnomon.settings import Settings
from gnomon.shadow import slices
from gnomon.shadow.feed import progress
from gnomon.shadow.feed.run import mark_stopped
from gnomon.storage import Storage
from gnomon.version import __version__

__all__ = ["Runtime"]

logger = logging.getLogger("gnomon")

CHECK_SECONDS = 30.0
"""How often a slice looks whether the rollout history it follows is still whole. That lists two
folders, which S3 charges for as for ten reads."""
COMPLAINTS = 20
"""Refused hosts and origins that are named in the server's log. Any client can send more."""

RETRY_SECONDS = 15.0
"""Pause before a slice tries again to load an artifact that was refused."""


class Runtime:
    """Everything one gateway process owns.

    Args:
        model: the artifact name whose rollout is followed.
        settings: the slice's settings.
        policy: the rollout policy file; defaults apply without one.
    """

    def __init__(self, model: str, settings: Settings, policy: Path | None = None) -> None:
        self.model = model
        self.settings = settings
        self.live: Lane | None = None
        self.slice = ""
        self._policy_path = policy
        self._policy = Policy.read(policy) if policy is not None else Policy()
        self._feeds: dict[str, ShadowFeed] = {}
        self._started = datetime.now(UTC)
        self._following = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._complaints: set[str] = set()
        self._retry_at = 0.0
        self._error: GnomonError | None = None
        self._follow_error: GnomonError | None = None
        self._check_at = 0.0
        self._recorded_epoch = 0
        self._promoting: set[str] = set()
        self._applied: int | None = None
        self._live_since: datetime | None = None

    async def start(self) -> None:
        """Open the log and begin to follow the rollout; ready once the live artifact is loaded."""
        self.control_token = control_token(self.settings)
        self._metrics = Metrics(self.model)
        self._storage = Storage(self.settings)
        self._history = History(self._storage, self.model)
        self._orphans = Orphans(self.settings, self.model, self._policy_path)
        self._recorder = Recorder(self.settings, self._metrics)
        self._codec = Codec(self.settings)
        self._lanes = Lanes(self._lane, self._retire)
        self._takeover = Takeover(self.settings)
        await self._open_slice()
        self._sealer = Sealing(self.model, self.settings, lambda: self._metrics.restarted("sealer"))
        self._spawn(self._every(self.settings.follow_seconds, self._tick))
        seconds = self.settings.fsync_seconds or self.settings.follow_seconds
        self._spawn(self._every(seconds, self._recorder.fsync))
        self._spawn(self._every(self.settings.follow_seconds, self._tend))
        await asyncio.to_thread(self._storage.sweep)

    async def stop(self) -> None:
        """Answer what was accepted, flush the log, end the children."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(self._lanes.close(), *self._closing)
        try:
            await self._recorder.close()
        except LogUnavailable as error:
            logger.error("the log is closed as it is: %s", error)
        await asyncio.gather(
            self._sealer.close(),
            self._codec.close(),
            self._orphans.close(),
            *(feed.close() for feed in self._feeds.values()),
        )
        self._takeover.close()
        if self.slice:
            await asyncio.to_thread(slices.end, self._storage, self._heartbeat())

    def give_up_loading(self) -> None:
        """The server stops: let whoever promotes an artifact that is still loading know."""
        self._lanes.give_up_loading()

    async def predict(self, body: bytes, client_id: str | None, waited: float = 0.0) -> Answer:
        """Answer one prediction request; it is in the log before this returns."""
        answer, reply = _promise()
        self.submit(body, client_id, reply, waited)
        return await answer

    def submit(
        self,
        body: bytes,
        client_id: str | None,
        reply: Callable[[Answer], None],
        waited: float = 0.0,
    ) -> None:
        """Take one prediction request; ``reply`` is called with its answer once that is logged.

        ``waited`` is how many seconds ago it arrived.
        """
        ticket = Ticket(new_request_id(), client_id, body, reply, waited)
        lane = self.live
        if lane is None:
            self._unanswered(ticket, "failed", self._not_ready())
            return
        try:
            decoded = lane.decoder.decode_soon(body, self.settings.body_rows)
        except InvalidRequest as error:
            self._unanswered(ticket, "rejected", error, lane)
            return
        if decoded is None:
            self._retire(self._submit_large(ticket, lane))
            return
        ticket.rows, ticket.single = decoded.rows, decoded.single
        self._metrics.received(len(decoded.rows))
        if decoded.unknown:
            ticket.unknown = decoded.unknown
            self._metrics.unknown(decoded.unknown)
        lane.submit(ticket)

    async def _submit_large(self, ticket: Ticket, lane: Lane) -> None:
        """Take a request whose body is decoded elsewhere."""
        try:
            read, batch = await lane.read(ticket.body)
        except InvalidRequest as error:
            self._unanswered(ticket, "rejected", error, lane)
        except Overloaded as error:
            self._unanswered(ticket, "shed", error, lane)
        except DeadlineExceeded as error:
            self._unanswered(ticket, "timed_out", error, lane)
        except GnomonError as error:
            self._unanswered(ticket, "failed", error, lane)
        else:
            ticket.rows, ticket.single = range(batch.num_rows), read.single
            ticket.batch, ticket.outside = batch, read.outside
            ticket.unknown = read.unknown
            self._metrics.received(len(ticket.rows))
            self._metrics.unknown(read.unknown)
            lane.submit(ticket)

    async def reject(self, error: GnomonError, client_id: str | None) -> Answer:
        """Answer a request whose body was not taken; it is logged without one."""
        answer, reply = _promise()
        ticket = Ticket(new_request_id(), client_id, b"", reply)
        self._unanswered(ticket, "rejected", error, self.live)
        return await answer

    def refused(self, error: GnomonError) -> None:
        """Count a request that was refused for its host or origin, and say so the first times."""
        self._metrics.refused(error.code)
        if str(error) not in self._complaints and len(self._complaints) < COMPLAINTS:
            self._complaints.add(str(error))
            logger.warning("refused a request: %s", error)

    async def start_shadow(
        self,
        artifact: str,
        fraction: float | None,
        same: bool,
        force: bool,
        *,
        by: str | None,
        why: str | None,
    ) -> Event:
        """Put an artifact in shadow; this slice runs it on return."""
        return await self._decide(
            rollout.start_shadow,
            artifact,
            fraction=self._policy.sampling.fraction if fraction is None else fraction,
            same=same,
            force=force,
            by=by,
            why=why,
        )

    async def stop_shadow(self, artifact: str, *, by: str | None, why: str | None) -> Event:
        """Take an artifact out of shadow."""
        return await self._decide(rollout.stop_shadow, artifact, by=by, why=why)

    async def promote(
        self, artifact: str, force: bool, *, by: str | None, why: str | None
    ) -> Event:
        """Make an artifact live: load and verify it beside the old one, ask the gates, swap."""
        tag = (await asyncio.to_thread(inspect, artifact)).tag
        self._promoting.add(tag)
        try:
            await self._lanes.warm(tag)
            return await self._decide(
                rollout.promote, tag, force=force, by=by, why=why, ask=self._ask_gates
            )
        finally:
            self._promoting.discard(tag)

    def _ask_gates(self, tag: str) -> Gates:
        return gates_elsewhere(self.settings, self.model, tag, self._policy_path)

    async def rollback(self, *, by: str | None, why: str | None) -> Event:
        """Make the previous artifact live again; it is still warm, so this takes milliseconds."""
        return await self._decide(rollout.rollback, by=by, why=why, verified=self._lanes.digests)

    async def history(self) -> Decisions:
        """Every rollout decision, oldest first; and why there may be more, if there may."""
        self._check_at = 0.0
        await self.follow()
        error = self._follow_error
        return Decisions(list(self._history.events), None if error is None else str(error))

    def publish(self) -> None:
        """Bring what ``/metrics`` shows up to date."""
        self._metrics.publish()

    def status(self) -> dict[str, Any]:
        """What runs in this slice now."""
        return msgspec.to_builtins(self._status())  # type: ignore[no-any-return]

    async def follow(self) -> None:
        """Bring this slice to the newest rollout state.

        Where the history cannot be followed, what is live goes on to answer, and status says why.
        """
        async with self._following:
            try:
                await self._look()
            except GnomonError as error:
                if str(error) != str(self._follow_error):
                    logger.error("cannot follow the rollout: %s", error)
                self._follow_error = error
                return
            self._follow_error = None
        await self._catch_up()

    async def _look(self) -> None:
        """Read what was decided; now and then, whether the history is whole.

        Raises:
            GnomonError: it cannot be read, or is damaged.
        """
        now = asyncio.get_running_loop().time()
        if now < self._check_at:
            await asyncio.to_thread(self._history.refresh)
        else:
            await asyncio.to_thread(self._check)
            self._check_at = now + CHECK_SECONDS
        if self._history.state.live is None:
            await self._promote_first()

    def _check(self) -> None:
        history = self._history
        history.check()
        if self._recorded_epoch != history.state.epoch:
            history.record_end()
            self._recorded_epoch = history.state.epoch

    async def _open_slice(self) -> None:
        """Take the first slice name here that no other gateway holds, and open its log.

        Names stay the same over restarts, so that a slice takes its own streams up again. Without
        a log a gateway has no name yet; requests are refused or served as the settings say.
        """
        first = bentoml.server_context.worker_index or 1
        replica = self.settings.replica or socket.gethostname().lower().replace(".", "-")
        known = str(self._recorder.error)
        for number in itertools.count(first):
            name = f"{replica}-{number}"
            folder = stream_folder(self.settings, self.model, name, REQUESTS)
            try:
                await asyncio.to_thread(self._recorder.open, folder)
            except StreamBusy:
                continue
            except LogUnavailable as error:
                if str(error) != known:
                    logger.error("%s", error)
            else:
                self.slice = name
            return

    async def _promote_first(self) -> None:
        """A model with no history starts with the newest artifact in the store."""
        newest = tags(self.model)
        if not newest:
            return
        with contextlib.suppress(RolloutConflict):
            await asyncio.to_thread(
                rollout.promote,
                self.settings,
                self.model,
                newest[0],
                why="the first artifact of this deployment",
            )
        await asyncio.to_thread(self._history.refresh)

    async def _catch_up(self) -> None:
        """Carry the newest state known out. Nothing waits for an artifact that is loading but the
        decision that wants it: a later one may be carried out meanwhile."""
        state = self._history.state
        if state.live is not None and (self.live is None or self.live.artifact.tag != state.live):
            lane = await self._load(state.live)
            if self._history.state is not state:
                return
            if lane is not None:
                self._go_live(lane, state.epoch)
        elif self.live is not None:
            self._error = None
        self._apply(state)

    async def _load(self, tag: str) -> Lane | None:
        """The lane that is to be live; None, and live goes on as it is, if it is refused."""
        loop = asyncio.get_running_loop()
        if loop.time() < self._retry_at and self._error is not None:
            return None
        try:
            return await self._lanes.warm(tag)
        except GnomonError as error:
            self._error, self._retry_at = error, loop.time() + RETRY_SECONDS
            logger.error("cannot make %s live: %s", tag, error)
            return None

    def _go_live(self, lane: Lane, epoch: int) -> None:
        if self.live is None:
            self._sealer.start()  # Not before live is up: its start would slow live's.
            self._codec.start()
        lane.epoch = epoch
        self.live, self._error, self._live_since = lane, None, datetime.now(UTC)
        logger.info("live is now %s (epoch %d)", lane.artifact.tag, epoch)

    def _apply(self, state: RolloutState) -> None:
        live = None if self.live is None else self.live.artifact.tag
        self._lanes.keep({state.live, state.previous, live, *self._promoting})
        for tag in [t for t, feed in self._feeds.items() if state.shadows.get(t) != feed.shadow]:
            self._retire(self._feeds.pop(tag).close())
        if not self._recorder.is_open:
            return
        for tag, shadow in state.shadows.items():
            if tag not in self._feeds:
                self._start_feed(tag, shadow)
        if self._applied != state.epoch:
            with contextlib.suppress(OSError):  # It is tried again at the next tick.
                mark_stopped(self.settings, self.model, self.slice, state.shadows)
                self._applied = state.epoch

    def _lane(self, artifact: Artifact) -> Lane:
        return Lane(
            artifact,
            self.settings,
            self._recorder,
            self._history.state.epoch,
            self._codec,
            lambda reason: self._metrics.restarted("live"),
            self._takeover.claim(artifact),
        )

    def _start_feed(self, tag: str, shadow: Shadow) -> None:
        self._feeds[tag] = ShadowFeed(
            self.slice,
            shadow,
            self._policy_path,
            self._recorder.position,
            self.settings,
            functools.partial(self._metrics.shadow, tag),
            functools.partial(self._metrics.restarted, "shadow"),
        )
        self._feeds[tag].start()

    async def _decide(
        self, decision: Callable[..., Event], *args: Any, by: str | None, **options: Any
    ) -> Event:
        """Take a rollout decision off the event loop, then act on it here at once."""
        history = self._history.copy()
        event = await asyncio.to_thread(
            decision,
            self.settings,
            self.model,
            *args,
            by=by or self.slice or None,
            history=history,
            **options,
        )
        if history.state.epoch > self._history.state.epoch:
            self._history = history
        await self._catch_up()
        return event

    async def _tick(self) -> None:
        if not self._recorder.is_open:
            await self._open_slice()
        await self.follow()
        self._takeover.offer(self.live)
        self.publish()
        if self._recorder.is_open:
            self._recorder.rotate_if_due()
            await asyncio.to_thread(slices.write, self._storage, self._heartbeat())

    async def _tend(self) -> None:
        if self.slice and self._follow_error is None:  # Else the shadows known may not be all.
            await self._orphans.step(self._history.state, self.slice)

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        """Do ``work`` for ever; an error does not end it, and is logged when it is a new one."""
        complaint = ""
        while True:
            try:
                await work()
                complaint = ""
            except Exception as error:
                if repr(error) != complaint:
                    complaint = repr(error)
                    name = work.__qualname__
                    logger.exception("%s failed; trying again every %g s", name, seconds)
            await asyncio.sleep(seconds)

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _retire(self, closing: Coroutine[None, None, None]) -> None:
        """Let something finish closing while the slice goes on."""
        task = asyncio.get_running_loop().create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _unanswered(
        self, ticket: Ticket, outcome: str, error: GnomonError, lane: Lane | None = None
    ) -> None:
        self._metrics.received(1)
        self._recorder.unanswered(ticket, outcome, error, lane)

    def _trouble(self) -> str | None:
        """Why predictions are not answered, not logged or sealed, or the rollout not followed."""
        error = self._error or self._follow_error or self._recorder.trouble
        if error is not None:
            return str(error)
        return str(self._not_ready()) if self.live is None else self._sealer.trouble

    def _not_ready(self) -> NotReady:
        error = self._error or self._follow_error
        if error is not None:
            return NotReady(f"no artifact is live: {error}", hint="GET /readyz tells when one is")
        if self._history.state.live is None:
            return NotReady(
                f"the store has no artifact named `{self.model}` yet",
                hint=f'pack one with gnomon.pack("{self.model}", …)',
            )
        return NotReady(
            f"{self._history.state.live} is being loaded and verified",
            hint="GET /readyz tells when it is",
        )

    def _heartbeat(self) -> slices.Heartbeat:
        state, took = self._history.state, self._metrics.worker_latency()
        return slices.Heartbeat(
            model=self.model,
            slice=self.slice,
            host=socket.gethostname(),
            pid=os.getpid(),
            started=self._started,
            url=self.settings.url,
            epoch=state.epoch,
            recorded=slices.Recorded(
                epoch=self._history.known.epoch, sha256=self._history.known.sha256
            ),
            live=None if self.live is None else self.live.artifact.tag,
            previous=state.previous,
            latency_ms=None if took is None else progress.Latency(p50=took.p50, p99=took.p99),
            shadows=tuple(feed.beat() for feed in self._feeds.values()),
            books=self._metrics.books(),
            error=self._trouble(),
        )

    def _status(self) -> Status:
        state, live = self._history.state, self.live
        return Status(
            model=self.model,
            ready=live is not None,
            version=__version__,
            slice=self.slice,
            started=self._started,
            epoch=state.epoch,
            live=None
            if live is None
            else Live(
                artifact=live.artifact.tag,
                digest=live.artifact.digest,
                since=self._live_since,
                latency_ms=self._metrics.worker_latency(),
            ),
            previous=state.previous,
            shadows=tuple(feed.status() for feed in self._feeds.values()),
            books=Books(**self._metrics.books()),
            error=self._trouble(),
        )


def _promise() -> tuple[asyncio.Future[Answer], Callable[[Answer], None]]:
    """An answer to await, and what resolves it unless nobody awaits it any more."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def reply(given: Answer) -> None:
        if not answer.done():
            answer.set_result(given)

    return answer, reply
