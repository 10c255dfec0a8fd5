"""When a batch is sent, observed at a lane with a real worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pytest
import uvloop

from gnomon.artifact import inspect
from gnomon.log import SegmentReader, new_request_id, stream_segments
from gnomon.service.lane.batching import Lane
from gnomon.service.lane.codec import Codec
from gnomon.service.lane.pending_request import Answer, PendingRequest
from gnomon.service.lane.recording import Recorder
from gnomon.service.lane.records import LaneIdentity, PendingRecords
from gnomon.service.metrics import Metrics
from gnomon.settings import Settings
from tests.forking import forked_children
from tests.packing import Pack, times

__all__ = ["forked_children"]

pytestmark = pytest.mark.filterwarnings("ignore:bentoml.metrics:DeprecationWarning")

CALL_COSTS = times(2, "time.sleep(0.1)")
ROWS_COST = times(2, "time.sleep(0.05 * len(X))")

FAIL = times(2, "if (X['x'] < 0).any(): time.sleep(0.004); raise ValueError('negative')")
"""Rows fail, and take the batch that they are in with them."""

SLOW_ROWS = times(2, "time.sleep(0.002 * len(X))")

CRASHES = -666.0
"""The toy's worker dies of this value."""


class Watched(Recorder):
    """A recorder that remembers how many rows each batch had."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics("toy")
        super().__init__(settings, self.metrics)
        self.sizes: list[int] = []

    def prepare_records(
        self,
        lane: LaneIdentity,
        requests: Sequence[PendingRequest],
        inputs: pa.RecordBatch,
        sent: int,
        outside: dict[str, int],
    ) -> PendingRecords:
        self.sizes.append(inputs.num_rows)
        return super().prepare_records(lane, requests, inputs, sent, outside)


@asynccontextmanager
async def lane_of(tag: str, settings: Settings) -> AsyncIterator[tuple[Lane, Watched]]:
    """A lane that serves, and its recorder."""
    recorder = Watched(settings)
    recorder.open(Path(settings.root) / "stream")
    codec = Codec(settings)
    lane = Lane(inspect(tag), settings, recorder, epoch=1, codec=codec)
    async with asyncio.timeout(60):
        await lane.start()
        try:
            yield lane, recorder
        finally:
            await lane.close()
            await codec.close()
            await recorder.close()
            recorder.metrics.close()


def ask(lane: Lane, reply: Callable[[Answer], None], name: str = "online", x: float = 1.0) -> None:
    """Submit one row."""
    body = json.dumps({"x": x, "id": name}).encode()
    request = PendingRequest(new_request_id(), None, body, reply)
    request.rows = lane.decoder.decode(body).rows
    lane.submit(request)


async def answer_to(lane: Lane, x: float = 1.0) -> Answer:
    """Submit one row and wait."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    ask(lane, answer.set_result, x=x)
    return await answer


async def two_groups(tag: str, settings: Settings, first: float = 1.0) -> list[int]:
    """The sizes of batches once four clients, and then four others, ask whenever answered."""
    settings = msgspec.structs.replace(settings, batch_seconds=0.6)
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
    """Clients that ask again at once join the waiting requests, which saves calls.

    Where rows are the cost, the waiting requests are sent before the last batch is answered.
    """
    assert uvloop.run(two_groups(pack(code), settings)) == sizes


def test_a_worker_death_does_not_change_the_cost_of_a_call(pack: Pack, settings: Settings) -> None:
    """The first row ends its worker, alone too, in no time that was measured."""
    assert uvloop.run(two_groups(pack(CALL_COSTS), settings, CRASHES)) == [4, 8, 8, 8]


def test_a_batch_does_not_wait_for_every_further_request(pack: Pack, settings: Settings) -> None:
    """A batch waits no longer than a call takes, even if each turn of the loop brings another
    row.
    """

    async def flood(tag: str) -> tuple[int, int]:
        async with lane_of(tag, settings) as (lane, recorder):
            await answer_to(lane)
            del recorder.sizes[:]
            submitted, answers = 0, []
            while not recorder.sizes and submitted < settings.queue_rows // 2:
                ask(lane, answers.append, "offline")
                submitted += 1
                await asyncio.sleep(0)
            while len(answers) < submitted:
                await asyncio.sleep(0.001)
            return recorder.sizes[0], submitted

    settings = msgspec.structs.replace(settings, batch_rows=settings.queue_rows)
    first, submitted = uvloop.run(flood(pack(times(2))))
    assert 1 < first <= submitted < settings.queue_rows // 2


def ask_many(lane: Lane, values: Sequence[float]) -> asyncio.Future[Answer]:
    """Submit many rows in one request; its answer."""
    body = json.dumps({"rows": [{"x": x, "id": "online"} for x in values]}).encode()
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    request = PendingRequest(new_request_id(), None, body, answer.set_result)
    request.rows, request.single = lane.decoder.decode(body).rows, False
    lane.submit(request)
    return answer


@pytest.mark.slow
def test_many_rows_are_scored_in_parts_with_others_between(pack: Pack, settings: Settings) -> None:
    """Two requests of 300 rows of 2 ms each: a single row that comes meanwhile waits for one or
    two parts. Each large request has one answer in the order of its rows, and one record batch
    in the log.
    """

    async def run(tag: str) -> tuple[list[Answer], int, list[int]]:
        async with lane_of(tag, settings) as (lane, recorder):
            many = [ask_many(lane, [-1.0, *map(float, range(2, 301))]) for _ in range(2)]
            between = 0
            while not all(answer.done() for answer in many):
                assert (await answer_to(lane, 5.0)).status == 200
                between += 1
            return [answer.result() for answer in many], between, recorder.sizes

    settings = msgspec.structs.replace(settings, deadline=60.0)
    answers, between, logged = uvloop.run(run(pack(SLOW_ROWS)))
    for answer in answers:
        assert answer.status == 200, answer.body
        first, *others = json.loads(answer.body)["rows"]
        assert first["error"]["code"] == "prediction_failed"
        assert [row["prediction"] for row in others] == [2.0 * x for x in range(2, 301)]
    assert between > 10
    assert sorted(logged)[-2:] == [300, 300]
    large = []
    for segment in stream_segments(Path(settings.root) / "stream"):
        with SegmentReader(segment.path) as reader:
            large += [batch for _, batch in reader.batches() if batch.num_rows == 300]
    assert len(large) == 2
    for batch in large:
        assert set(batch.column("request_id").to_pylist()) == {
            batch.column("request_id")[0].as_py()
        }
        assert batch.column("row").to_pylist() == [*range(300)]
        sizes = batch.column("batch_rows").to_pylist()
        assert max(sizes) < 100
        # A call of n rows is said on n rows; several calls may have had n.
        assert all(sizes.count(size) % size == 0 for size in set(sizes))
        assert min(batch.column("scored_us").to_pylist()) >= 2000


@pytest.mark.slow
def test_bad_rows_of_a_large_request_leave_time_to_answer_it(
    pack: Pack, settings: Settings
) -> None:
    """Every second of 4,000 rows is bad: the search has one time limit for all parts, the
    request is answered in time, and rows that were found by then have their own error.
    """

    async def run(tag: str) -> Answer:
        async with lane_of(tag, limited) as (lane, _):
            return await ask_many(lane, [-1.0, 1.0] * 2000)

    limited = msgspec.structs.replace(settings, deadline=16.0, batch_rows=128)
    answer = uvloop.run(run(pack(FAIL)))
    assert answer.status == 200, answer.body
    rows = json.loads(answer.body)["rows"]
    assert len(rows) == 4000
    assert all("error" in row for row in rows[::2])
    assert rows[1]["prediction"] == 2.0


def test_large_requests_leave_room_for_small_ones(pack: Pack, settings: Settings) -> None:
    """At the limit for rows of large requests, the next large request is shed and a small one is
    not.
    """

    async def run(tag: str) -> tuple[list[int], int]:
        tight = msgspec.structs.replace(settings, queue_rows=100)
        async with lane_of(tag, tight) as (lane, _):
            await answer_to(lane)
            many = [ask_many(lane, [1.0] * 90) for _ in range(3)]
            small = await answer_to(lane)
            return sorted([(await answer).status for answer in many]), small.status

    assert uvloop.run(run(pack(SLOW_ROWS))) == ([200, 503, 503], 200)


def no_memory(*args: object, **kwargs: object) -> Any:
    raise MemoryError("injected")


@pytest.mark.parametrize(
    "broken",
    [
        "gnomon.contract.decoding.Decoder.batch",
        "gnomon.contract.decoding.Decoder.outside",
        "gnomon.service.lane.batching.answers",
        "gnomon.service.lane.records.PendingRecords.of",
        "gnomon.service.lane.recording.record",
        "gnomon.log.segments.segment_writer.SegmentWriter.append",
    ],
)
def test_an_error_anywhere_is_answered_and_the_lane_goes_on(
    pack: Pack, settings: Settings, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Such as a lack of memory at any step: each affected request is answered once, small or in
    parts, and later requests are answered.
    """

    async def run() -> None:
        async with lane_of(pack(times(2)), settings) as (lane, _):
            body = json.dumps({"rows": [{"x": 1.0, "id": "a"}] * 700}).encode()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(broken, no_memory)
                answered: list[asyncio.Future[Answer]] = []
                for content in [b'{"x": 1.0, "id": "a"}', body] * 3:
                    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
                    request = PendingRequest(new_request_id(), None, content, answer.set_result)
                    decoded = lane.decoder.decode(content)
                    request.rows, request.single = decoded.rows, decoded.single
                    lane.submit(request)
                    answered.append(answer)
                async with asyncio.timeout(settings.deadline / 2):
                    failed = [answer.status for answer in await asyncio.gather(*answered)]
            # Ours, and no request to try again; but for the log, which may be writable again.
            assert set(failed) == {503 if broken.endswith("append") else 500}
            assert (await answer_to(lane)).status == 200

    uvloop.run(run())
    assert "injected" in caplog.text
