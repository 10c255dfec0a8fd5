"""The counts of a shadow: structs that every file, report and answer about a shadow extends.

A field keeps its name from the feed's state on disk to the answer of ``GET /gnomon/status``. No
data library is imported here, because HTTP clients import this module too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self, TypeVar

import msgspec
from msgspec import structs

__all__ = [
    "CountsBeside",
    "Latency",
    "OpenGate",
    "ShadowCounts",
    "ShadowOutcomes",
    "ShadowReport",
    "added",
    "beside_each",
]

T = TypeVar("T", bound=msgspec.Struct)


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Milliseconds a worker spent on one batch, at two quantiles of the recent ones."""

    p50: float
    p99: float


class ShadowOutcomes(msgspec.Struct, frozen=True, kw_only=True):
    """The rows that a shadow has finished.

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
    """The finished rows of a shadow, and how its answers compare with live's.

    Attributes:
        compared: scored rows whose answer can be compared with live's.
        disagreed: compared rows beyond the policy's tolerance.
        decided: compared rows for which it is known whether their decision changes.
        flipped: compared rows whose decision changes.
    """

    compared: int = 0
    disagreed: int = 0
    decided: int = 0
    flipped: int = 0


class CountsBeside(ShadowCounts, frozen=True, kw_only=True, omit_defaults=True):
    """The finished rows of a shadow that one live artifact answered.

    Attributes:
        first: when the first of them arrived; None if there is none.
        last: the same of the last one.
    """

    first: datetime | None = None
    last: datetime | None = None

    def plus(self, other: CountsBeside) -> CountsBeside:
        """Return the counts of both."""
        return structs.replace(
            added((self, other)),
            first=min(filter(None, (self.first, other.first)), default=None),
            last=max(filter(None, (self.last, other.last)), default=None),
        )


def beside_each(parts: Iterable[Mapping[str, CountsBeside]]) -> dict[str, CountsBeside]:
    """Add up counts by live artifact."""
    total: dict[str, CountsBeside] = {}
    for part in parts:
        for live, counts in part.items():
            total[live] = total.get(live, CountsBeside()).plus(counts)
    return total


class OpenGate(msgspec.Struct, frozen=True, kw_only=True):
    """A gate of a shadow's promotion that is neither passed nor failed yet.

    Attributes:
        gate: its name.
        says: what was found, what is still needed, and about when it will be available.
        rows: rows still needed, if the gate waits for rows.
        seconds: time until these rows arrive, at the rate of the last minutes; None if no rows
            arrive.
        counted: of when the counts are that it was evaluated on: the oldest report of a running
            slice, seconds old; None where none was used.
    """

    gate: str
    says: str
    rows: int | None = None
    seconds: float | None = None
    counted: datetime | None = None


class ShadowReport(ShadowCounts, frozen=True, kw_only=True):
    """The counts of a shadow and its present state, as a feed, a slice and a server report them.

    Scored and failed are rows of the whole run of the shadow, as its accounts are. A feed counts
    compared rows and the rest in the same way; what a slice and a server report of these is
    :meth:`beside` the present live artifact, as are the gates.

    Attributes:
        against: the same counts by the artifact that was live, which changes with a promotion and
            a rollback.
        lagging: rows it still has to score.
        behind_seconds: how long ago the oldest of those arrived; 0 when there is none.
        latency_ms: its worker's time per batch; None before the first batch.
        error: what keeps it from scoring, or from comparing.
        open_gates: what a promotion still waits for, in the deployment, not in one slice.
    """

    against: dict[str, CountsBeside] = {}
    lagging: int = 0
    behind_seconds: float = 0.0
    latency_ms: Latency | None = None
    error: str | None = None
    open_gates: tuple[OpenGate, ...] = ()

    def count_eligible(self) -> int:
        """Return the number of eligible rows: exactly scored + failed + lagging."""
        return self.done + self.lagging

    def beside(self, live: str | None) -> Self:
        """Return this report with the comparison with one live artifact, and no other."""
        counts = self.against.get(live or "", CountsBeside())
        return structs.replace(
            self,
            compared=counts.compared,
            disagreed=counts.disagreed,
            decided=counts.decided,
            flipped=counts.flipped,
        )

    def reported(self) -> dict[str, Any]:
        """Return the fields common to all reports, to make another kind of report from this one."""
        return {name: getattr(self, name) for name in ShadowReport.__struct_fields__}

    def counts(self) -> dict[str, int]:
        """Return the counts of rows by name."""
        return {name: n for name, n in self.reported().items() if type(n) is int}


def added(parts: Sequence[T]) -> T:
    """Return the first of ``parts``, at least one, with the sum of all in each integer field."""
    counts = [name for name in parts[0].__struct_fields__ if type(getattr(parts[0], name)) is int]
    sums = {name: sum(getattr(part, name) for part in parts) for name in counts}
    return structs.replace(parts[0], **sums)
