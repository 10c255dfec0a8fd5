"""What can be asked about a deployment that only the complete log answers, and the answers.

:mod:`gnomon.api.query_process` answers them in another process. What a gateway imports is here: no
data library.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Self, TypeVar, cast

import msgspec

from gnomon.artifact.manifest import GivenTag
from gnomon.estimates.estimate_report import EstimateReport
from gnomon.labels.label_counts import LabelStatus
from gnomon.policy import Metric
from gnomon.rollout.gate import Gates, Verdict
from gnomon.rollout.quality.quality_report import QualityReport

__all__ = [
    "AnyLogQuery",
    "AuditBundle",
    "CheckGates",
    "CheckHistory",
    "CheckShadows",
    "CheckWatch",
    "CheckedGates",
    "CountLabels",
    "EstimateQuality",
    "ExportAudit",
    "GateChecks",
    "LogQuery",
    "MeasureQuality",
    "Unevaluated",
    "WantLabels",
    "WantedLabels",
    "reply_of",
]

T = TypeVar("T")

Time = Annotated[datetime, msgspec.Meta(tz=True)]


class CheckedGates(Gates, frozen=True, kw_only=True):
    """The gates of one shadow, and the verdict on all of them."""

    overall: Verdict = msgspec.field(name="verdict")

    @classmethod
    def of(cls, gates: Gates) -> Self:
        """Return gates with their verdict."""
        return cls(**msgspec.structs.asdict(gates), overall=gates.verdict)


class Unevaluated(msgspec.Struct, frozen=True, kw_only=True):
    """A shadow whose gates cannot be evaluated, such as before the first request was logged."""

    artifact: str
    error: str


class GateChecks(msgspec.Struct, frozen=True, kw_only=True):
    """The gates of the shadows that may replace live.

    Attributes:
        gates: of each shadow, in the order they were started.
        unevaluated: the shadows without, each with the reason.
    """

    gates: tuple[CheckedGates, ...]
    unevaluated: tuple[Unevaluated, ...] = ()


class WantedLabels(msgspec.Struct, frozen=True, kw_only=True):
    """The rows without a label whose labels would decide soonest, the most telling first.

    Attributes:
        rows: each with ``request_id``, ``row``, ``arrived``, the entity key and the event time,
            ``live_prediction``, ``shadow_prediction``, ``effect`` and an empty ``value``.
        columns: their names, in order, also if there are no rows.
    """

    rows: tuple[dict[str, Any], ...]
    columns: tuple[str, ...] = ()


class AuditBundle(msgspec.Struct, frozen=True, kw_only=True):
    """The decisions about a model as one file, which is not signed: a server has no key.

    Attributes:
        name: a name for the file.
        content: the file, a tar archive.
    """

    name: str
    content: bytes


class LogQuery(
    msgspec.Struct, Generic[T], frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True
):
    """A question. Two that are equal have the same answer.

    Attributes:
        failed: says that there is no answer.
        remedy: what to do if it takes too long.
    """

    failed: ClassVar[str]
    remedy: ClassVar[str]


class CheckGates(LogQuery[Gates], frozen=True, kw_only=True):
    """The gates of the promotion of an artifact."""

    failed = "the gates were not evaluated"
    remedy = "evaluate them without a limit: gnomon promote ARTIFACT --check"

    artifact: str


class CheckWatch(LogQuery[Gates], frozen=True, kw_only=True):
    """The gates of the watch window of the live artifact."""

    failed = CheckGates.failed
    remedy = "make the watch window shorter: it is all read again"


class CheckShadows(LogQuery[GateChecks], frozen=True, kw_only=True):
    """The gates of an artifact, or of all shadows that may replace live."""

    failed = CheckGates.failed
    remedy = (
        "ask for one artifact, or evaluate them without a limit: gnomon promote ARTIFACT --check"
    )

    artifact: GivenTag | None = None


class CheckHistory(LogQuery[CheckedGates], frozen=True, kw_only=True):
    """The gates of an artifact that is replayed over logged requests."""

    failed = CheckGates.failed
    remedy = (
        "ask for a shorter range, or evaluate them without a limit: gnomon promote ARTIFACT "
        "--check --on-history START..END"
    )

    artifact: GivenTag
    start: Time | None = None
    end: Time | None = None


class CountLabels(LogQuery[LabelStatus], frozen=True, kw_only=True):
    """How many answers have labels, and what became of all labels."""

    failed = "the labels were not counted"
    remedy = "count them without a limit: gnomon labels status"


class MeasureQuality(LogQuery[QualityReport], frozen=True, kw_only=True):
    """The quality of a shadow, or of all running ones, beside live's, by labels."""

    failed = "the quality was not measured"
    remedy = "ask for a shorter range, or measure it without a limit: gnomon quality"

    artifact: GivenTag | None = None
    start: Time | None = None
    end: Time | None = None


class EstimateQuality(LogQuery[EstimateReport], frozen=True, kw_only=True):
    """The quality of an artifact, or of live and its shadows, estimated before labels are known."""

    failed = "the quality was not estimated"
    remedy = "ask for a shorter range, or estimate it without a limit: gnomon quality --estimate"

    artifact: GivenTag | None = None
    start: Time | None = None
    end: Time | None = None
    chunk_hours: Annotated[float, msgspec.Meta(gt=0, le=87_600)] | None = None


class WantLabels(LogQuery[WantedLabels], frozen=True, kw_only=True):
    """The rows whose labels would decide on a shadow soonest."""

    failed = "the rows were not found"
    remedy = "ask for a shorter range, or find them without a limit: gnomon labels wanted"

    artifact: GivenTag
    rows: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 200
    metric: Metric | None = None
    start: Time | None = None
    end: Time | None = None


class ExportAudit(LogQuery[AuditBundle], frozen=True, kw_only=True):
    """The decisions about the model as one file."""

    failed = "the decisions were not exported"
    remedy = "export them without a limit: gnomon audit export"

    start: Time | None = None
    end: Time | None = None


AnyLogQuery = (
    CheckGates
    | CheckWatch
    | CheckShadows
    | CheckHistory
    | CountLabels
    | MeasureQuality
    | EstimateQuality
    | WantLabels
    | ExportAudit
)

_REPLIES: dict[type[LogQuery[Any]], type[Any]] = {
    CheckGates: Gates,
    CheckWatch: Gates,
    CheckShadows: GateChecks,
    CheckHistory: CheckedGates,
    CountLabels: LabelStatus,
    MeasureQuality: QualityReport,
    EstimateQuality: EstimateReport,
    WantLabels: WantedLabels,
    ExportAudit: AuditBundle,
}


def reply_of(query: LogQuery[T]) -> type[T]:
    """Return the type of the answer to a question."""
    return cast("type[T]", _REPLIES[type(query)])
