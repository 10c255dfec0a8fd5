"""Find why one column differs: one cause, or several on different rows.

A cause is believed only if it can be wrong. Its parameters are fitted on half of the rows that
differ, and it must hold on the other half. If it relates two values of a row, it must not hold as
well between the values of different rows. Of the causes that hold, one that says why the other
rows agree is preferred to one that was at work on some rows and not on others; then the one with
fewer parameters. Where two are equally good, both are said and neither is confirmed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from gnomon.skew.diagnosis.case import CONFIRMED, FEWEST_ROWS, Case, Mask, Proposal
from gnomon.skew.diagnosis.causes import CAUSES, LOOSE, OF_A_CURVE, SHAPES, SLOW, Cause

__all__ = ["Explanation", "Found", "explain"]

_MOST_CAUSES = 3
_PART = 0.3
"""The share of the unexplained rows that a cause must account for, where there are several causes:
a pattern on fewer rows may be chance."""

_NEARLY = 0.9
"""A cause of this share of the rows says more than noise on all of them."""

_REST = 0.02
"""The share of differing rows that may stay unexplained."""

_BY_CHANCE = 1e-6
"""A relation between the values of a row is no evidence if it would hold on so many rows with a
larger probability than this, were the values of one side exchanged between rows."""

_FEWEST_PAIRS = 5
"""Distinct pairs of numbers that a cause on a part of the rows must relate: many rows of few pairs
are few observations."""


class Proof(NamedTuple):
    """How a proposal was held against rows that it had not seen.

    Attributes:
        seen: rows that differ and that it was fitted on.
        unseen: the others that differ.
        predicted: on how many of the unseen it holds.
        agreeing: rows that agree, in more than being null on both sides.
        kept: on how many of these it holds.
    """

    seen: int
    unseen: int
    predicted: int
    agreeing: int
    kept: int


@dataclass(frozen=True, slots=True)
class Found:
    """A proposal that was believed.

    Attributes:
        proposal: the cause, or the description of a relation.
        rows: the rows it accounts for.
        proof: why it was.
        is_everywhere: whether it also holds on the rows that agree.
        rivals: other proposals that hold as well.
        is_repeated: the same cause was found on other rows, with other parameters.
    """

    proposal: Proposal
    rows: Mask
    proof: Proof
    is_everywhere: bool
    rivals: tuple[Proposal, ...] = ()
    is_repeated: bool = False

    @property
    def is_confirmed(self) -> bool:
        """Whether it is a cause and the only one."""
        return self.proposal.is_named and not self.rivals and not self.is_repeated


@dataclass(frozen=True, slots=True)
class Explanation:
    """The causes found in one column.

    Attributes:
        case: the column.
        found: what was believed.
        tried: all proposals, each with the rows it explains and the rows there were to explain.
    """

    case: Case
    found: tuple[Found, ...]
    tried: tuple[tuple[Proposal, int, int], ...] = ()

    @property
    def rest(self) -> Mask:
        """Rows that differ and that no cause explains."""
        rest: Mask = self.case.differs.copy()
        for found in self.found:
            rest &= ~found.rows
        return rest

    @property
    def is_whole(self) -> bool:
        """Whether the causes account for (nearly) all differing rows of the column."""
        return bool(self.rest.sum() <= (1 - CONFIRMED) * self.case.differs.sum())


def explain(case: Case) -> Explanation:
    """Try the causes; if none explains all rows, take the best and repeat on the rest.

    For an output, a cause must explain all rows: the combined effect of several features has no
    clear pattern, and where many answers are 0 and 1, some always look rounded.
    """
    accepted: list[Found] = []
    tried: list[tuple[Proposal, int, int]] = []
    rest = case.differs.copy()
    fewest = max(FEWEST_ROWS, _REST * case.differs.sum())
    while rest.sum() >= fewest and len(accepted) < _MOST_CAUSES:
        trials = _Trials(case.of(rest, _half(rest)))
        tried += [(t.proposal, int(t.explained.sum()), int(rest.sum())) for t in trials.of_causes]
        best = trials.best(1.0 if case.kind == "output" else _PART)
        if best is None:
            break
        accepted += _with_second(best)
        rest &= ~best.rows
    return Explanation(case, tuple(_marked(accepted)), tuple(tried))


def _marked(accepted: Sequence[Found]) -> Iterator[Found]:
    """Mark what was found twice: 1 higher here and 1 lower there has a cause behind both."""
    times = Counter(found.proposal.cause for found in accepted)
    for found in accepted:
        again = times[found.proposal.cause] > 1 and not found.proposal.of_one_side
        yield replace(found, is_repeated=again)


def _half(rows: Mask) -> Mask:
    """Return half of some rows, drawn by lot; the same half each time."""
    half: Mask = np.zeros(len(rows), dtype=bool)
    places = np.random.default_rng(len(rows)).permutation(np.flatnonzero(rows))
    half[places[: (len(places) + 1) // 2]] = True
    return half


def _with_second(found: Found) -> list[Found]:
    second = found.proposal.second
    return [found] if second is None else [found, replace(found, proposal=second)]


@dataclass(frozen=True)
class _Trial:
    """A proposal that was fitted on some rows, held against the others.

    Attributes:
        cause: what proposed it.
        proposal: what was proposed.
        case: the rows.
    """

    cause: Cause
    proposal: Proposal
    case: Case

    @property
    def explained(self) -> Mask:
        """Rows that differ and on which it holds."""
        return self.proposal.holds & self.case.differs

    @cached_property
    def proof(self) -> Proof:
        """On how many rows it holds that it was fitted on, and on others."""
        holds, case = self.proposal.holds, self.case
        unseen = case.differs & ~case.fitted
        agreeing = case.agrees & ~(case.left_null & case.right_null)
        return Proof(
            seen=int(case.fitted.sum()),
            unseen=int(unseen.sum()),
            predicted=int((holds & unseen).sum()),
            agreeing=int(agreeing.sum()),
            kept=int((holds & agreeing).sum()),
        )

    @property
    def is_whole(self) -> bool:
        """Whether it explains (nearly) all rows, those that it was not fitted on too."""
        proof = self.proof
        explained = self.explained.sum() >= CONFIRMED * (proof.seen + proof.unseen)
        return bool(explained and proof.predicted >= CONFIRMED * proof.unseen > 0)

    @property
    def is_everywhere(self) -> bool:
        """Whether it holds on the rows that agree, too, and so says why they do."""
        return self.proof.kept >= CONFIRMED * self.proof.agreeing

    @property
    def leaves_open(self) -> tuple[bool, int]:
        """Of how many rows it does not say why they agree: none, under a quarter, half, more."""
        kept = self.proof.kept / self.proof.agreeing if self.proof.agreeing else 1.0
        return not self.is_everywhere, 2 - round(2 * kept)

    @property
    def rank(self) -> tuple[tuple[bool, int], int]:
        """What is preferred among those that explain the same rows, the least first."""
        return self.leaves_open, self.proposal.parameters

    def is_as_good_as(self, other: _Trial) -> bool:
        """Whether nothing but its place in the order tells which of two is right."""
        return (
            self.is_everywhere == other.is_everywhere
            and self.proposal.parameters == other.proposal.parameters
            and self.proposal.cause != other.proposal.cause
        )

    @property
    def is_by_chance(self) -> bool:
        """Whether it holds as well between the values of different rows."""
        if self.proposal.of_one_side:
            return False
        placebo = self.case.exchanged()
        holding = [p.holds & placebo.differs for p in self.cause(placebo)]
        most = max((int(holds.sum()) for holds in holding), default=0)
        explained = int(self.explained.sum())
        return bool((most / explained) ** explained > _BY_CHANCE) if explained else True

    @property
    def has_enough_pairs(self) -> bool:
        """Whether it relates enough distinct pairs of numbers."""
        if self.proposal.of_one_side or not self.case.is_numeric:
            return True
        left, right = (
            side[self.explained] for side in (self.case.left_numbers, self.case.right_numbers)
        )
        return len(np.unique(np.c_[left, right], axis=0)) >= _FEWEST_PAIRS

    def found(self, rivals: Sequence[Proposal] = ()) -> Found:
        """Return it as believed."""
        return Found(self.proposal, self.explained, self.proof, self.is_everywhere, tuple(rivals))


@dataclass(frozen=True)
class _Trials:
    """All that is proposed for the rows of a case."""

    case: Case

    @cached_property
    def of_causes(self) -> list[_Trial]:
        return list(self._of(CAUSES))

    @cached_property
    def of_shapes(self) -> list[_Trial]:
        return list(self._of(SHAPES))

    def best(self, part: float) -> Found | None:
        """Return what explains all rows best, else what explains most, if at least a part."""
        whole = self._whole()
        if whole is not None and whole.proposal.parameters >= LOOSE:
            return self._most(_NEARLY) or whole
        return whole or self._most(part)

    def _whole(self) -> Found | None:
        """Return the best of those that explain all rows.

        A description of the relation is preferred only where it says of more rows why they agree
        than any cause does.
        """
        causes = [t for t in self.of_causes if t.is_whole]
        shapes: list[_Trial] = []
        if not any(trial.is_everywhere for trial in causes):
            least = min((trial.leaves_open for trial in causes), default=None)
            shapes = [
                t
                for t in self.of_shapes
                if t.is_whole
                and (
                    least is None
                    or t.is_everywhere
                    or (t.leaves_open < least and t.proposal.parameters < OF_A_CURVE)
                )
            ]
        ranked = sorted([*causes, *shapes], key=lambda trial: trial.rank)
        for place, trial in enumerate(ranked):
            if trial.is_by_chance:
                continue
            rivals = [
                t.proposal
                for t in ranked[place + 1 :]
                if t.is_as_good_as(trial) and not t.is_by_chance
            ]
            return trial.found(rivals)
        return None

    def _most(self, part: float) -> Found | None:
        fewest = max(part * self.case.differs.sum(), FEWEST_ROWS)
        trials = [t for t in self.of_causes if t.explained.sum() >= fewest]
        for trial in sorted(trials, key=lambda trial: -int(trial.explained.sum())):
            if trial.proposal.needs_all:
                continue
            if trial.has_enough_pairs and not trial.is_by_chance:
                return trial.found()
        return None

    def _of(self, causes: Sequence[Cause]) -> Iterator[_Trial]:
        done = False
        with np.errstate(all="ignore"):  # Values are arbitrary; an overflow does not agree.
            for cause in causes:
                if done and cause in SLOW:
                    continue
                for proposal in cause(self.case):
                    trial = _Trial(cause, proposal, self.case)
                    done = done or (trial.is_whole and trial.is_everywhere)
                    yield trial
