"""The last replay or comparison of an artifact, for the skew gate: how many rows differ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gnomon.compare.units import UnitGroups
from gnomon.formats import Format, decode
from gnomon.storage import Storage

if TYPE_CHECKING:
    from gnomon.report import Report

__all__ = ["FORMAT", "SkewRecord", "read", "record", "write"]

FORMAT = 1

_KIND = Format("skew verdict", FORMAT, hint="replay or compare the artifact, which replaces it")


class SkewRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One replay or offline comparison of one artifact, as a gate needs it.

    Attributes:
        format: the version of this file's format.
        artifact: the tag.
        digest: its manifest hash; a verdict does not apply to an artifact with another hash.
        rows: rows compared.
        disagreed: of those, rows that differ.
        by_unit: how many entities or requests have how many of them; None in a record of a version
            that did not count them.
        at: when it was recorded.
        report: where the full report is.
    """

    format: int = FORMAT
    artifact: str
    digest: str
    rows: int
    disagreed: int
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    report: str | None = None
    by_unit: UnitGroups | None = None


def record(storage: Storage, report: Report, page: str) -> None:
    """Record the result of a report for the skew gate, if it is a result about the artifact.

    A replay through another artifact is about that other artifact, and an inconclusive report is
    not a result: after either, the previous record is kept.

    Args:
        storage: where the gate looks.
        report: the report of a replay, or of a comparison with an offline table.
        page: where the report is stored.
    """
    subject = report.subject
    is_replay_through_another = report.kind == "replay" and report.against != subject.artifact
    if is_replay_through_another or report.verdict == "unknown":
        return
    skew = SkewRecord(
        artifact=subject.artifact,
        digest=subject.digest,
        rows=report.divergence.of,
        disagreed=report.divergence.rows,
        report=page,
        by_unit=report.by_unit,
    )
    write(storage, skew)


def write(storage: Storage, skew: SkewRecord) -> None:
    """Write the record of an artifact, replacing the previous one."""
    storage.write(_name(skew.artifact), msgspec.json.encode(skew))


def read(storage: Storage, artifact: str) -> SkewRecord | None:
    """Read the record of an artifact; None if it was never replayed.

    Raises:
        NewerFormat: a newer version of Gnomon replayed it.
        UnreadableFile: the file is damaged.
    """
    name = _name(artifact)
    content = storage.read(name)
    return None if content is None else decode(content, SkewRecord, _KIND, name)


def _name(artifact: str) -> str:
    model, _, version = artifact.partition(":")
    return f"skew/{model}/{version}.json"
