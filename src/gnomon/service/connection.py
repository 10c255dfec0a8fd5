"""One client's connection: where each request ends, how it is handled, and its time limits.

Through ASGI a request costs a scope, an event, a task and a separate write for the head of its
answer: several times as much as Gnomon's work on it. A :class:`Connection` handles a plain ``POST
/predict`` itself and writes the answer at once. All other requests go through ASGI: another route,
a chunked body, a long body, or one that arrives slowly.

One strict parser decides for both ways where a request begins and ends
(:mod:`gnomon.service.http.request_head`, :mod:`gnomon.service.http.framing`), so one way cannot
read as a request what the other reads as a body. Headers that would change the protocol
(``Upgrade``) have no effect.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
from typing import Any

from gnomon.compat.uvicorn import (
    Config,
    HttpToolsProtocol,
    ServerState,
    get_local_addr,
    get_remote_addr,
    make_connections_with,
)
from gnomon.errors import GnomonError, MalformedRequest, Unauthorized
from gnomon.service.access.bearer import PREDICT_HINT, check_token
from gnomon.service.client_connection import ClientConnection
from gnomon.service.front_door import FrontDoor
from gnomon.service.http.asgi import CLOSE, Scope, is_encoded, response, unexpected
from gnomon.service.http.asgi_exchange import Exchange, Wire, scope_of
from gnomon.service.http.connection_limits import raise_descriptor_limit
from gnomon.service.http.framing import Chunks, Framing, Sized
from gnomon.service.http.request_head import (
    END,
    HEAD_BYTES,
    Head,
    early_refusal,
    lasting,
    read_head,
)
from gnomon.service.lane.pending_request import Answer
from gnomon.service.origins import origins_of
from gnomon.service.streaming.record_stream import media_type
from gnomon.settings import Settings

__all__ = ["Connection", "is_plain", "take_connections"]

logger = logging.getLogger("gnomon")

BODY_BYTES = 65_536
"""The longest body of a plain request. A longer one arrives in pieces, which ASGI joins as well."""
PLAIN_WAIT_SECONDS = 0.05
"""Seconds to wait for the rest of a plain request. After that it goes through ASGI, which has the
time limits for slow clients and logs refused requests."""
REQUEST_ID = b"x-request-id"
SENT_BY_PAGES = {b"origin", b"sec-fetch-site"}
"""A page sent a request with one of these headers; the front door has the rules for these."""
_BLANK = re.compile(rb"\A(?:\r\n)*+")
"""Empty lines before a request are skipped: RFC 9112, section 2.2."""


def take_connections() -> None:
    """Make uvicorn use this class for connections to a front door.

    Raises:
        SettingsError: this process may not open enough connections to serve.
    """
    raise_descriptor_limit()
    make_connections_with(_protocol)


def _protocol(
    config: Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> asyncio.Protocol:
    """Make a connection: of uvicorn's class if the application of ``config`` is not Gnomon's."""
    if isinstance(config.app, FrontDoor) and not config.root_path:
        return Connection(config, server_state, app_state)
    return HttpToolsProtocol(config, server_state, app_state, _loop)


class Connection(ClientConnection):
    """One client's connection to a :class:`~gnomon.service.front_door.FrontDoor`.

    One request is under way at a time, so answers are sent in order. Further bytes wait, and while
    any wait nothing more is read: a client that sends many requests without reading answers fills
    the kernel's buffers, not this process's.
    """

    def __init__(
        self, config: Config, server_state: ServerState, app_state: dict[str, Any]
    ) -> None:
        super().__init__(config, server_state)
        self._state = app_state
        self._head: Head | None = None
        self._last_head = 0
        self._exchange: Exchange | None = None
        self._body_timer: asyncio.TimerHandle | None = None

    # Called by the event loop.

    def data_received(self, data: bytes) -> None:
        """Handle bytes that the client sent."""
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
        """Handle the end of the client's data. It may still read, so it gets its answers."""
        self._eof = True
        if self._ended:
            return False
        if self._framing is not None:
            assert self._exchange is not None
            self._exchange.end(lambda: self._abort(_cut_short()))
        elif not self._busy:
            self._take()
        return not self.transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Clean up after the connection has closed."""
        super().connection_lost(exc)
        if self._body_timer is not None:
            self._body_timer.cancel()
        if self._exchange is not None:
            self._exchange.abandon()
            self._exchange = None

    # Called by uvicorn.

    def shutdown(self) -> None:
        """Close, once the request under way is answered, because the server stops."""
        if self._exchange is not None:
            self._exchange.keep_alive = False
        super().shutdown()

    # Requests.

    def _take(self, waited: float = 0.0) -> None:
        """Begin the request at the front of the received bytes, if enough of it has arrived.

        Args:
            waited: seconds since it was read.
        """
        if self._behind:
            self._hold()
            return
        if self._head is not None:
            self._submit(self._head, 0, waited)
            return
        end = self._received.find(END, 0, HEAD_BYTES) + len(END)
        head = self.door.heads.get(self._received[:end])
        if head is not None:
            self._submit(head, end, waited)
        elif self._received[:2] == b"\r\n":
            self._received = _BLANK.sub(b"", self._received, count=1)
            self._take(waited)
        elif end < len(END):
            self._await_head()
        else:
            self._read(end, waited)

    def _read(self, end: int, waited: float) -> None:
        """Begin a request whose head, byte for byte, was not seen before."""
        block = self._received[:end]
        key, client_id = lasting(block)
        head = self.door.heads.get(key)
        if head is not None:
            self._submit(head._replace(client_id=client_id), end, waited)
            return
        try:
            head = read_head(block)
        except GnomonError as error:
            self._refuse(error)
            return
        if not is_plain(head, self.door.runtime().settings):
            self._pass_to_asgi(head, end, waited)
            return
        last, self._last_head = self._last_head, hash(key)  # Remembered after its second use.
        if last == self._last_head and key:
            self.door.heads.remember(key, head)
        self._submit(head, end, waited)

    def _submit(self, head: Head, start: int, waited: float) -> None:
        """Submit a plain request if it is complete; its body begins at ``start``."""
        data = self._received
        assert head.length is not None
        stop = start + head.length
        if len(data) < stop:
            self._head, self._received = head, data[start:]
            self._await_body()
            return
        if self._body_timer is not None:
            self._cancel_wait()
        self._begin()
        self._received = data[stop:]
        if self._received:
            self._hold(waited)
        requests = self.door.runtime().requests
        try:
            requests.submit(data[start:stop], head.client_id, self._answer, waited)
        except Exception as error:
            logger.exception("POST /predict failed")
            self._answer(Answer.of(unexpected(error)))

    def _answer(self, answer: Answer) -> None:
        """Write head and body at once, then continue with the bytes received meanwhile."""
        self._busy = False
        if self._ended:
            return
        headers = [*self.server_state.default_headers, *answer.headers]
        if self._closes:
            headers.append(CLOSE)
        self.transport.write(response(answer.status, answer.body, headers))
        self._finish_request()

    def _pass_to_asgi(self, head: Head, start: int, waited: float) -> None:
        """Pass a request to the front door through ASGI; its body begins at ``start``."""
        self._cancel_wait()
        self._begin()
        wire = Wire(self.transport, self._writable, self._close, self._read_on)
        if head.client_id is not None and all(name != REQUEST_ID for name, _ in head.headers):
            # A remembered head lacks it.
            id_header = (REQUEST_ID, head.client_id.encode("latin-1"))
            head = head._replace(headers=[*head.headers, id_header])
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
        waited = waited if self.owes else 0.0
        scope["extensions"] = {"gnomon": {"waited": waited, "unread": self.unread}}
        task = self.loop.create_task(exchange.run_asgi(self.door))  # type: ignore[arg-type]
        self.server_state.tasks.add(task)
        task.add_done_callback(self.server_state.tasks.discard)

    def _feed(self, framing: Framing) -> None:
        """Pass on the received part of a body; bytes after the body belong to the next request."""
        assert self._exchange is not None
        try:
            body, self._received = framing.take(self._received)
        except GnomonError as error:
            self._abort(error)
            return
        if self._exchange.take(body, done=framing.done):
            self._pause()
        if framing.done:
            self._framing, self._until = None, math.inf
            if self._received:
                self._hold()
            if self._exchange.response_complete:
                self._busy = False
                self._finish_request()

    def _responded(self) -> None:
        """Handle a written answer, for which the body may still be arriving."""
        if self._ended:
            return
        if self._framing is None:
            self._busy = False
            self._finish_request()
        elif self._eof:
            self._close()
        else:
            self._expect(self._client_seconds)
            self._read_on()

    def _finish_request(self) -> None:
        """Finish a request. The next one on this connection is served after other connections."""
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

    # Requests that have not arrived completely.

    def _await_head(self) -> None:
        """Wait for the rest of a head, unless its first part is refused."""
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
        """Wait briefly for the rest of a plain request."""
        if self._eof:
            self._refuse(_cut_short())
            return
        if self._body_timer is None:
            self._until = math.inf
            self._body_timer = self.loop.call_later(PLAIN_WAIT_SECONDS, self._stop_awaiting_body)
        self._read_on()

    def _stop_awaiting_body(self) -> None:
        head, self._head = self._head, None
        if head is not None and not self._ended:
            self._pass_to_asgi(head, 0, 0.0)

    def _cancel_wait(self) -> None:
        self._head = None
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    # Endings.

    def _abort(self, error: GnomonError) -> None:
        """Give up a request whose body will not be complete, or whose end cannot be found."""
        exchange, self._exchange = self._exchange, None
        assert exchange is not None
        exchange.abandon()
        if exchange.response_started:
            self._close()
        else:
            self._refuse(error)

    def _scope(self) -> Scope:
        """Return the common part of the ASGI scopes of this connection."""
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
    """Return whether a request does not need ASGI, and the front door would accept it."""
    if not settings.fast_http:
        return False
    if head.method != "POST" or head.raw_path != b"/predict" or head.query:
        return False
    if head.length is None or head.length > min(BODY_BYTES, settings.body_bytes):
        return False
    if not head.keep_alive or head.expects or is_encoded(head.headers):
        return False
    if media_type(head.headers):
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
    return MalformedRequest(
        "expected a complete request, got only its beginning", hint="send the complete request"
    )
