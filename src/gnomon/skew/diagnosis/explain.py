"""Why one column differs: one cause, or several on different rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal
from gnomon.skew.diagnosis.causes import CAUSES

__all__ = ["Explanation", "explain"]

_MOST_CAUSES = 3
_PART = 0.3
"""The share of the rows still to be explained that a cause must account for, where there are
several: a pattern on fewer may be chance."""

_REST = 0.02
"""The share of differing rows that is left alone."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The causes found in one column.

    Attributes:
        case: the column.
        found: proposals and the rows each of them accounts for.
        tried: causes that recognised themselves on some rows, and on how many of how many.
    """

    case: Case
    found: tuple[tuple[Proposal, Mask], ...]
    tried: tuple[tuple[Proposal, int, int], ...] = ()

    @property
    def rest(self) -> Mask:
        """Rows that differ for no reason that was found."""
        left: Mask = self.case.differs.copy()
        for _, rows in self.found:
            left &= ~rows
        return left

    @property
    def is_whole(self) -> bool:
        """Whether the causes account for the column."""
        return bool(self.rest.sum() <= (1 - CONFIRMED) * self.case.differs.sum())


def explain(case: Case) -> Explanation:
    """Try the causes in order; where none accounts for all rows, the one that does for most, and
    then again on the rest.

    Of an answer nothing but all rows will do: what several features did to it has no pattern of its
    own, and where many answers are 0 and 1, some always look rounded.
    """
    found: list[tuple[Proposal, Mask]] = []
    tried: list[tuple[Proposal, int, int]] = []
    rest = case.differs.copy()
    fewest = max(FEWEST_ROWS, _REST * case.differs.sum())
    while rest.sum() >= fewest and len(found) < _MOST_CAUSES:
        met = list(_proposals(case.of(rest)))
        best = _best(met, rest, 1.0 if case.kind == "output" else _PART)
        tried += [(p, int((p.explained & rest).sum()), int(rest.sum())) for p in met]
        if not best:
            break
        for proposal in best:
            found.append((proposal, proposal.explained & rest))
        rest &= ~best[0].explained
    return Explanation(case, tuple(found), tuple(tried))


def _proposals(case: Case) -> Iterator[Proposal]:
    """What the causes say, up to the first that accounts for every row."""
    enough = CONFIRMED * case.differs.sum()
    with np.errstate(all="ignore"):  # values may be anything; what overflows does not agree
        for cause in CAUSES:
            whole = False
            for proposal in cause(case):
                yield proposal
                whole |= bool((proposal.explained & case.differs).sum() >= enough)
            if whole:
                return


def _best(met: Sequence[Proposal], rest: Mask, part: float) -> list[Proposal]:
    """What accounts for all rows, else the one that accounts for most of them, and for a part."""
    whole = [p for p in met if (p.explained & rest).sum() >= CONFIRMED * rest.sum()]
    if whole:
        return [whole[0], whole[0].beside] if whole[0].beside else whole[:1]
    most = max(met, key=lambda p: int((p.explained & rest).sum()), default=None)
    if most is None or (most.explained & rest).sum() < part * rest.sum():
        return []
    return [most]
