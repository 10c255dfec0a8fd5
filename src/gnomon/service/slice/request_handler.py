"""The handling of prediction requests; each is counted, logged and answered exactly once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from gnomon.contract.decoding import Decoded
from gnomon.errors import DeadlineExceeded, GnomonError, InvalidRequest, Overloaded
from gnomon.log import new_request_id
from gnomon.service.http.asgi import unexpected
from gnomon.service.http.body_budget import MOST_BODIES, WINDOWS_BYTES, BodyBudget
from gnomon.service.lane.batching import Lane
from gnomon.service.lane.pending_request import Answer, PendingRequest, promise
from gnomon.service.lane.recording import Recorder
from gnomon.service.metrics import Metrics
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.service.slice.stream_scoring import StreamScorer
from gnomon.service.tasks import Tasks
from gnomon.settings import Settings

__all__ = ["RequestHandler"]

logger = logging.getLogger("gnomon")

T = TypeVar("T")

COMPLAINTS = 20
"""The most refusals of hosts and origins that are logged: any client can send more."""


class RequestHandler:
    """Decodes requests and passes them to the live lane.

    Args:
        settings: have the limits of a request.
        follower: has the live lane, or why there is none.
        recorder: logs and answers requests that do not reach a lane.
        metrics: counts requests.
        tasks: runs the decoding of large bodies.

    Attributes:
        streams: scores the parts of streams.
        held: counts the bytes of bodies received through ASGI.
        windows: counts the bytes that the decompressors of streams keep.
    """

    def __init__(
        self,
        settings: Settings,
        follower: RolloutFollower,
        recorder: Recorder,
        metrics: Metrics,
        tasks: Tasks,
    ) -> None:
        self._settings = settings
        self._follower = follower
        self._recorder = recorder
        self._metrics = metrics
        self._tasks = tasks
        self._complaints: set[str] = set()
        self.streams = StreamScorer(settings, follower, recorder, metrics)
        self.held = BodyBudget(MOST_BODIES * settings.body_bytes)
        self.windows = BodyBudget(WINDOWS_BYTES)

    async def predict(
        self, body: bytes | bytearray, client_id: str | None, waited: float = 0.0
    ) -> Answer:
        """Answer one prediction request; it is in the log before this returns."""
        answer, reply = promise()
        self.submit(body, client_id, reply, waited)
        return await answer

    def submit(
        self,
        body: bytes | bytearray,
        client_id: str | None,
        reply: Callable[[Answer], None],
        waited: float = 0.0,
    ) -> None:
        """Submit one prediction request; ``reply`` is called with its answer once it is logged.

        ``waited`` is how many seconds ago the request arrived.
        """
        request = PendingRequest(new_request_id(), client_id, body, reply, waited)
        lane = self._follower.live
        if lane is None:
            self._unanswered(request, "failed", self._follower.not_ready())
            return
        try:
            decoded = self._decode_soon(lane, body)
        except InvalidRequest as error:
            self._unanswered(request, "rejected", error, lane)
            return
        except Exception as error:  # Such as a lack of memory.
            self._broken(request, lane, error)
            return
        if decoded is None:
            self._tasks.finish(self._submit_large(request, lane))
            return
        request.rows, request.single = decoded.rows, decoded.single
        self._metrics.received(len(decoded.rows))
        if decoded.unknown:
            request.unknown = decoded.unknown
            self._metrics.unknown(decoded.unknown)
        lane.submit(request)

    def _decode_soon(self, lane: Lane, body: bytes | bytearray) -> Decoded | None:
        """Return the decoded body; None if another process must decode it."""
        if isinstance(body, bytearray):
            return None
        return lane.decoder.decode_soon(body, self._settings.body_rows)

    async def _submit_large(self, request: PendingRequest, lane: Lane) -> None:
        """Submit a request whose body another process decodes."""
        try:
            read, batch = await lane.read(request.body)
        except InvalidRequest as error:
            self._unanswered(request, "rejected", error, lane)
        except DeadlineExceeded as error:
            self._unanswered(request, "timed_out", error, lane)
        except GnomonError as error:
            self._unanswered(request, "failed", error, lane)
        except Exception as error:
            self._broken(request, lane, error)
        else:
            request.rows, request.single = range(batch.num_rows), read.single
            request.batch, request.outside = batch, read.outside
            request.unknown = read.unknown
            self._metrics.received(len(request.rows))
            self._metrics.unknown(read.unknown)
            lane.submit(request)

    async def in_background(self, work: Coroutine[Any, Any, T]) -> T:
        """Await a task without cancelling it if the waiter is cancelled."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        async def carried_out() -> None:
            try:
                result = await work
            except Exception as error:
                if done.done():
                    raise
                done.set_exception(error)
            else:
                if not done.done():
                    done.set_result(result)

        self._tasks.finish(carried_out())
        return await done

    async def reject(self, error: GnomonError, client_id: str | None) -> Answer:
        """Answer a request whose body was not accepted, and log it without a body."""
        answer, reply = promise()
        request = PendingRequest(new_request_id(), client_id, b"", reply)
        outcome = "shed" if isinstance(error, Overloaded) else "rejected"
        self._unanswered(request, outcome, error, self._follower.live)
        return await answer

    def refused(self, error: GnomonError) -> None:
        """Count a request that was refused for its host or origin; log a limited number of them."""
        self._metrics.refused(error.code)
        if str(error) not in self._complaints and len(self._complaints) < COMPLAINTS:
            self._complaints.add(str(error))
            logger.warning("refused a request: %s", error)

    def _broken(self, request: PendingRequest, lane: Lane, error: Exception) -> None:
        """Answer a request that met an error of ours."""
        logger.error("a request failed", exc_info=error)
        self._unanswered(request, "failed", unexpected(error), lane)

    def _unanswered(
        self, request: PendingRequest, outcome: str, error: GnomonError, lane: Lane | None = None
    ) -> None:
        self._metrics.received(1)
        self._recorder.unanswered(request, outcome, error, None if lane is None else lane.identity)
