"""The scoring of streams: each part is an ordinary request, and so is each refused record.

So a million rows in one connection are checked, batched, logged, shadowed and counted as if they
had been sent in requests of some thousand rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from gnomon.contract import Contract
from gnomon.errors import BodyTooLarge, DeadlineExceeded, GnomonError, InvalidRequest
from gnomon.log import new_request_id
from gnomon.service.lane.batching import ROOM_SECONDS, Lane
from gnomon.service.lane.codec_messages import Records, RefusedRecord
from gnomon.service.lane.pending_request import Answer, PendingRequest, promise
from gnomon.service.lane.recording import Recorder
from gnomon.service.metrics import Metrics
from gnomon.service.slice.rollout_follower import RolloutFollower
from gnomon.settings import Settings

__all__ = ["RefusedRow", "ScoredPart", "StreamPart", "StreamScorer"]

REFUSED_AT_ONCE = 64
"""Refused records logged in one turn of the event loop; each is a separate request."""
ROWS_UNTIL_LIVE = 1_000
"""The rows of a part while no artifact is live whose lane has a best number."""


class StreamPart(NamedTuple):
    """Some records of a stream, in their order.

    Attributes:
        form: ``lines`` or ``arrow``; see :class:`~gnomon.service.lane.codec_messages.ReadRecords`.
        payload: the records.
        numbers: the number of each record in the stream.
    """

    form: str
    payload: bytes
    numbers: range | tuple[int, ...]


class RefusedRow(NamedTuple):
    """A record that the contract refuses: its position in its part, its request and the error."""

    place: int
    request_id: str
    error: GnomonError


class ScoredPart(NamedTuple):
    """The result of a part.

    Attributes:
        part: the part.
        request_id: the id of the request with the records that were not refused.
        answer: the answer to these; None if all were refused. If its status is not 200, nothing was
            scored.
        refused: the records that the contract refuses.
        artifact: the artifact that answered; empty if none did.
        contract: the contract of that artifact.
    """

    part: StreamPart
    request_id: str
    answer: Answer | None
    refused: Sequence[RefusedRow] = ()
    artifact: str = ""
    contract: Contract | None = None

    @property
    def failure(self) -> Answer | None:
        """The error, if nothing of the part was scored."""
        return None if self.answer is None or self.answer.status == 200 else self.answer

    @property
    def places(self) -> list[int]:
        """The positions in the part of the records that were not refused."""
        refused = {row.place for row in self.refused}
        return [place for place in range(len(self.part.numbers)) if place not in refused]


class StreamScorer:
    """Passes each part of a stream to the lane that is live at that time.

    Args:
        settings: have the most rows of a part.
        follower: has the live lane, or why there is none.
        recorder: logs and answers records that do not reach a lane.
        metrics: counts rows.
    """

    def __init__(
        self, settings: Settings, follower: RolloutFollower, recorder: Recorder, metrics: Metrics
    ) -> None:
        self._settings = settings
        self._follower = follower
        self._recorder = recorder
        self._metrics = metrics

    @property
    def rows(self) -> int:
        """The most rows that the next part of a stream should have."""
        lane = self._follower.live
        return ROWS_UNTIL_LIVE if lane is None else lane.stream_rows

    async def score(self, part: StreamPart, client_id: str | None) -> ScoredPart:
        """Score a part; all its records are in the log before this returns.

        Waits for room in the queue: a full queue sheds requests, but only slows down streams.
        """
        rows = len(part.numbers)
        while (lane := self._follower.live) is not None and not lane.has_room(rows):
            await asyncio.sleep(ROOM_SECONDS)
        try:
            if lane is None:
                raise self._follower.not_ready()
            if rows > self._settings.body_rows:
                raise _too_many(rows, self._settings.body_rows)
            read = await lane.read_records(part.payload, part.form)
        except GnomonError as error:
            return await self._fail(part, client_id, lane, error)
        return await self._submit(part, client_id, lane, *read)

    async def _submit(
        self,
        part: StreamPart,
        client_id: str | None,
        lane: Lane,
        records: Records,
        body: bytes,
        batch: pa.RecordBatch | None,
    ) -> ScoredPart:
        """Queue the records that were decoded, and log those that were refused."""
        self._metrics.unknown(records.unknown)
        answer, request = None, PendingRequest(new_request_id(), client_id, body, _ignore)
        if batch is not None:
            request.rows, request.single, request.form = range(batch.num_rows), False, part.form
            request.batch, request.outside = batch, records.outside
            request.unknown = records.unknown
            left_out = {record.place for record in records.refused}
            request.numbers = [n for place, n in enumerate(part.numbers) if place not in left_out]
            answer, request.reply = promise()
            self._metrics.received(batch.num_rows)
            lane.submit(request)
        refused = await self._reject(records.refused, client_id, lane)
        answered = None if answer is None else await answer
        return ScoredPart(
            part, request.request_id, answered, refused, lane.artifact.tag, lane.contract
        )

    async def _reject(
        self, refused: Sequence[RefusedRecord], client_id: str | None, lane: Lane
    ) -> list[RefusedRow]:
        """Log the records that the contract refuses, each as a request."""
        rows: list[RefusedRow] = []
        logged: list[asyncio.Future[Answer]] = []
        for number, record in enumerate(refused):
            if number % REFUSED_AT_ONCE == REFUSED_AT_ONCE - 1:
                await asyncio.sleep(0)
            error, (answer, reply) = record.error(), promise()
            request = PendingRequest(new_request_id(), client_id, record.record, reply)
            self._metrics.received(1)
            self._recorder.unanswered(request, "rejected", error, lane.identity)
            rows.append(RefusedRow(record.place, request.request_id, error))
            logged.append(answer)
        for answer in logged:
            await answer
        return rows

    async def _fail(
        self, part: StreamPart, client_id: str | None, lane: Lane | None, error: GnomonError
    ) -> ScoredPart:
        """Log that a part was not scored; its records are not in the log."""
        answer, reply = promise()
        request = PendingRequest(new_request_id(), client_id, b"", reply)
        rows = len(part.numbers)
        # The client's row count is not trusted beyond the limit.
        request.rows = [None] * (rows if rows <= self._settings.body_rows else 1)
        kinds = {InvalidRequest: "rejected", DeadlineExceeded: "timed_out"}
        outcome = next((name for kind, name in kinds.items() if isinstance(error, kind)), "failed")
        self._metrics.received(len(request.rows))
        identity = None if lane is None else lane.identity
        self._recorder.unanswered(request, outcome, error, identity)
        return ScoredPart(part, request.request_id, await answer)


def _ignore(answer: Answer) -> None:
    """Ignore an answer for which no client waits."""


def _too_many(rows: int, most: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"expected batches of at most {most:,} rows, got {rows:,}",
        hint="write smaller batches, such as table.to_batches(max_chunksize=2048), "
        "or raise GNOMON_BODY_ROWS",
    )
