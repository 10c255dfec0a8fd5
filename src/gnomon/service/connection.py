"""Prediction requests straight off their connection.

On the way through uvicorn and ASGI a request costs a parser callback for each of its headers, a
scope, an event, a task and a write for the head of its answer besides the one for the body: several
times what Gnomon does with it. A :class:`Connection` takes a plain ``POST /predict`` as it comes
in, hands its body on, and writes the answer at once. Whatever is not plain takes the usual way:
another route, a body in chunks, a request to refuse, bytes that trickle in.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, NamedTuple

import httptools
from uvicorn.protocols.http import auto

from gnomon.errors import Unauthorized
from gnomon.service.auth import PREDICT_HINT, check_token
from gnomon.service.front_door import FrontDoor
from gnomon.service.http import CLOSE, Header, response, unexpected
from gnomon.service.limits import LimitedConnection, raise_descriptor_limit
from gnomon.service.origins import origins_of
from gnomon.service.runtime import Runtime
from gnomon.service.ticket import Answer
from gnomon.settings import Settings

__all__ = ["Connection", "Head", "read_head", "take_connections"]

logger = logging.getLogger("gnomon")

PLAIN = b"POST /predict HTTP/1.1\r\n"
END = b"\r\n\r\n"
HEAD_BYTES = 16_384
"""The longest request head taken."""
BODY_BYTES = 65_536
"""The longest body taken. A longer one comes in pieces, which uvicorn joins at less cost."""
PATIENCE = 0.05
"""Seconds to wait for the rest of a request whose beginning has come. After them it goes the usual
way, where slow clients have their limits."""
NOT_PLAIN = {b"transfer-encoding", b"expect", b"upgrade", b"origin", b"sec-fetch-site"}
"""A request with one of these headers takes the usual way; of the last two, a page sent it."""
HEADS = 512
"""Request heads remembered. A client sends the same one again and again, but for the length."""


def take_connections() -> None:
    """Have uvicorn make every connection a :class:`Connection`, as many as this process may open.

    BentoML leaves the choice of protocol to uvicorn; this is the name uvicorn looks it up by.
    """
    raise_descriptor_limit()
    auto.AutoHTTPProtocol = Connection


class Connection(LimitedConnection):
    """One client's connection to a :class:`~gnomon.service.front_door.FrontDoor`.

    One request is under way at a time, here or on the usual way, so answers leave in order. On a
    connection to any other application everything goes the usual way.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._received = b""
        self._answering = False
        self._parsing = False
        self._closes = False
        self._patience: asyncio.TimerHandle | None = None

    @property
    def owes(self) -> bool:
        """Whether a request has come whole, and its answer has not been written."""
        return self._answering or super().owes

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self.door is None or self._is_on_usual_way():
            super().data_received(data)
            return
        self._received += data
        if self._answering:
            self.flow.pause_reading()
        else:
            self._take(self.door)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self._stop_waiting()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Called when the server stops: close, once what is under way is answered."""
        if self._answering:
            self._closes = True
            self.end_soon()
        else:
            super().shutdown()

    def on_message_begin(self) -> None:
        """Called by uvicorn's parser."""
        self._parsing = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Called by uvicorn's parser."""
        self._parsing = False
        super().on_message_complete()

    def _is_on_usual_way(self) -> bool:
        return self._parsing or (self.cycle is not None and not self.cycle.response_complete)

    def _take(self, door: FrontDoor) -> None:
        """Begin on the request at the front of what was received, if it is plain and whole."""
        data = self._received
        if not data.startswith(PLAIN):
            if PLAIN.startswith(data):
                self._wait()
            else:
                self._go_usual_way()
            return
        end = data.find(END, 0, HEAD_BYTES) + len(END)
        if end < len(END):
            if len(data) < HEAD_BYTES:
                self._wait()
            else:
                self._go_usual_way()
            return
        runtime = door.runtime()
        head = _head(data[:end], door.heads, runtime.settings)
        if head is None or self.flow.write_paused:
            self._go_usual_way()
            return
        stop = end + head.length
        if len(data) < stop:
            self._wait()
            return
        self._stop_waiting()
        self._unset_keepalive_if_required()
        self._received = data[stop:]
        self._answering = True
        self._predict(runtime, data[end:stop], head.client_id)

    def _predict(self, runtime: Runtime, body: bytes, client_id: str | None) -> None:
        try:
            runtime.submit(body, client_id, self._answer)
        except Exception as error:
            logger.exception("POST /predict failed")
            self._answer(Answer.of(unexpected(error)))

    def _answer(self, answer: Answer) -> None:
        """Write head and body at once, then go on with what has come meanwhile."""
        self._answering = False
        if self.transport.is_closing():
            return
        headers = [*self.server_state.default_headers, *answer.headers]
        if self._closes:
            headers.append(CLOSE)
        self.transport.write(response(answer.status, answer.body, headers))
        if self._closes:
            self.transport.close()
            return
        self.on_response_complete()
        if self._received and self.door is not None:
            self._take(self.door)

    def _wait(self) -> None:
        """Give the rest of the request a moment to come."""
        if self._patience is None:
            self._unset_keepalive_if_required()
            self._patience = self.loop.call_later(PATIENCE, self._go_usual_way)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _go_usual_way(self) -> None:
        """Hand what was received to uvicorn's parser."""
        self._stop_waiting()
        data, self._received = self._received, b""
        super().data_received(data)


class Head(NamedTuple):
    """What matters of a plain request's head: the bytes of its body, and the client's own id."""

    length: int
    client_id: str | None


def read_head(block: bytes, settings: Settings) -> Head | None:
    """The head of a request; None unless it is plain, well formed and allowed.

    Args:
        block: the request line and headers, to the empty line that ends them.
        settings: the limit on bodies, and the token if predictions need one.
    """
    read = _Reader()
    parser = httptools.HttpRequestParser(read)
    try:
        parser.feed_data(block)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    lengths = read.all(b"content-length")
    if len(lengths) != 1 or not lengths[0].isdigit() or not parser.should_keep_alive():
        return None
    if not NOT_PLAIN.isdisjoint([name for name, _ in read.headers]):
        return None
    if not all(map(origins_of(settings).allows_host, read.all(b"host"))):
        return None
    length = int(lengths[0])
    if length > min(BODY_BYTES, settings.body_bytes):
        return None
    if settings.predict_token is not None:
        try:
            check_token({"headers": read.headers}, settings.predict_token, hint=PREDICT_HINT)
        except Unauthorized:
            return None
    ids = read.all(b"x-request-id")
    return Head(length, ids[0].decode("latin-1") if ids else None)


class _Reader:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.headers: list[Header] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def all(self, wanted: bytes) -> list[bytes]:
        return [value for name, value in self.headers if name == wanted]


def _head(block: bytes, known: dict[bytes, Head], settings: Settings) -> Head | None:
    head = known.get(block)
    if head is None:
        head = read_head(block, settings)
        if head is not None and head.client_id is None:
            if len(known) >= HEADS:
                known.clear()
            known[block] = head
    return head
