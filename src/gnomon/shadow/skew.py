"""The last word of replay on an artifact: how many rows came out otherwise offline than online."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from gnomon.shadow.storage import Storage

__all__ = ["FORMAT", "Skew", "read", "write"]

FORMAT = 1


class Skew(msgspec.Struct, frozen=True, kw_only=True):
    """One replay or offline comparison of one artifact, as a gate needs it.

    Attributes:
        format: the version of this file's format.
        artifact: the tag.
        digest: its manifest hash; a verdict on other bytes is none on these.
        rows: rows compared.
        disagreed: of those, rows that came out otherwise.
        at: when.
        report: where the whole report is.
    """

    format: int = FORMAT
    artifact: str
    digest: str
    rows: int
    disagreed: int
    at: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))
    report: str | None = None


def write(storage: Storage, skew: Skew) -> None:
    """Replace what was known of this artifact."""
    storage.write(_name(skew.artifact), msgspec.json.encode(skew))


def read(storage: Storage, artifact: str) -> Skew | None:
    """What is known of an artifact; None if it was never replayed (by this version)."""
    content = storage.read(_name(artifact))
    try:
        skew = msgspec.json.decode(content, type=Skew) if content else None
    except msgspec.DecodeError:
        return None
    return skew if skew is not None and skew.format == FORMAT else None


def _name(artifact: str) -> str:
    model, _, version = artifact.partition(":")
    return f"skew/{model}/{version}.json"
