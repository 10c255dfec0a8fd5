"""Search for a distortion of the inputs that explains the answers, trying one after another."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from gnomon.compare.comparators import compare
from gnomon.contract import Contract
from gnomon.errors import PredictionFailed
from gnomon.policy import Rules
from gnomon.skew.diagnosis.candidates import Candidate, candidates
from gnomon.skew.diagnosis.case import CONFIRMED, Mask, spread
from gnomon.skew.diagnosis.relabelling import relabellings

__all__ = ["DistortionMatch", "search"]

Floats = npt.NDArray[np.float64]
Answer = Callable[[pa.RecordBatch], pa.Table | pa.RecordBatch]

_SCREENED = 24
_TRIED = (256, 128)
"""How many diverging and agreeing rows are used to verify the candidates that passed screening."""

_BLOCK = 8_192
_NEARER = 0.3
"""By what share a distortion must reduce the error, where it does not make the answers agree."""

_BASES = 3


@dataclass(frozen=True, slots=True)
class DistortionMatch:
    """Distortions that together make the answers agree.

    Attributes:
        parts: one distortion, or two applied one after the other.
        restored: rows that diverged and agree after the distortions.
        tried: rows that diverged and were tried.
        rivals: other causes that explain as many rows.
    """

    parts: tuple[Candidate, ...]
    restored: int
    tried: int
    rivals: tuple[Candidate, ...] = ()


@dataclass(frozen=True, slots=True)
class _Scored:
    candidate: Candidate
    restored: float
    error: float


def search(
    rows: pa.RecordBatch,
    right: pa.Table,
    diverged: Mask,
    rules: Rules,
    contract: Contract,
    answer: Answer,
    zones: Sequence[str] = (),
) -> DistortionMatch | None:
    """Find the distortion of one feature, or of two, that explains the other side's answers.

    Args:
        rows: features as they were online.
        right: the other side's values of the columns of ``rules``.
        diverged: rows to explain.
        rules: the rules of the columns to compare.
        answer: runs the artifact and returns the columns of ``rules``.
    """
    samples = spread(diverged, _TRIED[0]), spread(~diverged, _TRIED[1])
    positions = np.concatenate(samples)
    is_diverging = np.arange(len(positions)) < len(samples[0])
    sample = _Tried(
        rows.take(pa.array(positions)), right.take(pa.array(positions)), is_diverging, rules, answer
    )
    distortions = list(candidates(sample.rows, contract, zones))
    with contextlib.suppress(PredictionFailed):
        distortions += relabellings(sample.rows, sample.right, rules, contract, answer)
    screened = sample.screen(distortions)
    verified = sample.verify([s.candidate for s in screened if s.restored >= 0.9])
    if verified:
        return sample.hit((), verified)
    before = sample.error(sample.answer(sample.rows), is_diverging)
    bases = [s for s in screened if s.error <= (1 - _NEARER) * before or s.restored >= _NEARER]
    bases = (
        sorted(bases, key=lambda s: (-s.restored, s.error))[:_BASES]
        + sorted(bases, key=lambda s: s.error)[:_BASES]
    )
    for base in _distinct(bases):
        distorted = _Tried(base.rows, sample.right, is_diverging, rules, answer)
        second = [c for c in candidates(base.rows, contract, zones) if c.features != base.features]
        verified = distorted.verify(
            [s.candidate for s in distorted.screen(second) if s.restored >= 0.9]
        )
        if verified:
            return distorted.hit((base,), verified)
    return None


@dataclass(frozen=True, slots=True)
class _Tried:
    rows: pa.RecordBatch
    right: pa.Table
    bad: Mask
    rules: Rules
    answer: Answer

    def screen(self, distortions: Sequence[Candidate]) -> list[_Scored]:
        """Score every candidate on a few diverging rows."""
        places = pa.array(spread(self.bad, _SCREENED))
        right = self.right.take(places)
        scores: list[_Scored] = []
        size = max(len(places), 1)
        source = iter(distortions)
        while block := list(islice(source, max(_BLOCK // size, 1))):
            batch = pa.Table.from_batches([c.rows.take(places) for c in block])
            try:
                answers = self.answer(batch.combine_chunks().to_batches()[0])
            except PredictionFailed:
                continue
            for number, candidate in enumerate(block):
                part = answers.slice(number * size, size)
                agreed = compare(part, right, self.rules).agreed
                error = self._error(part, right)
                scores.append(_Scored(candidate, float(agreed.mean()), error))
        return scores

    def verify(self, distortions: Sequence[Candidate]) -> list[tuple[Candidate, int, bool]]:
        """Keep candidates that hold on all rows, with rows restored and if the rest still agree."""
        verified = []
        for candidate in distortions:
            try:
                agreed = compare(self.answer(candidate.rows), self.right, self.rules).agreed
            except PredictionFailed:
                continue
            restored = int(agreed[self.bad].sum())
            if restored >= CONFIRMED * self.bad.sum():
                keeps = bool(agreed[~self.bad].mean() >= CONFIRMED) if (~self.bad).any() else True
                verified.append((candidate, restored, keeps))
        return verified

    def hit(
        self, base: tuple[Candidate, ...], verified: list[tuple[Candidate, int, bool]]
    ) -> DistortionMatch:
        """Return the best candidate, and the rivals that restore as many rows."""
        without_side_effects = [f for f in verified if f[2]] or verified
        most = max(restored for _, restored, _ in without_side_effects)
        best = [candidate for candidate, restored, _ in without_side_effects if restored == most]
        first = best[0]
        rivals = [c for c in best[1:] if (c.cause, c.features) != (first.cause, first.features)]
        return DistortionMatch((*base, first), most, int(self.bad.sum()), tuple(rivals))

    def error(self, answers: pa.Table | pa.RecordBatch, mask: Mask) -> float:
        """Return the mean difference from the other side's numbers on some rows."""
        places = pa.array(np.flatnonzero(mask))
        return self._error(answers.take(places), self.right.take(places))

    def _error(self, answers: pa.Table | pa.RecordBatch, right: pa.Table) -> float:
        compared = compare(answers, right, self.rules)
        known = compared.difference[np.isfinite(compared.difference)]
        return float(known.mean()) if len(known) else float((~compared.agreed).mean())


def _distinct(scores: Sequence[_Scored]) -> Iterator[Candidate]:
    keys: set[tuple[str, tuple[str, ...]]] = set()
    for scored in scores:
        key = scored.candidate.cause, scored.candidate.features
        if key not in keys:
            keys.add(key)
            yield scored.candidate
