"""What waits in the queue, and which requests become the next batch."""

from __future__ import annotations

from gnomon.contract import Decoder
from gnomon.service.lane.batch_queue import BatchQueue, RequestPart
from gnomon.service.lane.batch_size import BatchSize
from gnomon.service.lane.pending_request import PendingRequest
from tests.contract.flight import FLIGHT, body

MOST = 4
DECODER = Decoder(FLIGHT)


def queue() -> BatchQueue:
    """Batches of at most four rows."""
    return BatchQueue(BatchSize(MOST, 0.0))


def request(name: str, rows: int) -> PendingRequest:
    """A decoded request."""
    pending = PendingRequest(name, None, b"", lambda answer: None)
    pending.rows = list(DECODER.decode(body()).rows) * rows
    return pending


def taken(waiting: BatchQueue) -> list[str]:
    """All batches, each as its requests and rows."""
    batches = []
    while (batch := waiting.take()) is not None:
        if isinstance(batch, RequestPart):
            batches.append(f"{batch.request.pending.request_id}{batch.rows}")
        else:
            batches.append(
                "+".join(f"{pending.request_id}{len(pending.rows)}" for pending in batch)
            )
    return batches


def test_small_requests_share_a_batch_in_order() -> None:
    """As many as fit share it; none is passed by."""
    waiting = queue()
    for name, rows in (("a", 2), ("b", 1), ("c", 3), ("d", 1)):
        waiting.add(request(name, rows))
    assert taken(waiting) == ["a2+b1", "c3+d1"]
    assert not waiting


def test_large_requests_take_turns_with_small_ones_and_each_other() -> None:
    """Every second batch is a part; parts of several requests alternate."""
    waiting = queue()
    for name, rows in (("x", 9), ("y", 6), ("a", 4), ("b", 4), ("c", 4)):
        waiting.add(request(name, rows))
    assert taken(waiting) == ["a4", "x4", "b4", "y4", "c4", "x4", "y2", "x1"]


def test_a_request_that_timed_out_takes_no_place() -> None:
    """It has no place in a batch or in its queue: a new client is not shed for rows that no
    client waits for.
    """
    waiting = queue()
    x, y = request("x", 9), request("y", 5)
    waiting.add(x)
    waiting.add(y)
    x.settled = True
    assert waiting.ahead_of(request("z", 5)) == 5
    assert taken(waiting) == ["y4", "y1"]
