"""The requests that wait for a lane's workers, and the choice of the next batch."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import pyarrow as pa

from gnomon.contract import Decoder
from gnomon.service.lane.batch_size import BatchSize
from gnomon.service.lane.pending_request import PendingRequest
from gnomon.service.lane.records import WorkerCall
from gnomon.worker.connection import Scored
from gnomon.worker.messages import ERROR

__all__ = ["BatchQueue", "LargeRequest", "RequestPart"]

MOST_MICROS = 2**32 - 1
"""The largest number of microseconds that fits into a frame to a worker."""


class RequestPart(NamedTuple):
    """Consecutive rows of a large request that are scored as one batch.

    Attributes:
        request: the large request.
        start: the number of the first row.
        rows: how many rows there are.
    """

    request: LargeRequest
    start: int
    rows: int


class LargeRequest:
    """A request that is scored in parts, and answered when all of them are.

    Args:
        pending: the request.
    """

    def __init__(self, pending: PendingRequest) -> None:
        self.pending = pending
        self.taken = 0
        """Rows that were given to a worker."""
        self.searched = 0
        """Microseconds spent on parts with bad rows. The limit on finding bad rows covers all parts
        of a request together, or the request would not be answered in time."""
        self._scored: list[tuple[int, pa.RecordBatch, WorkerCall]] = []

    @property
    def waiting(self) -> int:
        """Rows that were not given to a worker yet."""
        return len(self.pending.rows) - self.taken

    def take(self, most: int) -> RequestPart:
        """Return the next rows, at most ``most``."""
        part = RequestPart(self, self.taken, min(most, self.waiting))
        self.taken += part.rows
        return part

    def inputs(self, decoder: Decoder) -> pa.RecordBatch:
        """Its rows; made Arrow when the first part is scored, so that what goes wrong with it goes
        wrong where its client can be answered."""
        if self.pending.batch is None:
            rows = self.pending.rows
            self.pending.batch = decoder.batch(rows)
            self.pending.outside = decoder.outside(rows)
        return self.pending.batch

    def add(self, part: RequestPart, scored: Scored, sent: int) -> bool:
        """Keep the scored rows of a part sent at ``sent``; return whether it was the last part."""
        call = WorkerCall(part.rows, sent, scored.micros, scored.worked)
        errors = scored.batch.column(ERROR)
        if errors.null_count < len(errors):
            self.searched = min(self.searched + scored.micros, MOST_MICROS)
        self._scored.append((part.start, scored.batch, call))
        return sum(call.rows for _, _, call in self._scored) == len(self.pending.rows)

    def whole(self) -> tuple[pa.RecordBatch, list[WorkerCall]]:
        """Return the outputs of all rows, and the calls that made them, in row order."""
        parts = sorted(self._scored, key=lambda part: part[0])
        return pa.concat_batches([batch for _, batch, _ in parts]), [call for *_, call in parts]


class BatchQueue:
    """The waiting requests in order of arrival; large requests take turns.

    A request with more rows than a batch may have is scored in parts, and so is one that another
    process decoded, as its rows are in Arrow already. While both kinds wait, every second batch is
    a part of a large request, and several large requests take turns part by part: small requests
    wait for at most one part between two batches, however many rows the large ones have.

    It only counts rows: whatever could go wrong with one request would else concern them all.

    Args:
        size: how many rows a batch may have.
    """

    def __init__(self, size: BatchSize) -> None:
        self._size = size
        self._small: deque[PendingRequest] = deque()
        self._large: deque[LargeRequest] = deque()
        self._large_is_next = False
        self.rows = 0
        """Rows that wait in requests of one batch."""

    def __bool__(self) -> bool:
        return bool(self._small or self._large)

    @property
    def can_grow(self) -> bool:
        """Whether the next batch could still have more rows."""
        return self.rows < self._size.rows

    def is_large(self, request: PendingRequest) -> bool:
        """Return whether a request is scored in parts."""
        return request.batch is not None or len(request.rows) > self._size.rows

    def ahead_of(self, request: PendingRequest) -> int:
        """Return the waiting rows of the request's kind, large or small; each has its limit."""
        return self.large_rows if self.is_large(request) else self.rows

    @property
    def large_rows(self) -> int:
        """Rows that wait in large requests."""
        return sum(request.waiting for request in self._large if not request.pending.settled)

    def add(self, request: PendingRequest) -> None:
        """Add a request to the queue."""
        if self.is_large(request):
            self._large.append(LargeRequest(request))
        else:
            self._small.append(request)
            self.rows += len(request.rows)

    def take(self) -> list[PendingRequest] | RequestPart | None:
        """Remove and return the next batch: small requests, or a part of a large one.

        None if all waiting requests have timed out.
        """
        batch: list[PendingRequest] | RequestPart | None = None
        if self._large_is_next:
            batch = self._take_part()
        if not batch:
            batch = self._take_small()
            self._large_is_next = bool(batch)
        return batch or self._take_part()

    def _take_part(self) -> RequestPart | None:
        self._large_is_next = False
        while self._large:
            request = self._large.popleft()
            if request.pending.settled:
                continue
            part = request.take(self._size.rows)
            if request.waiting:
                self._large.append(request)
            return part
        return None

    def _take_small(self) -> list[PendingRequest]:
        requests: list[PendingRequest] = []
        rows, most = 0, self._size.rows
        while self._small:
            size = len(self._small[0].rows)
            if requests and rows + size > most:
                break
            request = self._small.popleft()
            self.rows -= size
            if size > most and not request.settled:
                self._large.append(LargeRequest(request))  # The batch size has shrunk.
            elif not request.settled:
                requests.append(request)
                rows += size
        return requests
