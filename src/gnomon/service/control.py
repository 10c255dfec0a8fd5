"""The control routes, ``/gnomon/*``: each needs a role."""

from __future__ import annotations

from typing import Protocol

import msgspec

from gnomon.errors import GnomonError, MethodNotAllowed, UnknownRoute
from gnomon.rollout.actor import Actor
from gnomon.rollout.history import RolloutEvent
from gnomon.service.access.access import Access
from gnomon.service.access.identity import Identity
from gnomon.service.control_bodies import (
    PATHS,
    AddExcuse,
    Approve,
    Decisions,
    EndExcuse,
    Promote,
    Rollback,
    StartShadow,
    StopShadow,
    Withdraw,
)
from gnomon.service.control_route import Download, Route, decode_body, refuse_query
from gnomon.service.http.asgi import (
    ClientGone,
    Header,
    Receive,
    Scope,
    Send,
    error_response,
    read_body,
    respond,
)
from gnomon.service.query_routes import QUERY_ROUTES, Queried
from gnomon.service.status.slice_status import Status
from gnomon.tokens.roles import includes

__all__ = ["ROUTES", "Controlled", "allow", "control"]

BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0


class Controlled(Queried, Protocol):
    """The methods of a running gateway that the control routes call."""

    @property
    def access(self) -> Access:
        """Finds out who calls, and refuses those who may not."""

    async def start_shadow(self, request: StartShadow, by: Actor) -> RolloutEvent:
        """Start an artifact as a shadow; without a fraction, the policy's."""

    async def stop_shadow(self, request: StopShadow, by: Actor) -> RolloutEvent:
        """Stop a shadow."""

    async def add_excuse(self, request: AddExcuse, by: Actor) -> RolloutEvent:
        """Excuse a column or a segment until a time."""

    async def end_excuse(self, request: EndExcuse, by: Actor) -> RolloutEvent:
        """End an excuse."""

    async def promote(self, request: Promote, by: Actor) -> RolloutEvent:
        """Make an artifact live."""

    async def approve(self, request: Approve, by: Actor, *, may_force: bool) -> RolloutEvent:
        """Promote an artifact that another person has proposed."""

    async def withdraw(self, request: Withdraw, by: Actor) -> RolloutEvent:
        """Withdraw a proposed promotion."""

    async def rollback(self, request: Rollback, by: Actor) -> RolloutEvent:
        """Make the previous artifact live again."""

    def status(self) -> Status:
        """Return what this slice runs now."""

    async def history(self) -> Decisions:
        """Return all rollout decisions so far, oldest first."""


async def _start_shadow(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = decode_body(body, StartShadow)
    _require_force(request.force, caller, "/gnomon/shadow/start")
    return await runtime.start_shadow(request, caller.actor(request.by))


async def _stop_shadow(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = decode_body(body, StopShadow)
    return await runtime.stop_shadow(request, caller.actor(request.by))


async def _add_excuse(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = decode_body(body, AddExcuse)
    return await runtime.add_excuse(request, caller.actor(request.by))


async def _end_excuse(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = decode_body(body, EndExcuse)
    return await runtime.end_excuse(request, caller.actor(request.by))


async def _promote(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = decode_body(body, Promote)
    _require_force(request.force, caller, "/gnomon/promote")
    return await runtime.promote(request, caller.actor(request.by))


async def _approve(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = decode_body(body, Approve)
    may_force = includes(caller.role, "forcer")
    return await runtime.approve(request, caller.actor(request.by), may_force=may_force)


async def _withdraw(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = decode_body(body or b"{}", Withdraw)
    return await runtime.withdraw(request, caller.actor(request.by))


async def _rollback(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = decode_body(body or b"{}", Rollback)
    return await runtime.rollback(request, caller.actor(request.by))


async def _status(runtime: Controlled, body: bytes, caller: Identity) -> Status:
    return runtime.status()


async def _history(runtime: Controlled, body: bytes, caller: Identity) -> Decisions:
    return await runtime.history()


async def _whoami(runtime: Controlled, body: bytes, caller: Identity) -> Identity:
    return caller


def _require_force(force: bool, caller: Identity, route: str) -> None:
    if force:
        caller.require("forcer", route, why="`force`")


ROUTES = {
    PATHS[StartShadow]: Route(
        "POST",
        "Start an artifact as a shadow",
        "operator",
        _start_shadow,
        StartShadow,
        RolloutEvent,
    ),
    PATHS[StopShadow]: Route(
        "POST", "Stop a shadow", "operator", _stop_shadow, StopShadow, RolloutEvent
    ),
    PATHS[AddExcuse]: Route(
        "POST", "Excuse a column or a segment", "promoter", _add_excuse, AddExcuse, RolloutEvent
    ),
    PATHS[EndExcuse]: Route(
        "POST", "End an excuse", "operator", _end_excuse, EndExcuse, RolloutEvent
    ),
    PATHS[Promote]: Route(
        "POST", "Make an artifact live", "promoter", _promote, Promote, RolloutEvent
    ),
    PATHS[Approve]: Route(
        "POST",
        "Promote an artifact that another person has proposed",
        "promoter",
        _approve,
        Approve,
        RolloutEvent,
    ),
    PATHS[Withdraw]: Route(
        "POST",
        "Withdraw a proposed promotion",
        "promoter",
        _withdraw,
        Withdraw,
        RolloutEvent,
    ),
    PATHS[Rollback]: Route(
        "POST",
        "Make the previous artifact live again",
        "promoter",
        _rollback,
        Rollback,
        RolloutEvent,
    ),
    "/gnomon/status": Route(
        "GET", "What this slice runs, and its accounts", "viewer", _status, None, Status
    ),
    "/gnomon/history": Route("GET", "Every rollout decision", "viewer", _history, None, Decisions),
    "/gnomon/whoami": Route(
        "GET",
        "Who the server takes the caller for, and their role",
        "viewer",
        _whoami,
        None,
        Identity,
    ),
    **QUERY_ROUTES,
}


async def control(runtime: Controlled, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request under ``/gnomon/``."""
    headers: tuple[Header, ...] = ()
    kind = b"application/json"
    try:
        answer = await _answer(runtime, scope, receive)
        status = 200
        if isinstance(answer, Download):
            kind, body = b"application/x-tar", answer.content
            name = answer.name.encode()
            headers = ((b"content-disposition", b'attachment; filename="%s"' % name),)
        else:
            body = msgspec.json.encode(answer)
    except ClientGone:
        return
    except GnomonError as error:
        status, headers, body = error_response(error)
        if isinstance(error, MethodNotAllowed):
            headers = (*headers, (b"allow", allow(ROUTES[scope["path"]].method)))
    await respond(send, status, body, kind, headers)


async def _answer(runtime: Controlled, scope: Scope, receive: Receive) -> object:
    path, method = scope["path"], scope["method"]
    if path not in ROUTES:
        raise UnknownRoute(f"no such route: {path}", hint="the routes are " + ", ".join(ROUTES))
    route = ROUTES[path]
    if method.encode() not in allow(route.method).split(b", "):
        raise MethodNotAllowed(f"expected {route.method}, got {method}", where=path)
    await runtime.access.authorize(scope, route.role)
    if route.query is None:
        refuse_query(scope["query_string"], path, has_body=route.body is not None)
    body = await read_body(
        receive, BODY_BYTES, scope["headers"], seconds=BODY_SECONDS, hint="shorten the reason"
    )
    # A slow body leaves time to revoke the credential: what counts is what it allows now.
    caller = await runtime.access.authorize(scope, route.role)
    sent = bytes(body) if route.method == "POST" else scope["query_string"]
    with runtime.access.refusing(scope, "the role forcer"):
        return await route.answer(runtime, sent, caller)


def allow(method: str) -> bytes:
    """Return the value of ``Allow`` for a route with this method: with GET also HEAD."""
    return b"GET, HEAD" if method == "GET" else method.encode()
