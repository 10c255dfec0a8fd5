"""Find why one column differs: one cause, or several on different rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal
from gnomon.skew.diagnosis.causes import CAUSES

__all__ = ["Explanation", "explain"]

_MOST_CAUSES = 3
_PART = 0.3
"""The share of the unexplained rows that a cause must account for, where there are several causes:
a pattern on fewer rows may be chance."""

_REST = 0.02
"""The share of differing rows that may stay unexplained."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The causes found in one column.

    Attributes:
        case: the column.
        found: proposals, each with the rows it accounts for.
        tried: all proposals, each with the rows it explains and the rows there were to explain.
    """

    case: Case
    found: tuple[tuple[Proposal, Mask], ...]
    tried: tuple[tuple[Proposal, int, int], ...] = ()

    @property
    def rest(self) -> Mask:
        """Rows that differ and that no cause explains."""
        rest: Mask = self.case.differs.copy()
        for _, rows in self.found:
            rest &= ~rows
        return rest

    @property
    def is_whole(self) -> bool:
        """Whether the causes account for (nearly) all differing rows of the column."""
        return bool(self.rest.sum() <= (1 - CONFIRMED) * self.case.differs.sum())


def explain(case: Case) -> Explanation:
    """Try the causes in order; if none explains all rows, take the best and repeat on the rest.

    For an output, a cause must explain all rows: the combined effect of several features has no
    clear pattern, and where many answers are 0 and 1, some always look rounded.
    """
    accepted: list[tuple[Proposal, Mask]] = []
    tried: list[tuple[Proposal, int, int]] = []
    rest = case.differs.copy()
    fewest = max(FEWEST_ROWS, _REST * case.differs.sum())
    while rest.sum() >= fewest and len(accepted) < _MOST_CAUSES:
        proposals = list(_proposals(case.of(rest)))
        best = _best(proposals, rest, 1.0 if case.kind == "output" else _PART)
        tried += [(p, int((p.explained & rest).sum()), int(rest.sum())) for p in proposals]
        if not best:
            break
        for proposal in best:
            accepted.append((proposal, proposal.explained & rest))
        rest &= ~best[0].explained
    return Explanation(case, tuple(accepted), tuple(tried))


def _proposals(case: Case) -> Iterator[Proposal]:
    """Yield the proposals of the causes, up to the first cause that accounts for every row."""
    enough = CONFIRMED * case.differs.sum()
    with np.errstate(all="ignore"):  # values are arbitrary; an overflow does not agree
        for cause in CAUSES:
            whole = False
            for proposal in cause(case):
                yield proposal
                whole |= bool((proposal.explained & case.differs).sum() >= enough)
            if whole:
                return


def _best(proposals: Sequence[Proposal], rest: Mask, part: float) -> list[Proposal]:
    """Return the proposal for all rows, or else the one for most, if that is at least ``part``."""
    whole = [p for p in proposals if (p.explained & rest).sum() >= CONFIRMED * rest.sum()]
    if whole:
        return [whole[0], whole[0].second] if whole[0].second else whole[:1]
    most = max(proposals, key=lambda p: int((p.explained & rest).sum()), default=None)
    if most is None or (most.explained & rest).sum() < part * rest.sum():
        return []
    return [most]
