"""The requests that wait for a lane's workers, and which rows are the next batch."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import pyarrow as pa

from gnomon.contract import Decoder
from gnomon.service.batch_size import BatchSize
from gnomon.service.pending_request import PendingRequest
from gnomon.service.records import Call
from gnomon.worker.connection import Scored
from gnomon.worker.messages import ERROR

__all__ = ["BatchQueue", "LargeRequest", "Part"]

MOST_MICROS = 2**32 - 1
"""What a frame to a worker can say."""


class Part(NamedTuple):
    """Consecutive rows of a large request, which are a batch.

    Attributes:
        request: whose they are.
        start: the first of them.
        rows: how many they are.
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
        """Microseconds spent on parts with bad rows. A request is given no longer for finding them
        in parts than it is at once, or it would not be answered in time."""
        self._scored: list[tuple[int, pa.RecordBatch, Call]] = []

    @property
    def waiting(self) -> int:
        """Rows that wait."""
        return len(self.pending.rows) - self.taken

    def take(self, most: int) -> Part:
        """Its next rows, at most so many."""
        part = Part(self, self.taken, min(most, self.waiting))
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

    def add(self, part: Part, scored: Scored, sent: int) -> bool:
        """Keep what came of a part, sent at that time; whether it was the last."""
        call = Call(part.rows, sent, scored.micros, scored.worked)
        errors = scored.batch.column(ERROR)
        if errors.null_count < len(errors):
            self.searched = min(self.searched + scored.micros, MOST_MICROS)
        self._scored.append((part.start, scored.batch, call))
        return sum(call.rows for _, _, call in self._scored) == len(self.pending.rows)

    def whole(self) -> tuple[pa.RecordBatch, list[Call]]:
        """The outputs of all rows, and the calls that they came from, in the order of the rows."""
        parts = sorted(self._scored, key=lambda scored: scored[0])
        return pa.concat_batches([batch for _, batch, _ in parts]), [call for *_, call in parts]


class BatchQueue:
    """Requests in order of arrival; large ones in turns.

    A request of more rows than a batch may have is scored in parts, and so is one that was decoded
    elsewhere, as its rows are Arrow already. Where both kinds wait, every second batch is a part of
    a large request, and of several each is given one part in turn: nobody waits for more than a
    batch of others, however many rows they sent.

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
        """Whether a batch of what waits might have more rows."""
        return self.rows < self._size.rows

    def is_large(self, request: PendingRequest) -> bool:
        """Whether a request is scored in parts."""
        return request.batch is not None or len(request.rows) > self._size.rows

    def ahead_of(self, request: PendingRequest) -> int:
        """Rows that wait in requests of its kind: large ones leave room for small ones."""
        return self.large_rows if self.is_large(request) else self.rows

    @property
    def large_rows(self) -> int:
        """Rows that wait in large requests."""
        return sum(one.waiting for one in self._large if not one.pending.settled)

    def add(self, request: PendingRequest) -> None:
        """Let a request wait."""
        if self.is_large(request):
            self._large.append(LargeRequest(request))
        else:
            self._small.append(request)
            self.rows += len(request.rows)

    def take(self) -> list[PendingRequest] | Part | None:
        """The next batch: small requests, or a part of a large one; None where all that waited
        have timed out."""
        found: list[PendingRequest] | Part | None = None
        if self._large_is_next:
            found = self._take_part()
        if not found:
            found = self._take_small()
            self._large_is_next = bool(found)
        return found or self._take_part()

    def _take_part(self) -> Part | None:
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
                self._large.append(LargeRequest(request))  # It is since it came.
            elif not request.settled:
                requests.append(request)
                rows += size
        return requests
