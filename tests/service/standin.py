"""A deployment without workers or log, behind a real HTTP server: for tests of what HTTP says.

It keeps a real rollout state in memory and answers ``/predict`` with what it was sent.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec
import uvicorn

from gnomon.api.log_query import (
    AuditBundle,
    CheckedGates,
    CheckHistory,
    CheckShadows,
    CountLabels,
    EstimateQuality,
    ExportAudit,
    GateChecks,
    LogQuery,
    MeasureQuality,
    Unevaluated,
    WantedLabels,
    WantLabels,
)
from gnomon.artifact.manifest import Combination, Part
from gnomon.contract import Contract, Feature, Output
from gnomon.errors import Busy, GnomonError
from gnomon.estimates.estimate_report import EstimateReport
from gnomon.labels.label_counts import LabelStatus
from gnomon.rollout.actor import Actor, signed
from gnomon.rollout.evidence.excuse import RecordedExcuse, parse_excuse
from gnomon.rollout.gate import Gate
from gnomon.rollout.history import Kind, RolloutEvent, RolloutState
from gnomon.rollout.history.past_state import PastState, state_at
from gnomon.rollout.quality.quality_report import QualityReport
from gnomon.service import pages
from gnomon.service.access.access import Access
from gnomon.service.access.proxies import proxies_of
from gnomon.service.access.refusals import Refusals
from gnomon.service.control import control
from gnomon.service.control_bodies import (
    AddExcuse,
    Approve,
    DecisionRequest,
    Decisions,
    EndExcuse,
    Promote,
    Rollback,
    StartShadow,
    StopShadow,
    Withdraw,
)
from gnomon.service.http.asgi import Receive, Scope, Send, error_response, read_body, respond
from gnomon.service.status.slice_status import LiveStatus, ShadowStatus, Status, public
from gnomon.settings import Settings
from gnomon.storage import Storage
from gnomon.tokens.issued_tokens import IssuedToken, list_tokens
from gnomon.tokens.known_tokens import KnownTokens
from gnomon.tokens.token_store import TokenStore

T = TypeVar("T")

TOKEN = "let-me-in"

CONTRACT = Contract(
    task="classification",
    features=(
        Feature(
            name="carrier", type="category", dtype="category", domain=("AA", "UA"), outside="error"
        ),
        Feature(name="hour", type="integer", dtype="int64", minimum=5, maximum=23),
        Feature(name="distance", type="float", dtype="float64", unit="miles", nullable=True),
        Feature(
            name="time_hour",
            type="timestamp",
            dtype="datetime64[us, America/New_York]",
            timezone="America/New_York",
        ),
        Feature(name="tail", type="string", dtype="object", nullable=True, missing="impute"),
        Feature(
            name="wet", type="boolean", dtype="bool", missing="default", default=False, coerce=True
        ),
    ),
    outputs=(
        Output(name="prediction", type="string"),
        Output(name="probability_late", type="float"),
        Output(name="probability_on_time", type="float"),
    ),
    classes=("late", "on_time"),
    entity_key=("carrier",),
    event_time="time_hour",
)


GATE = Gate(name="rows", verdict="unknown", says="12 of 1,000 rows", limit=1_000, value=12)

ANSWERS: dict[type[Any], Any] = {
    CheckShadows: GateChecks(
        gates=(
            CheckedGates(
                artifact="flights:two", live="flights:one", gates=(GATE,), overall="unknown"
            ),
        ),
        unevaluated=(Unevaluated(artifact="flights:three", error="there is no log"),),
    ),
    CheckHistory: CheckedGates(
        artifact="flights:two", live="flights:one", gates=(GATE,), overall="unknown"
    ),
    EstimateQuality: EstimateReport(model="flights", live="flights:one", artifacts=()),
    CountLabels: LabelStatus(
        model="flights", received=0, fates={}, unmatched={}, late=0, early=0,
        known_after_days=None, ages=(), examples=(),
    ),
    MeasureQuality: QualityReport(model="flights", live="flights:one", shadows=()),
    WantLabels: WantedLabels(rows=({"request_id": "r-1", "row": 0, "effect": 0.5},)),
    ExportAudit: AuditBundle(name="audit-flights-1.tar", content=b"a tar archive"),
}  # fmt: skip
"""What a server would find in its log."""


class StandIn:
    """What :class:`~gnomon.service.control.Controlled` asks for, and an ASGI app around it."""

    def __init__(self, tokens: Path | None = None, proxies: Settings | None = None) -> None:
        self.refused: list[tuple[str, str]] = []
        self.settings = Settings(root=str(tokens or "/nonexistent"))
        self.access = Access(
            "flights",
            TOKEN,
            KnownTokens(TokenStore(Storage(self.settings))),
            proxies_of(proxies or Settings()),
            Refusals(lambda route, code: self.refused.append((route, code))),
        )
        self.events: list[RolloutEvent] = []
        self.state = RolloutState()
        self.bodies: list[bytes] = []
        self.tokens: list[str | None] = []
        self.ready = True
        self.page: bytes | None = None
        self.labels: list[Any] = []
        self.asked: list[LogQuery[Any]] = []
        self.busy = False
        self._decide(RolloutEvent(kind="promote", artifact="flights:one", digest="ab" * 32))

    async def start_shadow(self, request: StartShadow, by: Actor) -> RolloutEvent:
        before = request.preprocessing
        return self._decide(
            RolloutEvent(
                kind="shadow_start",
                artifact=request.artifact,
                fraction=0.5 if request.fraction is None else request.fraction,
                same=request.same,
                combination=None
                if before is None
                else Combination(
                    model=Part(tag=request.artifact, digest="cd" * 32),
                    preprocessing=Part(tag=before, digest="ab" * 32),
                ),
                forced=request.force,
                why=request.why,
                **signed(by),
            )
        )

    async def stop_shadow(self, request: StopShadow, by: Actor) -> RolloutEvent:
        return self._record("shadow_stop", request.artifact, request, by)

    async def add_excuse(self, request: AddExcuse, by: Actor) -> RolloutEvent:
        excuse = parse_excuse(request.target, request.owner, request.until)
        return self._record("excuse", request.artifact or "", request, by, excuse=excuse)

    async def end_excuse(self, request: EndExcuse, by: Actor) -> RolloutEvent:
        return self._record("excuse_end", "", request, by, ends=request.number)

    async def promote(self, request: Promote, by: Actor) -> RolloutEvent:
        return self._record("promote", request.artifact, request, by, forced=request.force)

    async def approve(self, request: Approve, by: Actor, *, may_force: bool) -> RolloutEvent:
        return self._record("promote", request.artifact, request, by)

    async def withdraw(self, request: Withdraw, by: Actor) -> RolloutEvent:
        (proposal,) = self.state.proposals.values()
        return self._record("withdraw", proposal.artifact, request, by, ends=proposal.number)

    async def rollback(self, request: Rollback, by: Actor) -> RolloutEvent:
        return self._record("rollback", self.state.previous or "nothing", request, by)

    def _record(
        self, kind: Kind, artifact: str, request: DecisionRequest, by: Actor, **more: Any
    ) -> RolloutEvent:
        return self._decide(
            RolloutEvent(kind=kind, artifact=artifact, why=request.why, **signed(by), **more)
        )

    def status(self) -> Status:
        live = self.state.live
        return Status(
            model="flights",
            ready=self.ready,
            version="0",
            slice="a",
            epoch=self.state.epoch,
            live=None if live is None else LiveStatus(artifact=live),
            previous=self.state.previous,
            shadows=tuple(
                ShadowStatus(
                    artifact=tag,
                    eligible=200,
                    scored=200,
                    compared=200,
                    disagreed=5,
                    error="no such file /secret",
                )
                for tag in self.state.shadows
            ),
        )

    async def ask(self, query: LogQuery[T]) -> T:
        self.asked.append(query)
        if self.busy:
            raise Busy("the same is being computed for another request")
        return cast("T", ANSWERS[type(query)])

    async def state_at(self, at: datetime) -> PastState:
        return state_at(self.events, at)

    def excuses(self) -> tuple[RecordedExcuse, ...]:
        return self.state.excuses

    async def issued_tokens(self) -> tuple[IssuedToken, ...]:
        return tuple(list_tokens(settings=self.settings))

    async def history(self) -> Decisions:
        return Decisions(self.events)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI app."""
        if scope["type"] != "http":
            return
        headers = dict(scope["headers"])
        token = headers.get(b"authorization")
        self.tokens.append(None if token is None else token.decode())
        match scope["path"]:
            case "/predict":
                await self._predict(scope, receive, send)
            case "/labels":
                self.labels += msgspec.json.decode(await read_body(receive, 100_000, seconds=5))
                await respond(send, 200, b'{"accepted":%d}' % len(self.labels))
            case "/readyz":
                status = 200 if self.ready else 503
                await respond(send, status, b"", b"text/plain")
            case "/":
                page = self.page or pages.index(self.status(), CONTRACT)
                await respond(send, 200, page, b"text/html; charset=utf-8")
            case "/status.json":
                await respond(send, 200, msgspec.json.encode(public(self.status())))
            case "/strange/predict":
                await respond(send, 200, b"<html>", b"text/html")
            case _:
                await control(self, scope, receive, send)

    async def _predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive, 100_000, scope["headers"], seconds=5)
        except GnomonError as error:
            status, headers, content = error_response(error, "r-1")
            await respond(send, status, content, headers=headers)
            return
        self.bodies.append(body)
        request = msgspec.json.decode(body)
        answer = {"prediction": "late", "probabilities": {"late": 0.75, "on_time": 0.25}}
        head = {"request_id": "r-1", "artifact": "flights:one"}
        if "rows" in request:
            bad = {"error": {"code": "prediction_failed", "message": "boom"}}
            rows = [bad if row.get("hour") == 13 else answer for row in request["rows"]]
            await respond(send, 200, msgspec.json.encode({**head, "rows": rows}))
        else:
            await respond(send, 200, msgspec.json.encode({**head, **answer}))

    def _decide(self, event: RolloutEvent) -> RolloutEvent:
        self.state = self.state.after_new(event)
        self.events.append(event)
        return event


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """Serve an ASGI app on a free port of this machine; its URL."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            thread.join(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
