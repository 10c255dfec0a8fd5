"""A request that waits for its answer in the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from gnomon.errors import GnomonError
from gnomon.service.http.asgi import Header, error_response

__all__ = ["Answer", "PendingRequest", "promise"]


NONE_OUTSIDE: dict[str, int] = {}


class Answer(NamedTuple):
    """An answer: a status, a JSON body and headers in addition to the usual ones."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = ()

    @classmethod
    def of(cls, error: GnomonError, request_id: str | None = None) -> Answer:
        """Return the answer for an error."""
        status, headers, body = error_response(error, request_id)
        return cls(status, body, headers)


class PendingRequest:
    """A received request, its decoded rows and the answer it waits for.

    Attributes:
        request_id: uuid7 text; unique, and ordered by arrival within a process.
        client_id: the client's ``X-Request-ID``, if it sent one.
        body: the request body, logged as it was received.
        arrived: wall-clock arrival, microseconds since the epoch.
        started: monotonic arrival, nanoseconds.
        rows: the decoded rows; empty until decoded.
        single: whether the body was one record rather than ``{"rows": […]}``.
        unknown: names of fields that are not in the contract.
        batch: the decoded rows of a large request, in Arrow; ``rows`` then has only their number.
        outside: by feature, the number of its rows accepted with a value out of domain or range.
        form: the form of its answer: ``json``; or, for a part of a stream, ``lines`` or ``arrow``,
            which is a batch in the scored schema.
        numbers: the numbers of its rows in that stream.
        reply: called once with the answer, after the request is in the log.
        expires: when it times out, in seconds of the event loop's clock.
        settled: whether its outcome is decided.
    """

    __slots__ = (
        "arrived",
        "batch",
        "body",
        "client_id",
        "expires",
        "form",
        "numbers",
        "outside",
        "reply",
        "request_id",
        "rows",
        "settled",
        "single",
        "started",
        "unknown",
    )

    def __init__(
        self,
        request_id: str,
        client_id: str | None,
        body: bytes | bytearray,
        reply: Callable[[Answer], None],
        waited: float = 0.0,
    ) -> None:
        self.request_id = request_id
        self.client_id = client_id
        self.body = body
        self.arrived = time.time_ns() // 1000
        self.started = time.perf_counter_ns()
        if waited:
            self.arrived -= int(waited * 1e6)
            self.started -= int(waited * 1e9)
        self.rows: Sequence[Any] = ()
        self.single = True
        self.unknown: tuple[str, ...] = ()
        self.batch: pa.RecordBatch | None = None
        self.outside = NONE_OUTSIDE
        self.form = "json"
        self.numbers: Sequence[int] = ()
        self.reply = reply
        self.expires = 0.0
        self.settled = False


def promise() -> tuple[asyncio.Future[Answer], Callable[[Answer], None]]:
    """Return a future for an answer, and a function that sets it unless it was cancelled."""
    answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def reply(value: Answer) -> None:
        if not answer.done():
            answer.set_result(value)

    return answer, reply
