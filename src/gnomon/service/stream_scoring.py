"""Scores the parts of streams: each is an ordinary request, and a refused record one of its own.

So a million rows in one connection are checked, batched, logged, shadowed and counted as if they
had come in requests of some thousand rows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import pyarrow as pa

from gnomon.contract import Contract
from gnomon.errors import BodyTooLarge, DeadlineExceeded, GnomonError, InvalidRequest
from gnomon.log import new_request_id
from gnomon.service.batching import ROOM_SECONDS, Lane
from gnomon.service.codec_messages import Records, RefusedRecord
from gnomon.service.metrics import Metrics
from gnomon.service.pending_request import Answer, PendingRequest, promise
from gnomon.service.recording import Recorder
from gnomon.service.rollout_follower import RolloutFollower
from gnomon.settings import Settings

__all__ = ["Part", "RefusedRow", "ScoredPart", "StreamScorer"]

REFUSED_AT_ONCE = 64
"""Refused records logged in one turn of the event loop; each is a request of its own."""
ROWS_UNTIL_LIVE = 1_000
"""How many rows a part has when there is no lane to say how many are best."""


class Part(NamedTuple):
    """Some records of a stream, in their order.

    Attributes:
        form: ``lines`` or ``arrow``; see :class:`~gnomon.service.codec_messages.ReadRecords`.
        payload: the records.
        numbers: of each in the stream.
    """

    form: str
    payload: bytes
    numbers: range | tuple[int, ...]


class RefusedRow(NamedTuple):
    """A record that the contract refuses: its place in its part, its request and the error."""

    place: int
    request_id: str
    error: GnomonError


class ScoredPart(NamedTuple):
    """What came of a part.

    Attributes:
        part: the part.
        request_id: of the records that were not refused.
        answer: to these; None if there are none. If its status is not 200 nothing was scored.
        refused: the records that the contract refuses.
        artifact: which answered; empty if nothing did.
        contract: of that artifact.
    """

    part: Part
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
        """Where in the part the records are that were not refused."""
        refused = {row.place for row in self.refused}
        return [place for place in range(len(self.part.numbers)) if place not in refused]


class StreamScorer:
    """Hands the parts of streams to the lane that is live at the time.

    Args:
        settings: the deadline of a part, and the most rows of one.
        follower: knows which lane is live, or why none is.
        recorder: logs and answers what reaches no lane.
        metrics: the counters that rows are added to.
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
        """How many rows the next part of a stream should have, at most."""
        lane = self._follower.live
        return ROWS_UNTIL_LIVE if lane is None else lane.stream_rows

    async def score(self, part: Part, client_id: str | None) -> ScoredPart:
        """Have a part scored; all of it is in the log before this returns.

        It waits for room in the queue: where requests are shed, a stream is slowed down.
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
        part: Part,
        client_id: str | None,
        lane: Lane,
        records: Records,
        body: bytes,
        batch: pa.RecordBatch | None,
    ) -> ScoredPart:
        """Queue the records that were read, and log those that were not."""
        self._metrics.unknown(records.unknown)
        answer, request = None, PendingRequest(new_request_id(), client_id, body, _nobody)
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
        """Log what the contract refuses, each record as a request."""
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
        self, part: Part, client_id: str | None, lane: Lane | None, error: GnomonError
    ) -> ScoredPart:
        """Log that nothing of a part was scored; its records are not in the log."""
        answer, reply = promise()
        request = PendingRequest(new_request_id(), client_id, b"", reply)
        rows = len(part.numbers)
        request.rows = [None] * (rows if rows <= self._settings.body_rows else 1)  # Or so it says.
        kinds = {InvalidRequest: "rejected", DeadlineExceeded: "timed_out"}
        outcome = next((told for kind, told in kinds.items() if isinstance(error, kind)), "failed")
        self._metrics.received(len(request.rows))
        identity = None if lane is None else lane.identity
        self._recorder.unanswered(request, outcome, error, identity)
        return ScoredPart(part, request.request_id, await answer)


def _nobody(answer: Answer) -> None:
    """Nobody waits for it."""


def _too_many(rows: int, most: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"expected batches of at most {most:,} rows, got {rows:,}",
        hint="write smaller batches, such as table.to_batches(max_chunksize=2048), "
        "or raise GNOMON_BODY_ROWS",
    )
