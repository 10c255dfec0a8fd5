"""The control routes that only read: gates, quality, labels, excuses, tokens, an audit."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Protocol, TypeVar

import msgspec

from gnomon.api.log_query import (
    CheckedGates,
    CheckHistory,
    CheckShadows,
    CountLabels,
    EstimateQuality,
    ExportAudit,
    GateChecks,
    LogQuery,
    MeasureQuality,
    WantedLabels,
    WantLabels,
)
from gnomon.estimates.estimate_report import EstimateReport
from gnomon.labels.label_counts import LabelStatus
from gnomon.rollout.evidence.excuse import RecordedExcuse
from gnomon.rollout.history.past_state import PastState
from gnomon.rollout.quality.quality_report import QualityReport
from gnomon.service.access.identity import Identity
from gnomon.service.control_route import Download, Route, decode_query
from gnomon.tokens.issued_tokens import IssuedToken

__all__ = ["QUERY_ROUTES", "Excuses", "HistoryAt", "Queried", "Tokens"]

T = TypeVar("T")


class Queried(Protocol):
    """The methods of a running gateway that these routes call."""

    async def ask(self, query: LogQuery[T]) -> T:
        """Answer a question about the log."""

    async def state_at(self, at: datetime) -> PastState:
        """Return what answered at a time."""

    def excuses(self) -> tuple[RecordedExcuse, ...]:
        """Return the excuses that were not ended, also those that have expired."""

    async def issued_tokens(self) -> tuple[IssuedToken, ...]:
        """Return the tokens that are for this deployment, without their secrets."""


class HistoryAt(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The query of ``GET /gnomon/history/at``.

    Attributes:
        time: with an offset from UTC.
    """

    time: Annotated[datetime, msgspec.Meta(tz=True)]


class Excuses(msgspec.Struct, kw_only=True):
    """The answer of ``GET /gnomon/excuses``: the excuses that were not ended, oldest first."""

    excuses: tuple[RecordedExcuse, ...]


class Tokens(msgspec.Struct, kw_only=True):
    """The answer of ``GET /gnomon/tokens``: the tokens for this deployment, without secrets."""

    tokens: tuple[IssuedToken, ...]


async def _gates(runtime: Queried, query: bytes, caller: Identity) -> GateChecks:
    return await runtime.ask(decode_query(query, CheckShadows))


async def _gates_on_history(runtime: Queried, query: bytes, caller: Identity) -> CheckedGates:
    return await runtime.ask(decode_query(query, CheckHistory))


async def _quality(runtime: Queried, query: bytes, caller: Identity) -> QualityReport:
    return await runtime.ask(decode_query(query, MeasureQuality))


async def _estimates(runtime: Queried, query: bytes, caller: Identity) -> EstimateReport:
    return await runtime.ask(decode_query(query, EstimateQuality))


async def _labels(runtime: Queried, query: bytes, caller: Identity) -> LabelStatus:
    return await runtime.ask(CountLabels())


async def _wanted(runtime: Queried, query: bytes, caller: Identity) -> WantedLabels:
    return await runtime.ask(decode_query(query, WantLabels))


async def _audit(runtime: Queried, query: bytes, caller: Identity) -> Download:
    bundle = await runtime.ask(decode_query(query, ExportAudit))
    return Download(bundle.name, bundle.content)


async def _history_at(runtime: Queried, query: bytes, caller: Identity) -> PastState:
    return await runtime.state_at(decode_query(query, HistoryAt).time)


async def _excuses(runtime: Queried, query: bytes, caller: Identity) -> Excuses:
    return Excuses(excuses=runtime.excuses())


async def _tokens(runtime: Queried, query: bytes, caller: Identity) -> Tokens:
    return Tokens(tokens=await runtime.issued_tokens())


QUERY_ROUTES = {
    "/gnomon/gates": Route(
        "GET",
        "The gates of an artifact, or of all shadows that may replace live",
        "viewer",
        _gates,
        None,
        GateChecks,
        query=CheckShadows,
        is_slow=True,
    ),
    "/gnomon/gates/on-history": Route(
        "GET",
        "The gates of an artifact that is replayed over logged requests",
        "operator",
        _gates_on_history,
        None,
        CheckedGates,
        query=CheckHistory,
        is_slow=True,
    ),
    "/gnomon/quality": Route(
        "GET",
        "The quality of shadows beside live's, by labels",
        "viewer",
        _quality,
        None,
        QualityReport,
        query=MeasureQuality,
        is_slow=True,
    ),
    "/gnomon/quality/estimates": Route(
        "GET",
        "The quality of live and its shadows, estimated before labels are known",
        "viewer",
        _estimates,
        None,
        EstimateReport,
        query=EstimateQuality,
        is_slow=True,
    ),
    "/gnomon/labels": Route(
        "GET",
        "How many answers have labels, and what became of all labels",
        "viewer",
        _labels,
        None,
        LabelStatus,
        is_slow=True,
    ),
    "/gnomon/labels/wanted": Route(
        "GET",
        "The rows whose labels would decide on a shadow soonest",
        "labeller",
        _wanted,
        None,
        WantedLabels,
        query=WantLabels,
        is_slow=True,
    ),
    "/gnomon/history/at": Route(
        "GET",
        "What answered at a time, and on what evidence",
        "viewer",
        _history_at,
        None,
        PastState,
        query=HistoryAt,
    ),
    "/gnomon/excuses": Route(
        "GET", "The excuses that were not ended", "viewer", _excuses, None, Excuses
    ),
    "/gnomon/audit": Route(
        "GET",
        "Every decision, and what it rests on, as one file for an auditor",
        "viewer",
        _audit,
        None,
        Download,
        query=ExportAudit,
        is_slow=True,
    ),
    "/gnomon/tokens": Route(
        "GET", "The tokens for this deployment", "forcer", _tokens, None, Tokens
    ),
}
