"""When a batch leaves, seen at a lane with a real worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
import uvloop

from gnomon.artifact import inspect
from gnomon.log import new_request_id
from gnomon.service.batching import Lane
from gnomon.service.codec import Codec
from gnomon.service.metrics import Metrics
from gnomon.service.recording import Recorder
from gnomon.service.records import LaneIdentity, PendingRecords
from gnomon.service.ticket import Answer, Ticket
from gnomon.settings import Settings
from tests.packing import Pack, times

pytestmark = pytest.mark.filterwarnings("ignore:bentoml.metrics:DeprecationWarning")

CALL_COSTS = times(2, "time.sleep(0.1)")
ROWS_COST = times(2, "time.sleep(0.05 * len(X))")

CRASHES = -666.0
"""The toy's worker dies of this value."""


class Watched(Recorder):
    """A recorder that remembers how many rows each batch had."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics("toy")
        super().__init__(settings, self.metrics)
        self.sizes: list[int] = []

    def asked(
        self,
        lane: LaneIdentity,
        tickets: Sequence[Ticket],
        inputs: pa.RecordBatch,
        sent: int,
        outside: dict[str, int],
    ) -> PendingRecords:
        self.sizes.append(inputs.num_rows)
        return super().asked(lane, tickets, inputs, sent, outside)


@asynccontextmanager
async def lane_of(tag: str, settings: Settings) -> AsyncIterator[tuple[Lane, Watched]]:
    """A lane that serves, and its recorder."""
    recorder = Watched(settings)
    recorder.open(Path(settings.root) / "stream")
    lane = Lane(inspect(tag), settings, recorder, epoch=1, codec=Codec(settings))
    async with asyncio.timeout(60):
        await lane.start()
        try:
            yield lane, recorder
        finally:
            await lane.close()
            await recorder.close()
            recorder.metrics.close()


def ask(lane: Lane, reply: Callable[[Answer], None], name: str = "online", x: float = 1.0) -> None:
    """Submit one row."""
    body = json.dumps({"x": x, "id": name}).encode()
    ticket = Ticket(new_request_id(), None, body, reply)
    ticket.rows = lane.decoder.decode(body).rows
    lane.submit(ticket)


async def answer_to(lane: Lane, x: float = 1.0) -> Answer:
    """Submit one row and wait."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    ask(lane, answer.set_result, x=x)
    return await answer


async def answer_to_many(lane: Lane, count: int) -> Answer:
    """Submit one request of many rows and wait."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    body = json.dumps({"rows": [{"x": 1.0, "id": "online"}] * count}).encode()
    ticket = Ticket(new_request_id(), None, body, answer.set_result)
    ticket.rows = lane.decoder.decode(body).rows
    lane.submit(ticket)
    return await answer


async def two_groups(tag: str, settings: Settings, first: float = 1.0) -> list[int]:
    """The sizes of batches once four clients, and then four others, ask whenever answered."""
    async with lane_of(tag, settings) as (lane, recorder):
        for x in (first, 1.0, 1.0):
            await answer_to(lane, x)
        del recorder.sizes[:]
        left = 40
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def again(answer: Answer) -> None:
            nonlocal left
            assert answer.status == 200
            left -= 1
            if left > 0:
                ask(lane, again)
            elif not done.done():
                done.set_result(None)

        for _ in range(4):
            ask(lane, again)
        while not recorder.sizes:
            await asyncio.sleep(0)
        for _ in range(4):
            ask(lane, again)
        await done
        return recorder.sizes[:4]


@pytest.mark.parametrize(("code", "sizes"), [(CALL_COSTS, [4, 8, 8, 8]), (ROWS_COST, [4, 4, 4, 4])])
def test_a_batch_waits_for_those_just_answered_where_calls_cost_more_than_rows(
    code: str, sizes: list[int], pack: Pack, settings: Settings
) -> None:
    """Clients that ask again at once join what waited already: fewer calls. Where rows cost what
    they cost in any batch, what waited leaves before the last batch is answered."""
    assert uvloop.run(two_groups(pack(code), settings)) == sizes


def test_a_death_says_nothing_of_what_a_call_costs(pack: Pack, settings: Settings) -> None:
    """The first row ends its worker, alone too, in no time that was measured."""
    assert uvloop.run(two_groups(pack(CALL_COSTS), settings, CRASHES)) == [4, 8, 8, 8]


def test_requests_that_keep_coming_hold_no_batch_back(pack: Pack, settings: Settings) -> None:
    """A batch waits for more no longer than a call takes, though each turn of the loop brings
    another row."""

    async def flood(tag: str) -> tuple[int, int]:
        async with lane_of(tag, settings) as (lane, recorder):
            await answer_to(lane)
            del recorder.sizes[:]
            asked, answers = 0, []
            while not recorder.sizes and asked < settings.queue_rows // 2:
                ask(lane, answers.append, "offline")
                asked += 1
                await asyncio.sleep(0)
            while len(answers) < asked:
                await asyncio.sleep(0.001)
            return recorder.sizes[0], asked

    settings = msgspec.structs.replace(settings, batch_rows=settings.queue_rows)
    first, asked = uvloop.run(flood(pack(times(2))))
    assert 1 < first <= asked < settings.queue_rows // 2


def test_a_batch_is_no_larger_than_its_limit_but_for_one_request(
    pack: Pack, settings: Settings
) -> None:
    """Rows that wait leave in batches of the limit. One request that is larger than that, and than
    the queue, is a batch of its own where nothing else waits, and shed where something does."""

    async def run(tag: str) -> tuple[list[int], list[int]]:
        async with lane_of(tag, settings) as (lane, recorder):
            await answer_to(lane)
            del recorder.sizes[:]
            statuses = [(await answer_to_many(lane, 11)).status]
            waiting = [asyncio.create_task(answer_to(lane)) for _ in range(8)]
            while lane.queued_rows < 4:
                await asyncio.sleep(0)
            statuses.append((await answer_to_many(lane, 11)).status)
            statuses += [answer.status for answer in await asyncio.gather(*waiting)]
            return recorder.sizes, statuses

    settings = msgspec.structs.replace(settings, queue_rows=10, batch_rows=4)
    sizes, statuses = uvloop.run(run(pack(CALL_COSTS)))
    assert statuses == [200, 503, *[200] * 8]
    assert sizes[0] == 11
    assert sum(sizes[1:]) == 8
    assert max(sizes[1:]) == 4
