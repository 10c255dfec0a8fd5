"""Bulk scoring: records come and answers leave in one request, while both go on.

A body of ``application/x-ndjson`` or ``application/vnd.apache.arrow.stream`` is not read to its end
first. What has come is scored as a batch, :class:`~gnomon.service.stream_scoring.StreamScorer`,
while more comes; up to two are under way, and nothing is read on while enough is there or the
client does not take its answers. So a stream takes the same memory however long it is.

The answer begins with the first batch that was scored: an error before that is the answer. A record
that is refused, or that the model fails on, has its error in its place. Where a whole batch fails,
the stream ends with that error: what was answered is answered, and the client may go on from there.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

import msgspec
import pyarrow as pa

from gnomon.errors import (
    BodyTooLarge,
    GnomonError,
    InvalidRequest,
    Overloaded,
    UnknownVersion,
)
from gnomon.sent_errors import SentError
from gnomon.service.answers import failure
from gnomon.service.arrow_messages import END, ClientMessages
from gnomon.service.content_coding import Gunzip, content_coding
from gnomon.service.http import (
    NOSNIFF,
    ClientGone,
    Header,
    Receive,
    Scope,
    Send,
    respond,
    too_slow,
    unexpected,
)
from gnomon.service.request_handler import RequestHandler
from gnomon.service.stream_scoring import Part, RefusedRow, ScoredPart
from gnomon.service.ticket import Answer
from gnomon.settings import Settings
from gnomon.worker.messages import ERROR, read_batch, scored_schema

__all__ = ["RecordStream", "media_type"]

logger = logging.getLogger("gnomon")

STREAM_CODINGS = ("gzip",)
"""Arrow's zstd reader wants a whole body."""
PART_BYTES = 1_048_576
"""The most bytes of lines in one part, but for a line that is longer."""
AHEAD_BYTES = 2 * PART_BYTES
"""So much is read before it is needed."""
LINE_BYTES = 128
"""What a line takes in memory beside its text."""
PIECE_BYTES = 65_536
"""Decompressed at a time."""
UNDER_WAY = 2
"""Parts that are scored at a time: one is read or written while the other is predicted."""
HELD_SECONDS = 0.05
"""How often a stream that others leave no memory looks again."""


class _Source(Protocol):
    """Takes a body as it comes, and gives the parts that there are."""

    @property
    def size(self) -> int:
        """Bytes that are held."""

    @property
    def is_ready(self) -> bool:
        """Whether there is a part."""

    def feed(self, data: bytes) -> None:
        """Take more of the body."""

    def end(self) -> None:
        """The body has come to its end."""

    def take(self, rows: int) -> Part | None:
        """The next part, of about so many rows; None if none is there."""


class _Lines:
    """Lines of JSON, numbered from 1 as an editor does; empty ones are skipped."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._tail = bytearray()
        self._lines: deque[tuple[int, bytes]] = deque()
        self._held = 0
        self._number = 0

    @property
    def size(self) -> int:
        return len(self._tail) + self._held

    @property
    def is_ready(self) -> bool:
        return bool(self._lines)

    def feed(self, data: bytes) -> None:
        cut = data.rfind(b"\n")
        if cut < 0:
            self._tail += data
        else:
            whole, self._tail = bytes(self._tail) + data[:cut], bytearray(data[cut + 1 :])
            self._add(whole)
        if len(self._tail) > self._most:
            raise BodyTooLarge(
                f"expected lines of at most {self._most:,} bytes, got more",
                where=f"line {self._number + 1}",
                hint="write each record on a line of its own, or raise GNOMON_BODY_BYTES",
            )

    def end(self) -> None:
        self._add(bytes(self._tail))
        self._tail = bytearray()

    def take(self, rows: int) -> Part | None:
        taken: list[tuple[int, bytes]] = []
        size = 0
        while self._lines and len(taken) < rows:
            size += len(self._lines[0][1])
            if taken and size > PART_BYTES:
                break
            taken.append(self._lines.popleft())
        if not taken:
            return None
        self._held -= sum(len(line) + LINE_BYTES for _, line in taken)
        payload = b"\n".join(line for _, line in taken)
        return Part("lines", payload, tuple(number for number, _ in taken))

    def _add(self, whole: bytes) -> None:
        for line in whole.split(b"\n"):
            self._number += 1
            if record := line.strip():
                self._lines.append((self._number, record))
                self._held += len(record) + LINE_BYTES


class _Batches:
    """Record batches, numbered by their rows from 1; each is a part."""

    def __init__(self, most_bytes: int) -> None:
        self._messages = ClientMessages(most_bytes)
        self._parts: deque[Part] = deque()
        self._rows = 0
        self.end = self._messages.end

    @property
    def size(self) -> int:
        return self._messages.size + sum(len(part.payload) for part in self._parts)

    @property
    def is_ready(self) -> bool:
        return bool(self._parts)

    def feed(self, data: bytes) -> None:
        self._messages.feed(data)
        while (found := self._messages.take()) is not None:
            if found.rows > 0:
                first, self._rows = self._rows + 1, self._rows + found.rows
                self._parts.append(Part("arrow", found.stream, range(first, self._rows + 1)))

    def take(self, rows: int) -> Part | None:
        return self._parts.popleft() if self._parts else None


class _LineAnswers:
    """Answers as lines."""

    content_type = b"application/x-ndjson"

    def part(self, scored: ScoredPart) -> bytes:
        answered = b"" if scored.answer is None else scored.answer.body
        if not scored.refused:
            return answered
        lines = answered.splitlines(keepends=True)
        placed = dict(zip(scored.places, lines, strict=True))
        for row in scored.refused:
            placed[row.place] = self._refused(scored, row)
        return b"".join(placed[place] for place in sorted(placed))

    def failure(self, answer: Answer) -> bytes:
        return answer.body + b"\n"

    def end(self) -> bytes:
        return b""

    def _refused(self, scored: ScoredPart, row: RefusedRow) -> bytes:
        line = {
            "line": scored.part.numbers[row.place],
            "request_id": row.request_id,
            "row": 0,
            "artifact": scored.artifact,
            **row.error.body(row.request_id),
        }
        return msgspec.json.encode(line) + b"\n"


class _ArrowAnswers:
    """Answers as record batches, one for each that came."""

    content_type = b"application/vnd.apache.arrow.stream"

    def __init__(self) -> None:
        self._outputs: pa.Schema | None = None

    def part(self, scored: ScoredPart) -> bytes:
        assert scored.contract is not None
        outputs = scored.contract.output_schema
        begins = self._outputs is None
        if begins:
            self._outputs = outputs
        elif outputs != self._outputs:
            raise InvalidRequest(
                f"{scored.artifact}, which was promoted meanwhile, has other outputs than the "
                "artifact before it",
                hint="send the rows that were not answered in another request",
            )
        made = self._batch(scored, scored_schema(outputs))
        return (bytes(made.schema.serialize()) if begins else b"") + bytes(made.serialize())

    def failure(self, answer: Answer) -> bytes:
        """A batch of one row, which belongs to no record: it has no row number."""
        error = msgspec.json.decode(answer.body, type=_Failure).error
        assert self._outputs is not None
        told = [
            *([None], [None], [None]),
            *([None] for _ in self._outputs),
            *([error.code], [str(error.error())]),
        ]
        schema = _answer_schema(self._outputs)
        columns = [pa.array(values, kind) for values, kind in zip(told, schema.types, strict=True)]
        return bytes(pa.RecordBatch.from_arrays(columns, schema=schema).serialize())

    def end(self) -> bytes:
        return END

    def _batch(self, scored: ScoredPart, schema: pa.Schema) -> pa.RecordBatch:
        rows = len(scored.part.numbers)
        ids, numbers = [scored.request_id] * rows, [0] * rows
        codes: list[str | None] = [None] * rows
        errors: list[str | None] = [None] * rows
        order: list[int | None] = [None] * rows
        for asked, place in enumerate(scored.places):
            order[place] = numbers[place] = asked
        if scored.answer is None:
            outputs = pa.RecordBatch.from_pylist([], schema)
        else:
            outputs = read_batch(scored.answer.body, schema)
        for asked, raw in enumerate(outputs.column(ERROR).to_pylist()):
            if raw is not None:
                place, error = scored.places[asked], failure(raw, "$")
                codes[place] = error.code  # As in the log:
                errors[place] = str(error) if isinstance(error, InvalidRequest) else raw
        for row in scored.refused:
            ids[row.place] = row.request_id
            codes[row.place], errors[row.place] = row.error.code, str(row.error)
        if scored.refused:
            outputs = outputs.take(pa.array(order, pa.int64()))
        columns = [
            *(pa.array(ids, pa.string()), pa.array(numbers, pa.int32())),
            pa.repeat(scored.artifact, rows),
            *outputs.columns[:-1],
            *(pa.array(codes, pa.string()), pa.array(errors, pa.string())),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=_answer_schema([*schema][:-1]))


class _Failure(msgspec.Struct):
    error: SentError


def _answer_schema(outputs: Iterable[pa.Field]) -> pa.Schema:
    """An output that is called as one of the other columns is ``output/row`` there."""
    head = [pa.field("request_id", pa.string()), pa.field("row", pa.int32())]
    head.append(pa.field("artifact", pa.string()))
    tail = [pa.field("error_code", pa.string()), pa.field("error", pa.string())]
    taken = {field.name for field in (*head, *tail)}
    named = [
        field.with_name(f"output/{field.name}") if field.name in taken else field
        for field in outputs
    ]
    return pa.schema([*head, *named, *tail])


_FORMS: dict[bytes, tuple[Callable[[int], _Source], Callable[[], _LineAnswers | _ArrowAnswers]]] = {
    b"application/x-ndjson": (_Lines, _LineAnswers),
    b"application/vnd.apache.arrow.stream": (_Batches, _ArrowAnswers),
}


class RecordStream:
    """One request whose body is a stream of records.

    Args:
        scope, receive, send: of the request.
        requests: scores the parts.
        settings: the limits.
        client_id: the client's own name for the request, which every part is logged with.
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
            raise UnknownVersion("expected HTTP/1.1, as answers leave in chunks")
        coding = content_coding(scope["headers"], STREAM_CODINGS)
        self._gunzip = None if coding is None else Gunzip()
        self._source = source(settings.body_bytes)
        self._answers = answers()
        self._receive, self._send = receive, send
        self._requests = requests
        self._settings = settings
        self._client_id = client_id
        self._begun = False
        self._ended = False
        self._gone = False
        self._came, self._room = asyncio.Event(), asyncio.Event()
        self._slots = asyncio.Semaphore(UNDER_WAY)
        self._scoring: asyncio.Queue[asyncio.Task[ScoredPart] | None] = asyncio.Queue()

    async def run(self) -> None:
        """Answer the request.

        Raises:
            GnomonError: nothing was answered yet.
            ClientGone: the client disconnected.
        """
        loop = asyncio.get_running_loop()
        with self._requests.held.body() as grow:
            reading = loop.create_task(self._read(grow))
            scoring = loop.create_task(self._score())
            try:
                if await self._write():
                    await scoring
                    await reading
                    await self._finish()
            except Exception as error:
                if not self._begun or isinstance(error, ClientGone):
                    raise
                if not isinstance(error, GnomonError):
                    logger.exception("a stream of records failed")
                    error = unexpected(error)
                await self._fail(await self._requests.reject(error, self._client_id))
            finally:
                self._ended = True
                for task in (reading, scoring):
                    task.cancel()
                await asyncio.gather(reading, scoring, return_exceptions=True)

    async def _read(self, grow: Callable[[int], None]) -> None:
        """Read the body, as far as there is room for it."""
        try:
            more = True
            while more:
                data, more = await self._next()
                for piece in self._plain(data):
                    self._source.feed(piece)
                    self._came.set()
                    await self._hold(grow)
            if self._gunzip is not None:
                self._gunzip.end()
            self._source.end()
        finally:
            self._ended = True
            self._came.set()

    async def _next(self) -> tuple[bytes, bool]:
        seconds = self._settings.client_seconds
        try:
            async with asyncio.timeout(seconds):
                message = await self._receive()
        except TimeoutError:
            raise too_slow(seconds) from None
        if message["type"] == "http.disconnect":
            self._gone = True
            raise ClientGone
        return message.get("body", b""), message.get("more_body", False)

    def _plain(self, data: bytes) -> Iterator[bytes]:
        if self._gunzip is None:
            yield data
            return
        self._gunzip.feed(data)
        while piece := self._gunzip.read(PIECE_BYTES):
            yield piece

    async def _hold(self, grow: Callable[[int], None]) -> None:
        """Wait until little enough is held, here and in all requests."""
        while self._source.size > AHEAD_BYTES and self._source.is_ready:
            self._room.clear()
            await self._room.wait()
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._settings.deadline
        while True:
            try:
                grow(self._source.size)
                return
            except Overloaded:
                if loop.time() > give_up:
                    raise
            await asyncio.sleep(HELD_SECONDS)

    async def _score(self) -> None:
        """Have parts scored as they come, some at a time."""
        loop = asyncio.get_running_loop()
        streams = self._requests.streams
        try:
            while True:
                await self._slots.acquire()
                while self._gone or (part := self._source.take(streams.rows)) is None:
                    if self._ended:
                        return
                    self._came.clear()
                    await self._came.wait()
                self._room.set()
                work = self._requests.in_background(streams.score(part, self._client_id))
                self._scoring.put_nowait(loop.create_task(work))
        finally:
            self._scoring.put_nowait(None)

    async def _write(self) -> bool:
        """Write answers in order; whether all parts had one."""
        while (task := await self._scoring.get()) is not None:
            scored = await task
            if scored.failure is not None:
                await self._fail(scored.failure)
                return False
            await self._put(self._answers.part(scored))
            self._slots.release()
        return True

    async def _put(self, data: bytes) -> None:
        if not self._begun:
            self._begun = True
            headers: list[Header] = [(b"content-type", self._answers.content_type), NOSNIFF]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def _fail(self, answer: Answer) -> None:
        """End with an error: that of the request, if nothing was answered yet."""
        if not self._begun:
            await respond(self._send, answer.status, answer.body, headers=answer.headers)
            return
        await self._put(self._answers.failure(answer) + self._answers.end())
        await self._send({"type": "http.response.body", "body": b""})

    async def _finish(self) -> None:
        """End the answer: every record has its own."""
        if not self._begun:
            raise InvalidRequest(
                "expected at least one record, got none",
                where="the body",
                hint="send one record a line, or an Arrow stream of batches with rows",
            )
        await self._put(self._answers.end())
        await self._send({"type": "http.response.body", "body": b""})


def media_type(headers: Iterable[Header]) -> bytes:
    """The type of a stream; empty for every other body."""
    for name, value in headers:
        if name == b"content-type":
            kind = value.partition(b";")[0].strip().lower()
            return kind if kind in _FORMS else b""
    return b""
