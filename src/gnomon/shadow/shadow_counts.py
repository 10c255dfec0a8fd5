"""The counts of a shadow: one struct, extended by every file, report and answer about a shadow.

A field keeps its name from the feed's state on disk to the answer of ``GET /gnomon/status``. No
data library is imported here: clients read the last of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from msgspec import structs

__all__ = ["Latency", "OpenGate", "ShadowCounts", "ShadowOutcomes", "ShadowReport", "added"]

T = TypeVar("T", bound=msgspec.Struct)


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds a worker spent on one batch, at two quantiles of the recent ones."""

    p50: float
    p99: float


class ShadowOutcomes(msgspec.Struct, frozen=True, kw_only=True):
    """Rows a shadow is done with.

    Attributes:
        scored: rows it answered.
        failed: rows it failed on, crashes included.
    """

    scored: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        """Rows that are no longer lagging."""
        return self.scored + self.failed


class ShadowCounts(ShadowOutcomes, frozen=True, kw_only=True):
    """And how its answers compare with live's.

    Attributes:
        compared: scored rows whose answer compares with live's.
        disagreed: of those, the rows beyond the policy's tolerance.
        decided: of those, the rows of which is known whether their decision changes.
        flipped: of those, the rows whose decision changes.
    """

    compared: int = 0
    disagreed: int = 0
    decided: int = 0
    flipped: int = 0


class OpenGate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate of a shadow's promotion that is neither passed nor failed yet.

    Attributes:
        gate: its name.
        says: what was found, what is still needed, and about when that is there.
        rows: rows still needed, where rows decide it.
        seconds: until these have come, at the rate of the last minutes; None where none come.
    """

    gate: str
    says: str
    rows: int | None = None
    seconds: float | None = None


class ShadowReport(ShadowCounts, frozen=True, kw_only=True):
    """And what it has still to do: what a feed, its slice and a server each say of a shadow.

    Attributes:
        lagging: rows it has still to score.
        behind_seconds: how long ago the oldest of those arrived; 0 when there is none.
        latency_ms: its worker's time per batch; None before the first batch.
        error: what keeps it from scoring, or from comparing.
        open_gates: what a promotion still waits for; of the deployment, not of one slice.
    """

    lagging: int = 0
    behind_seconds: float = 0.0
    latency_ms: Latency | None = None
    error: str | None = None
    open_gates: tuple[OpenGate, ...] = ()

    def count_eligible(self) -> int:
        """Rows it has to score: scored, failed and lagging, to the row."""
        return self.done + self.lagging

    def reported(self) -> dict[str, Any]:
        """The fields that every report has, to make another kind of report from this one."""
        return {name: getattr(self, name) for name in ShadowReport.__struct_fields__}

    def counts(self) -> dict[str, int]:
        """Rows by outcome."""
        return {name: n for name, n in self.reported().items() if type(n) is int}


def added(parts: Sequence[T]) -> T:
    """The first of at least one, with every whole number added up over all."""
    counts = [name for name in parts[0].__struct_fields__ if type(getattr(parts[0], name)) is int]
    sums = {name: sum(getattr(part, name) for part in parts) for name in counts}
    return structs.replace(parts[0], **sums)
