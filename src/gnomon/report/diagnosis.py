"""Where and why the two sides of a report differ: the walk, the ladder and the diagnosis."""

from __future__ import annotations

from typing import Literal

import msgspec

from gnomon.report.counts import Column, Share

__all__ = ["Diagnosis", "Rung", "Swap", "Walk"]


class Walk(msgspec.Struct, frozen=True, kw_only=True):
    """The same rows traced through the pipeline, step by step, in the order of computation.

    Attributes:
        rows: how many rows were traced: a sample of those compared.
        diverged: how many of them diverge in the outputs.
        reproduced: rows whose logged outputs were reproduced, bit for bit, when run again.
        lost: rows of the sample that could not be run again.
        columns: features, step columns, then outputs: those that both sides have, in pipeline
            order; counts are of the traced rows.
        first: the first column that differs; None if no column does.
    """

    rows: int
    diverged: int
    reproduced: int
    columns: tuple[Column, ...]
    first: str | None = None
    lost: int = 0


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """Where the two sides differ and, if it could be confirmed, why.

    Attributes:
        verdict: ``confirmed`` when undoing the named cause removed the mismatch; ``described`` when
            it is known how the two sides differ, and the cause is not, or is one of several; else
            ``unknown``.
        column: the first column that differs.
        step: the step that computes it; empty for a feature as it was sent.
        cause: the cause's name, or that of the description; ``unknown`` without either.
        sentence: the finding in one plain sentence.
        evidence: what was tried and observed, in plain sentences.
        action: what to do about it.
        repaired: of the rows that differ, how many agree once the cause is undone.
        columns: other columns that differ for the same reason.
        accounts: of the rows that diverge, how many do because of this: their answers still differ
            with everything else repaired.
        moves: how far the score moves on those rows when this is repaired, on average.
        segment: a value that the differing rows share, such as ``carrier is AA``; None if they
            share none.
        since: the time from which they differ, ISO 8601 in UTC; None if from the start.
        also: further causes, as separate diagnoses; those that account for fewer rows come later.
    """

    verdict: Literal["confirmed", "described", "unknown"]
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
        """The names of all confirmed causes, the main one first."""
        return tuple(d.cause for d in (self, *self.also) if d.verdict == "confirmed")

    @property
    def name(self) -> str | None:
        """The column's name without its step."""
        if self.column is None or not self.step:
            return self.column
        return self.column.rpartition("/")[2]


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One rung of the replay ladder: the same rows, run in a different way.

    Attributes:
        name: ``R0`` to ``R5``.
        what: how they were run.
        rows: how many rows were run.
        as_left: rows whose answers equal those of the left side.
        as_right: rows whose answers equal those of the right side; None if it has no answers.
    """

    name: str
    what: str
    rows: int
    as_left: int
    as_right: int | None = None


class Swap(msgspec.Struct, frozen=True, kw_only=True):
    """The effect on the answers of setting one column alone to the right side's values.

    Attributes:
        back: of the rows that diverge, how many then agree.
        flips_back: rows whose decision differed and no longer does.
        apart: the mean of each row's largest absolute difference before.
        left: the same mean after.
    """

    column: str
    back: Share
    flips_back: int
    apart: float
    left: float
