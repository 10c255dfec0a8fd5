"""Where the two sides of a report part, and why: the walk, the ladder and the diagnosis."""

from __future__ import annotations

from typing import Literal

import msgspec

from gnomon.report.counts import Column, Share

__all__ = ["Diagnosis", "Rung", "Swap", "Walk"]


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """The same rows followed through the pipeline, step by step, in the order they are computed.

    Attributes:
        rows: rows followed: a sample of those compared.
        diverged: how many of them diverge in the outputs.
        reproduced: rows whose logged outputs came out again, bit for bit, when re-run.
        lost: rows of the sample that could not be run again.
        columns: features, every step's columns, then outputs: those that both sides have, in
            pipeline order; counts are of the rows followed.
        first: the first column that differs; None when none does.
    """

    rows: int
    diverged: int
    reproduced: int
    columns: tuple[Column, ...]
    first: str | None = None
    lost: int = 0


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Where the two sides part, and why if that could be confirmed.

    Attributes:
        verdict: ``confirmed`` when undoing the named cause made the mismatch vanish; else
            ``unknown``.
        column: the first column that differs.
        step: the step it comes out of; empty for a feature as it was sent.
        cause: the cause's name, ``unknown`` when nothing was confirmed.
        sentence: the finding in one plain sentence.
        evidence: what was tried and seen, in plain sentences.
        action: what to do about it.
        repaired: of the rows that differ, how many agree once the cause is undone.
        columns: other columns that differ for the same reason.
        accounts: of the rows that diverge, how many do because of this: with everything else
            repaired their answers still differ.
        moves: how far the score moves on those rows when this is repaired, on average.
        segment: what the rows that differ share, such as ``carrier is AA``; None where they are
            anywhere.
        since: from when on they differ, ISO 8601 in UTC; None where they always did.
        also: further causes, each on its own; those that account for fewer rows come later.
    """

    verdict: Literal["confirmed", "unknown"]
    column: str | None
    step: str
    cause: str
    sentence: str
    evidence: tuple[str, ...] = ()
    action: str = ""
    repaired: Share | None = None
    columns: tuple[str, ...] = ()
    accounts: Share | None = None
    moves: float | None = None
    segment: str | None = None
    since: str | None = None
    also: tuple[Diagnosis, ...] = ()

    @property
    def causes(self) -> tuple[str, ...]:
        """The names of all causes that were confirmed, the first one first."""
        return tuple(d.cause for d in (self, *self.also) if d.verdict == "confirmed")

    @property
    def name(self) -> str | None:
        """The column's name without its step."""
        if self.column is None or not self.step:
            return self.column
        return self.column.rpartition("/")[2]


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of the replay ladder: the same rows, run in another way.

    Attributes:
        name: ``R0`` to ``R5``.
        what: how they were run.
        rows: how many.
        as_left: rows that came out as the left side has them.
        as_right: rows that came out as the right side has them; None where it has no answers.
    """

    name: str
    what: str
    rows: int
    as_left: int
    as_right: int | None = None


class Swap(msgspec.Struct, frozen=True, kw_only=True):
    """What answers do when one column alone is set to the right side's values.

    Attributes:
        back: of the rows that diverge, how many then agree.
        flips_back: rows whose decision differed and no longer does.
        apart: the mean of each row's largest absolute difference before.
        left: and after.
    """

    column: str
    back: Share
    flips_back: int
    apart: float
    left: float
