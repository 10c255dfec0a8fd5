"""The requests of a client that only read.

The types of the answers are imported to read one: they need data libraries, and predictions do not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlencode

import msgspec

from gnomon.service.client.calls import CONTROL_SECONDS, HttpCall

if TYPE_CHECKING:
    from gnomon.api.log_query import CheckedGates, GateChecks, WantedLabels
    from gnomon.estimates.estimate_report import EstimateReport
    from gnomon.labels.label_counts import LabelStatus
    from gnomon.rollout.history.past_state import PastState
    from gnomon.rollout.quality.quality_report import QualityReport
    from gnomon.service.query_routes import Excuses, Tokens

__all__ = [
    "check_gates",
    "check_gates_on_history",
    "estimate_quality",
    "excuses",
    "export_audit",
    "history_at",
    "label_status",
    "measure_quality",
    "tokens",
    "wanted_labels",
]

T = TypeVar("T")


def label_status() -> HttpCall[LabelStatus]:
    """Return the call that counts labels."""
    return _ask("/gnomon/labels", _reading("gnomon.labels.label_counts", "LabelStatus"))


def check_gates(artifact: str | None) -> HttpCall[GateChecks]:
    """Return the call that evaluates the gates of an artifact, or of all shadows."""
    return _ask("/gnomon/gates", _reading("gnomon.api.log_query", "GateChecks"), artifact=artifact)


def check_gates_on_history(
    artifact: str, start: datetime | None, end: datetime | None
) -> HttpCall[CheckedGates]:
    """Return the call that replays an artifact and evaluates its gates."""
    return _ask(
        "/gnomon/gates/on-history",
        _reading("gnomon.api.log_query", "CheckedGates"),
        artifact=artifact,
        start=start,
        end=end,
    )


def measure_quality(
    artifact: str | None, start: datetime | None, end: datetime | None
) -> HttpCall[QualityReport]:
    """Return the call that compares shadows with live by labels."""
    return _ask(
        "/gnomon/quality",
        _reading("gnomon.rollout.quality.quality_report", "QualityReport"),
        artifact=artifact,
        start=start,
        end=end,
    )


def estimate_quality(
    artifact: str | None, start: datetime | None, end: datetime | None, chunk: timedelta | None
) -> HttpCall[EstimateReport]:
    """Return the call that estimates quality before labels are known."""
    return _ask(
        "/gnomon/quality/estimates",
        _reading("gnomon.estimates.estimate_report", "EstimateReport"),
        artifact=artifact,
        start=start,
        end=end,
        chunk_hours=None if chunk is None else chunk / timedelta(hours=1),
    )


def wanted_labels(
    artifact: str, rows: int, metric: str | None, start: datetime | None, end: datetime | None
) -> HttpCall[WantedLabels]:
    """Return the call for the rows whose labels would decide soonest."""
    return _ask(
        "/gnomon/labels/wanted",
        _reading("gnomon.api.log_query", "WantedLabels"),
        artifact=artifact,
        rows=rows,
        metric=metric,
        start=start,
        end=end,
    )


def export_audit(start: datetime | None, end: datetime | None) -> HttpCall[bytes]:
    """Return the call for the decisions as one file."""
    return _ask("/gnomon/audit", bytes, start=start, end=end)


def history_at(time: datetime) -> HttpCall[PastState]:
    """Return the call for what answered at a time."""
    return _ask(
        "/gnomon/history/at", _reading("gnomon.rollout.history.past_state", "PastState"), time=time
    )


def excuses() -> HttpCall[Excuses]:
    """Return the call for the excuses that were not ended."""
    return _ask("/gnomon/excuses", _reading("gnomon.service.query_routes", "Excuses"))


def tokens() -> HttpCall[Tokens]:
    """Return the call for the tokens of the deployment."""
    return _ask("/gnomon/tokens", _reading("gnomon.service.query_routes", "Tokens"))


def _ask(path: str, read: Callable[[bytes], T], **query: object) -> HttpCall[T]:
    """Return the call for what may take as long as a decision. Times are sent with an offset."""
    given = {name: _as_text(value) for name, value in query.items() if value is not None}
    return HttpCall(
        method="GET",
        path=f"{path}?{urlencode(given)}" if given else path,
        control=True,
        seconds=CONTROL_SECONDS,
        read=read,
    )


def _as_text(value: object) -> str:
    return value.astimezone().isoformat() if isinstance(value, datetime) else str(value)


def _reading(module: str, name: str) -> Callable[[bytes], Any]:
    """Return what reads an answer as a type, which is imported when there is one to read."""
    return lambda body: msgspec.json.decode(body, type=getattr(import_module(module), name))
