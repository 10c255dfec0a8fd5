"""The outermost ASGI callable: handles Gnomon's routes, and passes all others to BentoML.

BentoML's API route costs a trace span, a timeout task and several middlewares per request: most of
the time of a prediction. Health, metrics and everything else are left to BentoML.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec

from gnomon.errors import (
    GnomonError,
    HostNotAllowed,
    InvalidRequest,
    MethodNotAllowed,
    NotReady,
    OriginNotAllowed,
    Overloaded,
    Unauthorized,
    UnknownMethod,
    UnknownRoute,
)
from gnomon.service import pages
from gnomon.service.access.bearer import PREDICT_HINT, check_token
from gnomon.service.access.proxies import proxies_of
from gnomon.service.control import allow, control
from gnomon.service.control_route import refuse_query
from gnomon.service.http.asgi import (
    ASGI,
    ClientGone,
    Message,
    Receive,
    Scope,
    Send,
    error_response,
    header,
    read_body,
    respond,
    unexpected,
)
from gnomon.service.http.media_types import LINES
from gnomon.service.http.request_head_cache import RequestHeadCache
from gnomon.service.openapi.document import openapi
from gnomon.service.origins import (
    PAGE_HEADERS,
    PREDICT,
    PREFLIGHT,
    is_preflight,
    origins_of,
    with_headers,
)
from gnomon.service.slice.label_intake import LABEL_BYTES
from gnomon.service.slice.runtime import Runtime
from gnomon.service.status.slice_status import public
from gnomon.service.streaming.record_stream import RecordStream, media_type

__all__ = ["FrontDoor"]

logger = logging.getLogger("gnomon")

POLICY_VIOLATION = 1008
"""The code of RFC 6455 for a WebSocket that is refused."""

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "QUERY"})
"""The methods that HTTP registers for use on resources: others get 501, and those that a route does
not accept get 405. CONNECT asks for a tunnel, and is refused earlier."""


class FrontDoor:
    """An ASGI application around BentoML's.

    Args:
        inner: BentoML's application.
        runtime: returns the running slice, which BentoML makes during start-up, after this object.

    Attributes:
        runtime: as given.
        heads: heads of plain requests read before, by their bytes, for
            :class:`~gnomon.service.connection.Connection`.
    """

    def __init__(self, inner: ASGI, runtime: Callable[[], Runtime]) -> None:
        self._inner = inner
        self.runtime = runtime
        self.heads = RequestHeadCache()
        self._routes: dict[str, tuple[str, ASGI]] = {
            PREDICT: ("POST", self._predict),
            "/labels": ("POST", self._labels),
            "/": ("GET", self._index),
            "/docs.json": ("GET", self._openapi),
            "/status.json": ("GET", self._status),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] in ("http", "websocket"):
            proxies_of(self.runtime().settings).strip(scope)
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] != "http":
            await self._inner(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        origins = origins_of(self.runtime().settings)
        headers = origins.answer_headers(scope) if path == PREDICT else PAGE_HEADERS
        send = with_headers(send, headers)
        try:
            if scope["method"] not in METHODS:
                raise UnknownMethod(f"expected an HTTP method, got {scope['method'][:40]}")
            origins.check(scope)
            await self._answer(scope, receive, send)
        except ClientGone:
            return
        except (HostNotAllowed, OriginNotAllowed) as error:
            await self._refuse(error, scope, send)
        except GnomonError as error:
            status, headers, body = error_response(error)
            await respond(send, status, body, headers=headers)
        except Exception as error:
            logger.exception("%s %s failed", scope["method"], path)
            status, headers, body = error_response(unexpected(error))
            await respond(send, status, body, headers=headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        route = self._routes.get(path)
        if route is None:
            if path == "/metrics":
                self.runtime().publish()
            if path.startswith("/gnomon/"):
                await control(self.runtime().control, scope, receive, send)
            else:
                await self._inner(scope, receive, _explained(scope, send))
            return
        method, handler = route
        if path == PREDICT and is_preflight(scope):
            await respond(send, 200, b"", headers=PREFLIGHT)
        elif scope["method"] == method or (method == "GET" and scope["method"] == "HEAD"):
            await handler(scope, receive, send)
        else:
            await _refuse_method(send, scope, allow(method))

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Apply the same rules to WebSockets: Gnomon has none, but a deployment may."""
        try:
            origins_of(self.runtime().settings).check(scope)
        except (HostNotAllowed, OriginNotAllowed) as error:
            self.runtime().requests.refused(error)
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        else:
            await self._inner(scope, receive, send)

    async def _refuse(
        self, error: HostNotAllowed | OriginNotAllowed, scope: Scope, send: Send
    ) -> None:
        """Answer a request that the rules forbid; one for a prediction is logged without body."""
        requests = self.runtime().requests
        requests.refused(error)
        if scope["path"] == PREDICT and scope["method"] == "POST":
            answer = await requests.reject(error, _client_id(scope))
            await respond(send, answer.status, answer.body, headers=answer.headers)
        else:
            status, headers, body = error_response(error)
            await respond(send, status, body, headers=headers)

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        runtime = self.runtime()
        client = _client_id(scope)
        try:
            if runtime.settings.predict_token is not None:
                with runtime.control.access.refusing(scope, "the prediction token"):
                    check_token(scope, runtime.settings.predict_token, hint=PREDICT_HINT)
            settings = runtime.settings
            if media_type(scope["headers"]):
                stream = RecordStream(scope, receive, send, runtime.requests, settings, client)
                await stream.run()
                return
            with runtime.requests.held.body() as grow:
                body = await read_body(
                    receive,
                    settings.body_bytes,
                    scope["headers"],
                    seconds=settings.client_seconds,
                    grow=grow,
                )
                waited = scope.get("extensions", {}).get("gnomon", {}).get("waited", 0.0)
                answer = await runtime.requests.predict(body, client, waited)
        except (InvalidRequest, Overloaded, Unauthorized) as error:
            answer = await runtime.requests.reject(error, client)
        await respond(send, answer.status, answer.body, headers=answer.headers)

    async def _labels(self, scope: Scope, receive: Receive, send: Send) -> None:
        runtime = self.runtime()
        await runtime.control.access.authorize(scope, "labeller")
        refuse_query(scope["query_string"], scope["path"], has_body=True)
        settings = runtime.settings
        with runtime.labels.held.body() as grow:
            body = await read_body(
                receive,
                min(settings.body_bytes, LABEL_BYTES),
                scope["headers"],
                seconds=settings.client_seconds,
                grow=grow,
                hint="send fewer labels per request, or use `gnomon labels import`",
            )
        await runtime.control.access.authorize(scope, "labeller")  # It may be revoked since.
        lines = media_type(scope["headers"]) == LINES.encode()
        accepted = await runtime.labels.add(body, lines=lines)
        await respond(send, 200, msgspec.json.encode(accepted))

    async def _index(self, scope: Scope, receive: Receive, send: Send) -> None:
        runtime = self.runtime()
        live = runtime.live
        contract = None if live is None else live.contract
        allowed = {} if live is None else live.artifact.manifest.allowed
        page = pages.index(runtime.status(), contract, allowed)
        policy = (b"content-security-policy", pages.content_policy())
        await respond(send, 200, page, b"text/html; charset=utf-8", headers=(policy,))

    async def _openapi(self, scope: Scope, receive: Receive, send: Send) -> None:
        live = self.runtime().live
        if live is None:
            raise NotReady("no artifact is live yet", hint="GET /status.json says what is missing")
        document = openapi(live.contract, live.artifact.tag)
        await respond(send, 200, msgspec.json.encode(document))

    async def _status(self, scope: Scope, receive: Receive, send: Send) -> None:
        await respond(send, 200, msgspec.json.encode(public(self.runtime().status())))


def _client_id(scope: Scope) -> str | None:
    """Return the client's id for a request."""
    value = header(scope, b"x-request-id")
    return None if value is None else value.decode("latin-1")


async def _refuse_method(send: Send, scope: Scope, allowed: bytes) -> None:
    error = MethodNotAllowed(
        f"expected {allowed.decode()}, got {scope['method']}", where=scope["path"][:200]
    )
    status, headers, body = error_response(error)
    await respond(send, status, body, headers=(*headers, (b"allow", allowed)))


def _explained(scope: Scope, send: Send) -> Send:
    """Wrap ``send`` to turn the framework's plain errors into Gnomon's JSON errors.

    Its redirects to a path without the last slash become 404 too: they contain the host that the
    client named, which can be forged.
    """
    replaced = False

    async def explained(message: Message) -> None:
        nonlocal replaced
        if message["type"] == "http.response.start":
            status, headers = message["status"], dict(message["headers"])
            replaced = status in (404, 405) or (status == 307 and scope["path"].endswith("/"))
            if status == 405:
                await _refuse_method(send, scope, headers.get(b"allow", b"GET, HEAD"))
            elif replaced:
                error = UnknownRoute(
                    f"no route {scope['path'][:200]}", hint="GET /docs.json lists the routes"
                )
                status, extra, body = error_response(error)
                await respond(send, status, body, headers=extra)
        if not replaced:
            await send(message)

    return explained
