"""The accounts of a log, which balance if every row received, and every row that a shadow had to
score, has one outcome.

For live: received = answered + rejected + failed + timed out + shed. For each shadow:
eligible = scored + failed + lagging. Left and right sides are counted independently: received from
the row numbers of each request, eligible from the live rows by the shadow's sampling.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Self

import msgspec
from msgspec import structs

from gnomon.log.segments.schema import LIVE_OUTCOMES
from gnomon.quantities import plural
from gnomon.shadow.shadow_counts import ShadowOutcomes, added

__all__ = ["LiveAccounts", "LogAccounts", "SealedAccounts", "ShadowAccounts"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LiveAccounts:
    """The live side, in rows.

    Attributes:
        requests: the number of requests.
        received: the rows in them.
        outcomes: rows by outcome.
        repeated: rows that are logged more than once.
    """

    requests: int
    received: int
    outcomes: Mapping[str, int]
    repeated: int

    @property
    def balanced(self) -> bool:
        """Whether every row received has one outcome."""
        counted = sum(self.outcomes.get(outcome, 0) for outcome in LIVE_OUTCOMES)
        return self.received == counted and self.repeated == 0

    def explain(self) -> Iterator[str]:
        """Yield the equation, and then what is wrong with it."""
        terms = [f"{self.outcomes.get(name, 0):,} {name}" for name in LIVE_OUTCOMES]
        sign = "=" if self.balanced else "≠"
        received = f"{plural(self.received, 'row')} received"
        yield f"live: {received} {sign} {' + '.join(terms)}".replace("_", " ")
        yield from _complaint(self.repeated, "logged more than once")
        for name, rows in self.outcomes.items():
            if name not in LIVE_OUTCOMES:
                yield from _complaint(rows, f"of an unknown outcome `{name}`")


class ShadowAccounts(ShadowOutcomes, frozen=True, kw_only=True):
    """One shadow, in rows, over all slices.

    Attributes:
        artifact: its tag.
        eligible: live rows that it had to score.
        lagging: rows it has not read yet.
        lagging_in: lagging rows by slice, for slices that have any.
        missing: rows that it has read but not recorded.
        repeated: rows that it recorded more than once.
        strange: rows that it recorded although they were not eligible.
    """

    artifact: str
    eligible: int = 0
    lagging: int = 0
    lagging_in: dict[str, int] = msgspec.field(default_factory=dict)
    missing: int = 0
    repeated: int = 0
    strange: int = 0

    @property
    def balanced(self) -> bool:
        """Whether every eligible row was scored once, failed once, or is still to be read."""
        misrecorded = self.missing or self.repeated or self.strange
        return not misrecorded and self.eligible == self.done + self.lagging

    def explain(self) -> Iterator[str]:
        """Yield the equation, and then what is wrong with it."""
        sign = "=" if self.balanced else "≠"
        yield (
            f"shadow {self.artifact}: {plural(self.eligible, 'row')} eligible "
            f"{sign} {self.scored:,} scored + {self.failed:,} failed + {self.lagging:,} lagging"
        )
        for slice_name, rows in self.lagging_in.items():
            yield from _complaint(rows, f"lagging in slice {slice_name}")
        yield from _complaint(self.missing, "read and not recorded")
        yield from _complaint(self.repeated, "recorded more than once")
        yield from _complaint(self.strange, "recorded and not eligible")

    def plus(self, other: Self) -> Self:
        """Return the sum of this shadow's accounts in two slices."""
        lagging_in = {**self.lagging_in, **other.lagging_in}
        return structs.replace(added((self, other)), lagging_in=lagging_in)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SealedAccounts:
    """One stream of the sealed table, in rows, compared with the sealer's ledger.

    Attributes:
        stream: its slice and name, ``<slice>/<stream>``.
        sealed: rows that were sealed, less those that retention removed.
        found: rows that the table has.
        lost: rows known to be lost, as ``gnomon log repair`` recorded.
        behind: whether the ledger is older than the table, so that it lacks rows sealed since.
        begun: how many folders the stream has had in the spool. Rows of an earlier folder that
            were not sealed are lost; their number is unknown, so no count here includes them.
    """

    stream: str
    sealed: int
    found: int
    lost: int = 0
    behind: bool = False
    begun: int = 1

    @property
    def balanced(self) -> bool:
        """Whether every row that was sealed is in the table once, or is known to be lost."""
        return self.sealed == self.found + self.lost and not self.behind

    def explain(self) -> Iterator[str]:
        """Yield what is wrong, if anything is, and what is known to be lost."""
        if self.behind:
            yield (
                f"sealed {self.stream}: {_were(self.sealed)} sealed by a ledger that is older "
                f"than the table, which has {self.found:,}: gnomon log repair counts it again"
            )
        elif not self.balanced:
            yield f"sealed {self.stream}: {_were(self.sealed)} sealed ≠ {self.found:,} found"
            missing = self.sealed - self.found - self.lost
            yield from _complaint(max(missing, 0), "missing from the sealed log")
            yield from _complaint(max(-missing, 0), "in the sealed log more than once")
        elif self.lost or self.begun > 1:
            yield f"sealed {self.stream}: {_were(self.sealed)} sealed"
        yield from _complaint(self.lost, "lost, as gnomon log repair has noted")
        if self.begun > 1:
            yield (
                f"  its folder in the spool was lost or replaced {_times(self.begun - 1)}: rows "
                "that were there and not sealed are not counted here"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogAccounts:
    """The accounts of one model's log.

    Attributes:
        live: the accounts of the clients' requests.
        shadows: the accounts of each shadow.
        sealed: the accounts of each stream of the sealed table.
        damaged: segments that ``gnomon log repair`` could not read completely, with the number of
            bytes lost. No other number here includes the requests in them.
    """

    live: LiveAccounts
    shadows: tuple[ShadowAccounts, ...]
    sealed: tuple[SealedAccounts, ...] = ()
    damaged: Mapping[str, int] = dataclasses.field(default_factory=dict)

    @property
    def balanced(self) -> bool:
        """Whether all accounts balance, to the row."""
        return all(part.balanced for part in self._parts)

    def explain(self) -> str:
        """Return the equations, one per line, each followed by what is wrong with it."""
        lines = [line for part in self._parts for line in part.explain()]
        for segment, size in self.damaged.items():
            noun = "byte" if size == 1 else "bytes"
            lines.append(
                f"lost to damage: {size:,} {noun} of {segment}, as gnomon log repair noted"
            )
        return "\n".join(lines)

    @property
    def _parts(self) -> list[LiveAccounts | ShadowAccounts | SealedAccounts]:
        return [self.live, *self.shadows, *self.sealed]


def _were(rows: int) -> str:
    return "1 row was" if rows == 1 else f"{rows:,} rows were"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _complaint(rows: int, what: str) -> Iterator[str]:
    if rows:
        yield f"  {rows:,} {'row is' if rows == 1 else 'rows are'} {what}"
