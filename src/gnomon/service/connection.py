"""One client's connection: where each request ends, which way it takes, and how long it has.

On the way through ASGI a request costs a scope, an event, a task and a write for the head of its
answer besides the one for the body: several times what Gnomon does with it. A :class:`Connection`
takes a plain ``POST /predict`` itself and writes the answer at once. Whatever is not plain takes
the usual way: another route, a body in chunks, a long body, one that trickles in.

Where a request begins and ends is decided here alone, by one strict reader for both ways
(:mod:`gnomon.service.head`, :mod:`gnomon.service.framing`), so neither can take for a request what
the other took for a body. Headers that would change the protocol (``Upgrade``) have no effect.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import socket
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http import auto
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from gnomon.errors import GnomonError, MalformedRequest, Unauthorized
from gnomon.service.auth import PREDICT_HINT, check_token
from gnomon.service.exchange import Exchange, Wire, scope_of
from gnomon.service.framing import Chunks, Framing, Sized
from gnomon.service.front_door import FrontDoor
from gnomon.service.head import END, HEAD_BYTES, Head, early_refusal, lasting, read_head
from gnomon.service.http import (
    CLOSE,
    Scope,
    error_response,
    is_encoded,
    response,
    too_slow,
    unexpected,
)
from gnomon.service.limits import (
    LINGER_SECONDS,
    STOP_SECONDS,
    connection_limit,
    raise_descriptor_limit,
    too_many,
)
from gnomon.service.origins import origins_of
from gnomon.service.ticket import Answer
from gnomon.settings import Settings

__all__ = ["Connection", "is_plain", "take_connections"]

logger = logging.getLogger("gnomon")

BODY_BYTES = 65_536
"""The longest body of a plain request. A longer one comes in pieces, which ASGI joins as well."""
PATIENCE = 0.05
"""Seconds to wait for the rest of a plain request. After them it goes the usual way, where slow
clients have their limits and what is refused is logged."""
SENT_BY_PAGES = {b"origin", b"sec-fetch-site"}
"""With one of these headers a page sent the request; the front door has the rules for those."""
HEADS = 512
"""Heads of plain requests remembered, once they have come twice in a row: most clients send the
same one again and again, but for the length."""
REMEMBERED_BYTES = 4_096
"""The longest of them."""
_BLANK = re.compile(rb"\A(?:\r\n)*+")
"""Empty lines before a request are skipped: RFC 9112, section 2.2."""


def take_connections() -> None:
    """Have uvicorn make connections to a front door of this class.

    BentoML leaves the choice of protocol to uvicorn; this is the name uvicorn looks it up by.

    Raises:
        SettingsError: this process may not open enough connections to serve.
    """
    raise_descriptor_limit()
    auto.AutoHTTPProtocol = _protocol  # type: ignore[assignment]


def _protocol(
    config: Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> asyncio.Protocol:
    """A connection to the application of ``config``; uvicorn's own where that is not ours."""
    if isinstance(config.app, FrontDoor) and not config.root_path:
        return Connection(config, server_state, app_state)
    return HttpToolsProtocol(config, server_state, app_state, _loop)


class Connection(asyncio.Protocol):
    """One client's connection to a :class:`~gnomon.service.front_door.FrontDoor`.

    One request is under way at a time, so answers leave in order. What a client has sent beyond it
    waits, and while something waits nothing more is read: a client that sends many requests without
    reading answers fills the kernel's buffers, not ours.

    ``client_seconds`` of the settings is the limit on a client that has asked nothing yet, on the
    head of a request, and on an answer that is not taken. The limit on bodies is the front door's,
    which can log what it refuses.
    """

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        self.door: FrontDoor = config.app  # type: ignore[assignment]
        self.loop = asyncio.get_running_loop()
        self.server_state = server_state
        self._state = app_state
        self._keep_alive = config.timeout_keep_alive
        self._client_seconds = self.door.runtime().settings.client_seconds
        self._received = b""
        self._read_at = 0.0
        """When the bytes that wait for the request under way were read, on the loop's clock."""
        self._head: Head | None = None
        self._busy = False
        self._exchange: Exchange | None = None
        self._framing: Framing | None = None
        self._closes = False
        self._ended = False
        self._eof = False
        self._paused = False
        self._behind = False
        self._scanned = 0
        self._last_head = 0
        self._until = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._patience: asyncio.TimerHandle | None = None
        # By then every request was answered; what still runs are control calls.
        deadline = self.door.runtime().settings.deadline
        config.timeout_graceful_shutdown = int(deadline + 2 * STOP_SECONDS + 1)

    @property
    def owes(self) -> bool:
        """Whether a request has come whole, and its answer has not been written."""
        return self._busy and self._framing is None

    # What the event loop calls.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected."""
        self.transport = transport
        self._writable = asyncio.Event()
        self._writable.set()
        self.server_state.connections.add(self)  # type: ignore[arg-type]
        most = connection_limit()
        if len(self.server_state.connections) > most:
            self._write_error(too_many(most))
            self._ended = True
            transport.close()
            return
        client = transport.get_extra_info("socket")
        if client.family in (socket.AF_INET, socket.AF_INET6):
            # The kernel gives up on an answer that it cannot hand over for so long.
            milliseconds = int(self._client_seconds * 1000)
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        self._expect(self._client_seconds)

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self._ended:
            return
        self._received += data
        if not self._busy:
            self._take()
        elif self._framing is not None:
            self._feed(self._framing)
        else:
            self._hold()

    def eof_received(self) -> bool:
        """The client sends no more. It may still read, so it gets what it is owed."""
        self._eof = True
        if self._ended:
            return False
        if self._framing is not None:
            self._break_off(_cut_short())
        elif not self._busy:
            self._take()
        return not self.transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._ended = True
        self.server_state.connections.discard(self)
        for timer in (self._timer, self._patience):
            if timer is not None:
                timer.cancel()
        self._writable.set()
        if self._exchange is not None:
            self._exchange.abandon()
            self._exchange = None

    def pause_writing(self) -> None:
        """The client takes its answers too slowly."""
        self._writable.clear()
        self._behind = True

    def resume_writing(self) -> None:
        """The client has caught up: what it sent meanwhile waited for itself."""
        self._writable.set()
        self._behind = False
        self._read_at = self.loop.time()
        self._next()

    # What uvicorn calls.

    def shutdown(self) -> None:
        """The server stops: close, once what is under way is answered."""
        self._closes = True
        self._end_soon()
        if self._exchange is not None:
            self._exchange.keep_alive = False
        if not self._busy:
            self.transport.close()

    # Requests.

    def _take(self, waited: float = 0.0) -> None:
        """Begin on the request at the front of what was received, if enough of it is there.

        Args:
            waited: seconds since it was read.
        """
        if self._behind:
            self._hold()
            return
        if self._head is not None:
            self._go_straight(self._head, 0, waited)
            return
        end = self._received.find(END, 0, HEAD_BYTES) + len(END)
        head = self.door.heads.get(self._received[:end])
        if head is not None:
            self._go_straight(head, end, waited)
        elif self._received[:2] == b"\r\n":
            self._received = _BLANK.sub(b"", self._received, count=1)
            self._take(waited)
        elif end < len(END):
            self._await_head()
        else:
            self._read(end, waited)

    def _read(self, end: int, waited: float) -> None:
        """Begin on a request whose head was not seen before, as it is."""
        block = self._received[:end]
        known, client_id = lasting(block)
        head = self.door.heads.get(known)
        if head is not None:
            self._go_straight(head._replace(client_id=client_id), end, waited)
            return
        try:
            head = read_head(block)
        except GnomonError as error:
            self._refuse(error)
            return
        if not is_plain(head, self.door.runtime().settings):
            self._go_usual_way(head, end, waited)
            return
        last, self._last_head = self._last_head, hash(known)
        if last == self._last_head and known and end <= REMEMBERED_BYTES:
            self._remember(known, head)
        self._go_straight(head, end, waited)

    def _remember(self, block: bytes, head: Head) -> None:
        """Know a head by its lasting bytes."""
        if head.client_id is not None:
            head = head._replace(client_id=None)
        if len(self.door.heads) >= HEADS:
            self.door.heads.clear()
        self.door.heads[block] = head

    def _go_straight(self, head: Head, start: int, waited: float) -> None:
        """Hand a plain request on, if it is whole; its body begins at ``start``."""
        data = self._received
        assert head.length is not None
        stop = start + head.length
        if len(data) < stop:
            self._head, self._received = head, data[start:]
            self._await_body()
            return
        if self._patience is not None:
            self._stop_waiting()
        self._begin()
        self._received = data[stop:]
        if self._received:
            self._hold(waited)
        runtime = self.door.runtime()
        try:
            runtime.submit(data[start:stop], head.client_id, self._answer, waited)
        except Exception as error:
            logger.exception("POST /predict failed")
            self._answer(Answer.of(unexpected(error)))

    def _answer(self, answer: Answer) -> None:
        """Write head and body at once, then go on with what has come meanwhile."""
        self._busy = False
        if self._ended:
            return
        headers = [*self.server_state.default_headers, *answer.headers]
        if self._closes:
            headers.append(CLOSE)
        self.transport.write(response(answer.status, answer.body, headers))
        self._go_on()

    def _go_usual_way(self, head: Head, start: int, waited: float) -> None:
        """Hand a request to the front door through ASGI; its body begins at ``start``."""
        self._stop_waiting()
        self._begin()
        wire = Wire(self.transport, self._writable, self._close, self._read_on)
        scope = scope_of(head, self._scope(), self._state)
        exchange = Exchange(
            scope,
            head,
            wire,
            self.server_state.default_headers,
            lambda: self._framing is None or self._framing.is_short,
            self._responded,
        )
        exchange.keep_alive &= not self._closes
        self._exchange = exchange
        self._framing = Sized(head.length) if head.length is not None else Chunks()
        self._received = self._received[start:]
        self._feed(self._framing)
        if self._ended:
            return
        if self.owes:
            scope["extensions"] = {"gnomon": {"waited": waited}}
        task = self.loop.create_task(exchange.run_asgi(self.door))  # type: ignore[arg-type]
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)

    def _feed(self, framing: Framing) -> None:
        """Hand on what has come of a body; what is left over is the next request."""
        assert self._exchange is not None
        try:
            body, self._received = framing.take(self._received)
        except GnomonError as error:
            self._break_off(error)
            return
        if self._exchange.take(body, done=framing.done):
            self._pause()
        if framing.done:
            self._framing, self._until = None, math.inf
            if self._received:
                self._hold()
            if self._exchange.response_complete:
                self._busy = False
                self._go_on()

    def _responded(self) -> None:
        """The answer is written, perhaps before the body has come to its end."""
        if self._ended:
            return
        if self._framing is None:
            self._busy = False
            self._go_on()
        else:
            self._expect(self._client_seconds)
            self._read_on()

    def _go_on(self) -> None:
        """A request and its answer are done with. What waits has its turn after the others'."""
        self.server_state.total_requests += 1
        self._exchange = None
        if self._closes:
            self._close()
        elif self._received or self._eof:
            self.loop.call_soon(self._next)
        else:
            self._read_on()
            self._expect(self._keep_alive)

    def _next(self) -> None:
        if not self._busy and not self._ended:
            self._take(self.loop.time() - self._read_at if self._paused else 0.0)

    # What is not there yet.

    def _await_head(self) -> None:
        """The rest of a head is still to come."""
        refusal = early_refusal(self._received, self._scanned)
        if refusal is not None:
            self._refuse(refusal)
        elif self._eof:
            self._refuse(_cut_short()) if self._received else self._close()
        else:
            if self._received and not self._scanned:
                self._expect(self._client_seconds)
            self._scanned = len(self._received)
            self._read_on()

    def _await_body(self) -> None:
        """The rest of a plain request is still to come: give it a moment."""
        if self._eof:
            self._refuse(_cut_short())
            return
        if self._patience is None:
            self._until = math.inf
            self._patience = self.loop.call_later(PATIENCE, self._lose_patience)
        self._read_on()

    def _lose_patience(self) -> None:
        head, self._head = self._head, None
        if head is not None and not self._ended:
            self._go_usual_way(head, 0, 0.0)

    def _stop_waiting(self) -> None:
        self._head = None
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _hold(self, waited: float = 0.0) -> None:
        """Read no more for now: what came waits for the request under way."""
        if not self._paused:
            self._read_at = self.loop.time() - waited
            self._pause()

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _read_on(self) -> None:
        """Read, unless what came already waits for the request under way."""
        if self._paused and not self.owes and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    # Time.

    def _begin(self) -> None:
        """A request is under way."""
        self._busy, self._scanned, self._until = True, 0, math.inf

    def _expect(self, seconds: float) -> None:
        """Give the client so long for what it is to do next.

        One timer serves all: it is set anew when it goes off, not at each request.
        """
        self._until = self.loop.time() + seconds
        if self._timer is None or self._until < self._timer.when():
            self._set_timer(self._until)

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._look)

    def _look(self) -> None:
        self._timer = None
        if self.loop.time() < self._until:
            if self._until < math.inf:
                self._set_timer(self._until)
        elif self._scanned:
            self._refuse(too_slow(self._client_seconds))
        else:
            self._close()

    def _end_soon(self) -> None:
        """Close in a while, or once the client is owed no answer; whatever the client does."""
        self.loop.call_later(STOP_SECONDS, self._end)

    def _end(self) -> None:
        if self.owes:
            self._end_soon()
        else:
            self.transport.abort()

    # Endings.

    def _break_off(self, error: GnomonError) -> None:
        """The rest of the body will not come, or nobody knows where it ends."""
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        exchange.abandon()
        if exchange.response_started:
            self._close()
        else:
            self._refuse(error)

    def _refuse(self, error: GnomonError) -> None:
        """Answer what has not come to the front door, and close."""
        self._write_error(error)
        self._closes = True
        self._close(linger=True)

    def _write_error(self, error: GnomonError) -> None:
        status, headers, body = error_response(error)
        headers = (*self.server_state.default_headers, *headers)
        if CLOSE not in headers:
            headers = (*headers, CLOSE)
        self.transport.write(response(status, body, headers))

    def _close(self, *, linger: bool = False) -> None:
        """Close; while the client may still be sending, so that it can read its answer first.

        Closed at once, the kernel would answer what still comes with a reset, which takes the
        answer from a client that has not read it: RFC 9112, section 9.6.
        """
        if self._ended:
            return
        linger |= self._framing is not None or bool(self._received)
        self._ended, self._framing, self._received = True, None, b""
        if not linger or self._eof:
            self.transport.close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._busy = False
        self._read_on()
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _scope(self) -> Scope:
        """What the ASGI scopes of a connection have in common."""
        secure = self.transport.get_extra_info("sslcontext") is not None
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "server": get_local_addr(self.transport),
            "client": get_remote_addr(self.transport),
            "scheme": "https" if secure else "http",
            "root_path": "",
        }


def is_plain(head: Head, settings: Settings) -> bool:
    """Whether a request needs nothing of what the usual way does, and would be let in there."""
    if head.method != "POST" or head.raw_path != b"/predict" or head.query:
        return False
    if head.length is None or head.length > min(BODY_BYTES, settings.body_bytes):
        return False
    if not head.keep_alive or head.expects or is_encoded(head.headers):
        return False
    names = {name for name, _ in head.headers}
    if not names.isdisjoint(SENT_BY_PAGES):
        return False
    hosts = [value for name, value in head.headers if name == b"host"]
    if not all(map(origins_of(settings).allows_host, hosts)):
        return False
    if settings.predict_token is not None:
        try:
            check_token({"headers": head.headers}, settings.predict_token, hint=PREDICT_HINT)
        except Unauthorized:
            return False
    return True


def _cut_short() -> MalformedRequest:
    return MalformedRequest("expected a whole request, got its beginning", hint="send all of it")
