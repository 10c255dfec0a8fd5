"""The control routes, ``/gnomon/*``: each needs a role."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

import msgspec

from gnomon.errors import GnomonError, InvalidRequest, MalformedBody, MethodNotAllowed, UnknownRoute
from gnomon.field_errors import struct_error
from gnomon.labels.label_counts import LabelStatus
from gnomon.rollout.actor import Actor
from gnomon.rollout.history import RolloutEvent
from gnomon.service.access.access import Access
from gnomon.service.access.identity import Identity
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
from gnomon.service.status.slice_status import Status
from gnomon.tokens.roles import Role, includes

__all__ = ["ROUTES", "Controlled", "Decisions", "Route", "allow", "control"]

BODY_BYTES = 64 * 1024
BODY_SECONDS = 10.0


class Controlled(Protocol):
    """The methods of a running gateway that the control routes call."""

    @property
    def access(self) -> Access:
        """Finds out who calls, and refuses those who may not."""

    async def start_shadow(
        self,
        artifact: str,
        fraction: float | None,
        same: bool,
        force: bool,
        *,
        preprocessing: str | None,
        by: Actor,
        why: str | None,
    ) -> RolloutEvent:
        """Start an artifact as a shadow.

        ``fraction=None`` uses the policy's fraction; ``force`` accepts an incompatible contract;
        ``preprocessing`` is the artifact on whose preprocessing its model runs.
        """

    async def stop_shadow(self, artifact: str, *, by: Actor, why: str | None) -> RolloutEvent:
        """Stop a shadow."""

    async def add_excuse(
        self,
        target: str,
        artifact: str | None,
        owner: str,
        until: datetime,
        *,
        by: Actor,
        why: str | None,
    ) -> RolloutEvent:
        """Excuse a column or a segment until a time."""

    async def end_excuse(self, number: int, *, by: Actor, why: str | None) -> RolloutEvent:
        """End an excuse."""

    async def promote(
        self, artifact: str, force: bool, *, by: Actor, why: str | None
    ) -> RolloutEvent:
        """Make an artifact live; ``force`` overrides gates that do not pass."""

    async def approve(
        self, artifact: str, may_force: bool, *, by: Actor, why: str | None
    ) -> RolloutEvent:
        """Promote an artifact that another person has proposed."""

    async def rollback(self, *, by: Actor, why: str | None) -> RolloutEvent:
        """Make the previous artifact live again."""

    def status(self) -> Status:
        """Return what this slice runs now."""

    async def history(self) -> Decisions:
        """Return all rollout decisions so far, oldest first."""

    async def label_status(self) -> LabelStatus:
        """Count the answers with labels, and the labels by what became of them."""


class DecisionRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """For whom a decision is made, and the reason; both are kept in the history.

    Attributes:
        by: with the control token, who decides, as claimed; with a credential of its own the
            caller decides, and this is on whose behalf.
    """

    by: str | None = None
    why: str | None = None


class StartShadow(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/shadow/start``.

    Attributes:
        same: shadow the live artifact itself, to measure the noise floor.
        force: start it even if its contract refuses requests that clients send today.
        preprocessing: another artifact's tag: the model of ``artifact`` runs on its preprocessing,
            for debugging.
    """

    artifact: str
    fraction: Annotated[float, msgspec.Meta(gt=0, le=1)] | None = None
    same: bool = False
    force: bool = False
    preprocessing: str | None = None


class StopShadow(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/shadow/stop``."""

    artifact: str


class AddExcuse(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/excuse/add``.

    Attributes:
        target: an output column, or ``FEATURE=VALUE``.
        artifact: the tag whose differences are excused; the only shadow by default.
        owner: who answers for it.
        until: its end, with an offset from UTC.
    """

    target: str
    artifact: str | None = None
    owner: str
    until: Annotated[datetime, msgspec.Meta(tz=True)]


class EndExcuse(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/excuse/end``.

    Attributes:
        number: the number of the excuse in the history and the status.
    """

    number: int


class Promote(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/promote``."""

    artifact: str
    force: bool = False


class Approve(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/approve``."""

    artifact: str


class Rollback(DecisionRequest, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /gnomon/rollback``."""


class Decisions(msgspec.Struct):
    """The answer of ``GET /gnomon/history``: every rollout decision, oldest first.

    Attributes:
        events: the decisions; those before the damage, if there is any.
        damage: what is wrong with the history; ``None`` if it is intact.
    """

    events: list[RolloutEvent]
    damage: str | None = None


T = TypeVar("T")


class Route(msgspec.Struct, frozen=True):
    """A control route.

    Attributes:
        method: the HTTP method it accepts.
        summary: what it does, for the documentation.
        role: the role that it needs; with ``force`` a request needs ``forcer``.
        answer: the function that handles a request.
        body: the type of its request body.
        reply: the type of its answer.
    """

    method: str
    summary: str
    role: Role
    answer: Callable[[Controlled, bytes, Identity], Awaitable[Any]]
    body: type[msgspec.Struct] | None
    reply: type[msgspec.Struct]


async def _start_shadow(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = _decode(body, StartShadow)
    _require_force(request.force, caller, "/gnomon/shadow/start")
    return await runtime.start_shadow(
        request.artifact,
        request.fraction,
        request.same,
        request.force,
        preprocessing=request.preprocessing,
        by=caller.actor(request.by),
        why=request.why,
    )


async def _stop_shadow(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = _decode(body, StopShadow)
    return await runtime.stop_shadow(request.artifact, by=caller.actor(request.by), why=request.why)


async def _add_excuse(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = _decode(body, AddExcuse)
    return await runtime.add_excuse(
        request.target,
        request.artifact,
        request.owner,
        request.until,
        by=caller.actor(request.by),
        why=request.why,
    )


async def _end_excuse(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = _decode(body, EndExcuse)
    return await runtime.end_excuse(request.number, by=caller.actor(request.by), why=request.why)


async def _promote(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = _decode(body, Promote)
    _require_force(request.force, caller, "/gnomon/promote")
    return await runtime.promote(
        request.artifact, request.force, by=caller.actor(request.by), why=request.why
    )


async def _approve(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = _decode(body, Approve)
    may_force = includes(caller.role, "forcer")
    return await runtime.approve(
        request.artifact, may_force, by=caller.actor(request.by), why=request.why
    )


async def _rollback(runtime: Controlled, body: bytes, caller: Identity) -> RolloutEvent:
    request = _decode(body or b"{}", Rollback)
    return await runtime.rollback(by=caller.actor(request.by), why=request.why)


async def _status(runtime: Controlled, body: bytes, caller: Identity) -> Status:
    return runtime.status()


async def _history(runtime: Controlled, body: bytes, caller: Identity) -> Decisions:
    return await runtime.history()


async def _label_status(runtime: Controlled, body: bytes, caller: Identity) -> LabelStatus:
    return await runtime.label_status()


async def _whoami(runtime: Controlled, body: bytes, caller: Identity) -> Identity:
    return caller


def _require_force(force: bool, caller: Identity, route: str) -> None:
    if force:
        caller.require("forcer", route, why="`force`")


ROUTES = {
    "/gnomon/shadow/start": Route(
        "POST",
        "Start an artifact as a shadow",
        "operator",
        _start_shadow,
        StartShadow,
        RolloutEvent,
    ),
    "/gnomon/shadow/stop": Route(
        "POST", "Stop a shadow", "operator", _stop_shadow, StopShadow, RolloutEvent
    ),
    "/gnomon/excuse/add": Route(
        "POST", "Excuse a column or a segment", "promoter", _add_excuse, AddExcuse, RolloutEvent
    ),
    "/gnomon/excuse/end": Route(
        "POST", "End an excuse", "operator", _end_excuse, EndExcuse, RolloutEvent
    ),
    "/gnomon/promote": Route(
        "POST", "Make an artifact live", "promoter", _promote, Promote, RolloutEvent
    ),
    "/gnomon/approve": Route(
        "POST",
        "Promote an artifact that another person has proposed",
        "promoter",
        _approve,
        Approve,
        RolloutEvent,
    ),
    "/gnomon/rollback": Route(
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
    "/gnomon/labels": Route(
        "GET",
        "How many answers have labels, and what became of all labels",
        "viewer",
        _label_status,
        None,
        LabelStatus,
    ),
    "/gnomon/whoami": Route(
        "GET",
        "Who the server takes the caller for, and their role",
        "viewer",
        _whoami,
        None,
        Identity,
    ),
}


async def control(runtime: Controlled, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one HTTP request under ``/gnomon/``."""
    headers: tuple[Header, ...] = ()
    try:
        status, body = 200, await _answer(runtime, scope, receive)
    except ClientGone:
        return
    except GnomonError as error:
        status, headers, body = error_response(error)
        if isinstance(error, MethodNotAllowed):
            headers = (*headers, (b"allow", allow(ROUTES[scope["path"]].method)))
    await respond(send, status, body, headers=headers)


async def _answer(runtime: Controlled, scope: Scope, receive: Receive) -> bytes:
    path, method = scope["path"], scope["method"]
    if path not in ROUTES:
        raise UnknownRoute(f"no such route: {path}", hint="the routes are " + ", ".join(ROUTES))
    route = ROUTES[path]
    if method.encode() not in allow(route.method).split(b", "):
        raise MethodNotAllowed(f"expected {route.method}, got {method}", where=path)
    caller = await runtime.access.authorize(scope, route.role)
    body = await read_body(
        receive, BODY_BYTES, scope["headers"], seconds=BODY_SECONDS, hint="shorten the reason"
    )
    with runtime.access.refusing(scope, "the role forcer"):
        return msgspec.json.encode(await route.answer(runtime, bytes(body), caller))


def allow(method: str) -> bytes:
    """Return the value of ``Allow`` for a route with this method: with GET also HEAD."""
    return b"GET, HEAD" if method == "GET" else method.encode()


def _decode(body: bytes, kind: type[T]) -> T:
    try:
        content = msgspec.json.decode(body)
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        message, place, hint = struct_error(error, kind, content)
        fields = "the fields are " + ", ".join(kind.__struct_fields__)  # type: ignore[attr-defined]
        raise InvalidRequest(message, where=place, hint=hint or fields) from None
    except msgspec.DecodeError as error:
        raise MalformedBody(f"expected a JSON object: {error}", where="$") from None
