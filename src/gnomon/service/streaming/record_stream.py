"""Bulk scoring: one request in which records are received while answers are sent.

A body of ``application/x-ndjson`` or ``application/vnd.apache.arrow.stream`` is not read to its end
first. The records received so far are scored as a batch by
:class:`~gnomon.service.slice.stream_scoring.StreamScorer` while more arrive. Up to two batches are
under way, and reading pauses while enough records wait. Answers that the client does not take are
kept in a file. So a stream uses the same memory whatever its length, and in whatever order the
client sends and reads.

The answer begins with the first batch that was scored; an error before that is the answer. A record
that is refused, or on which the model fails, has its error in its place. If a complete batch fails,
the stream ends with that error: the earlier answers are valid, and the client may send the
remaining records again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

from gnomon.errors import (
    BodyTooLarge,
    GnomonError,
    InvalidRequest,
    Overloaded,
    UnknownVersion,
)
from gnomon.service.http.asgi import (
    NOSNIFF,
    ClientGone,
    Header,
    Receive,
    Scope,
    Send,
    respond,
    unexpected,
)
from gnomon.service.http.content_coding import content_coding, decompressor
from gnomon.service.http.media_types import ARROW, LINES
from gnomon.service.lane.pending_request import Answer
from gnomon.service.slice.request_handler import RequestHandler
from gnomon.service.slice.stream_scoring import ScoredPart
from gnomon.service.streaming.answer_backlog import AnswerBacklog
from gnomon.service.streaming.idle_limit import IdleLimit
from gnomon.service.streaming.record_answers import ArrowAnswers, LineAnswers
from gnomon.service.streaming.record_sources import (
    PART_BYTES,
    ArrowSource,
    LineSource,
    RecordSource,
)
from gnomon.settings import Settings

__all__ = ["RecordStream", "media_type"]

logger = logging.getLogger("gnomon")

AHEAD_BYTES = 2 * PART_BYTES
"""The most bytes that are read before they are needed."""
MOST_GROWTH = 200
"""How many times its size a compressed stream may become, once it is longer than a body may be.

Records compress to a twentieth, the same record again and again to a ten-thousandth: a megabyte
would occupy the gateway for hours and fill the disk of the log.
"""
PIECE_BYTES = 65_536
"""The most bytes to decompress at a time."""
UNDER_WAY = 2
"""Parts that are scored at a time: one is read or written while the other is predicted."""
HELD_SECONDS = 0.05
"""How often a stream that waits for memory that others use checks again."""


_Answers = LineAnswers | ArrowAnswers
_FORMS: dict[bytes, tuple[Callable[[int], RecordSource], Callable[[], _Answers]]] = {
    LINES.encode(): (LineSource, LineAnswers),
    ARROW.encode(): (ArrowSource, ArrowAnswers),
}


class RecordStream:
    """One request whose body is a stream of records.

    Args:
        scope, receive, send: those of the request.
        requests: scores the parts.
        settings: have the limits.
        client_id: the client's id for the request, with which every part is logged.
    """

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        requests: RequestHandler,
        settings: Settings,
        client_id: str | None,
    ) -> None:
        source, answers = _FORMS[media_type(scope["headers"])]
        if scope.get("http_version") == "1.0":
            raise UnknownVersion("expected HTTP/1.1, because answers are sent in chunks")
        coding = content_coding(scope["headers"])
        self._coded = None if coding is None else decompressor(coding)
        self._received = self._grown = 0
        self._source = source(settings.body_bytes)
        self._answers = answers()
        self._receive, self._send = receive, send
        self._requests = requests
        self._settings = settings
        self._idle = IdleLimit(settings.client_seconds, _unread(scope))
        self._client_id = client_id
        self._started = False
        self._ended = False
        self._gone = False
        self._arrived, self._room = asyncio.Event(), asyncio.Event()
        folder = settings.local_spool
        self._backlog = AnswerBacklog(folder if folder and folder.is_dir() else None)
        self._slots = asyncio.Semaphore(UNDER_WAY)
        self._scoring: asyncio.Queue[asyncio.Task[ScoredPart] | None] = asyncio.Queue()

    async def run(self) -> None:
        """Answer the request.

        Raises:
            GnomonError: the request failed before anything was answered.
            ClientGone: the client disconnected.
        """
        loop = asyncio.get_running_loop()
        with self._requests.held.body() as grow, self._requests.windows.body() as widen:
            sending = [loop.create_task(self._deliver())]
            working = [loop.create_task(self._score()), loop.create_task(self._read(grow, widen))]
            try:
                await self._answer(working)
                self._backlog.end()
                await sending[0]
            finally:
                self._ended = True
                await _cancel(working, sending)
                self._backlog.close()

    async def _answer(self, working: Sequence[asyncio.Task[None]]) -> None:
        """Write all answers, and the error if one occurs."""
        try:
            if await self._write():
                for number in range(len(working)):
                    await working[number]
                await self._finish()
        except Exception as error:
            if not self._started or isinstance(error, ClientGone):
                raise
            if not isinstance(error, GnomonError):
                logger.exception("a stream of records failed")
                error = unexpected(error)
            await self._fail(await self._requests.reject(error, self._client_id))

    async def _deliver(self) -> None:
        """Send the written answers as fast as the client takes them."""
        while data := await self._backlog.get():
            self._idle.owe()
            await self._send({"type": "http.response.body", "body": data, "more_body": True})
            self._idle.settle()
        if self._started:
            await self._send({"type": "http.response.body", "body": b""})

    async def _read(self, grow: Callable[[int], None], widen: Callable[[int], None]) -> None:
        """Read the body, pausing while there is no room for it."""
        try:
            more = True
            while more:
                data, more = await self._next()
                for piece in self._plain(data):
                    self._source.feed(piece)
                    self._arrived.set()
                    await asyncio.sleep(0)  # A few bytes may become many pieces.
                    await self._hold(grow, widen)
            if self._coded is not None:
                self._coded.end()
            self._source.end()
        finally:
            self._ended = True
            self._arrived.set()

    async def _next(self) -> tuple[bytes, bool]:
        message = await self._idle.receive(self._receive)
        if message["type"] == "http.disconnect":
            self._gone = True
            raise ClientGone
        return message.get("body", b""), message.get("more_body", False)

    def _plain(self, data: bytes) -> Iterator[bytes]:
        if self._coded is None:
            yield data
            return
        self._coded.feed(data)
        self._received += len(data)
        while piece := self._coded.read(PIECE_BYTES):
            self._grown += len(piece)
            if self._grown > max(self._settings.body_bytes, MOST_GROWTH * self._received):
                raise _grows_too_much(self._received)
            yield piece

    async def _hold(self, grow: Callable[[int], None], widen: Callable[[int], None]) -> None:
        """Wait while this stream, or all requests together, hold too many bytes."""
        while self._source.size > AHEAD_BYTES and self._source.is_ready:
            self._room.clear()
            await self._room.wait()
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._settings.deadline
        while True:
            try:
                grow(self._source.size)
                widen(0 if self._coded is None else self._coded.window_bytes)
                return
            except Overloaded:
                if loop.time() > give_up:
                    raise
            await asyncio.sleep(HELD_SECONDS)

    async def _score(self) -> None:
        """Score parts as they arrive, a few at a time."""
        loop = asyncio.get_running_loop()
        streams = self._requests.streams
        try:
            while True:
                await self._slots.acquire()
                while self._gone or (part := self._source.take(streams.rows)) is None:
                    if self._ended:
                        return
                    self._arrived.clear()
                    await self._arrived.wait()
                self._room.set()
                self._idle.owe()
                work = self._requests.in_background(streams.score(part, self._client_id))
                self._scoring.put_nowait(loop.create_task(work))
        finally:
            self._scoring.put_nowait(None)

    async def _write(self) -> bool:
        """Write answers in order; return false if a part failed."""
        while (task := await self._scoring.get()) is not None:
            scored = await task
            if scored.failure is not None:
                await self._fail(scored.failure)
                return False
            await self._put(self._answers.part(scored))
            self._idle.settle()
            self._slots.release()
        return True

    async def _put(self, data: bytes) -> None:
        if not self._started:
            self._started = True
            headers: list[Header] = [(b"content-type", self._answers.content_type), NOSNIFF]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if data:
            await self._backlog.put(data)

    async def _fail(self, answer: Answer) -> None:
        """End with an error, which is the complete answer if nothing was answered yet."""
        if not self._started:
            await respond(self._send, answer.status, answer.body, headers=answer.headers)
            return
        await self._put(self._answers.failure(answer) + self._answers.end())

    async def _finish(self) -> None:
        """End the answer, after every record was answered."""
        if not self._started:
            raise InvalidRequest(
                "expected at least one record, got none",
                where="the body",
                hint="send one record per line, or an Arrow stream of batches with rows",
            )
        await self._put(self._answers.end())


async def _cancel(*groups: list[asyncio.Task[None]]) -> None:
    """Cancel tasks, and forget them.

    The error of a task refers to the functions that awaited it, and they to their lists. If the
    lists kept the task, its error, and so the received bytes of the stream, would stay in memory
    until the next complete garbage collection.
    """
    for task in itertools.chain(*groups):
        task.cancel()
    await asyncio.gather(*itertools.chain(*groups), return_exceptions=True)
    for tasks in groups:
        tasks.clear()


def _grows_too_much(received: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"expected a stream that becomes at most {MOST_GROWTH} times as long when it is "
        f"decompressed, got more from {received:,} bytes",
        where="the body",
        hint="send it uncompressed, or in several requests",
    )


def _unread(scope: Scope) -> Callable[[], int]:
    """Counts what the client has not taken, if its connection can."""
    unread: Callable[[], int] = (
        scope.get("extensions", {}).get("gnomon", {}).get("unread", lambda: 0)
    )
    return unread


def media_type(headers: Iterable[Header]) -> bytes:
    """Return the media type of a stream; empty for every other body."""
    for name, value in headers:
        if name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
            return kind if kind in _FORMS else b""
    return b""
