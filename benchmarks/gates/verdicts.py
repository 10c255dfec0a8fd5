"""What a gate, and two others, decide on many runs, looking after every batch."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.gates.streams import LOOK_EVERY, ROWS, Rows, Unit
from gnomon.compare.block_length import block_lengths, block_values, merged_blocks
from gnomon.compare.e_values import log_e_values
from gnomon.compare.mean_interval import split_between
from gnomon.compare.sequential import rate_interval
from gnomon.compare.two_way import combined_evidence
from gnomon.rollout.evidence.settling import FIRST_PART

__all__ = [
    "CONFIDENCE",
    "LIMIT",
    "Verdicts",
    "by_peeking",
    "by_rows",
    "by_units",
    "decided_at",
    "fixed_sample_counts",
]

LIMIT = 0.05
CONFIDENCE = 0.95
THRESHOLD = -math.log1p(-CONFIDENCE)
FIRST_DAY = -math.log((1 - CONFIDENCE) * FIRST_PART)
"""Of entities: all rows of a run are of its first day."""
LOOKS = np.arange(LOOK_EVERY, ROWS + 1, LOOK_EVERY)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MOST_ROWS = 5_000
_BINARY = np.array([0.0, 1.0])
_KNOTS = np.arange(61) / 60
"""Shares are split between these; for entities of up to 6 rows it changes nothing."""
_SURELY = 0.5
_ANGLES = 2 * math.asin(math.sqrt(LIMIT)) * (np.arange(48) + 0.5) / 48
"""Of rates from 0 to about four times the limit."""


class Verdicts(NamedTuple):
    """The first decision of each run.

    Attributes:
        sides: -1 where it passed, 1 where it failed, 0 where it never decided.
        looks: the index of the look that decided.
    """

    sides: Ints
    looks: Ints


class Counts(NamedTuple):
    """The most bad rows that pass, and the fewest that fail, for each number of rows."""

    most_passing: Ints
    fewest_failing: Ints


def by_units(rows: Rows, unit: Unit, longest_burst: int) -> Verdicts:
    """Decide with `log_e_values`, which is `mean_interval` at the limit."""
    if unit == "row":
        return _by_counts(rows, unit_counts(tuple(LOOKS.tolist())))
    evidence = {
        "entity": lambda: _of_entities(rows),
        "block": lambda: _of_blocks(rows, longest_burst),
        "entity and block": lambda: _of_both(rows, longest_burst),
    }[unit]()
    return _first(len(rows.bad), evidence, THRESHOLD if unit == "block" else FIRST_DAY)


def by_rows(rows: Rows) -> Verdicts:
    """Decide with `rate_interval` on rows, as if they were independent."""
    return _by_counts(rows, _anytime_counts())


def by_peeking(rows: Rows) -> Verdicts:
    """Decide with the interval of Clopper and Pearson, which holds for one look, at every look."""
    return _by_counts(rows, fixed_sample_counts(LOOKS))


class Found(NamedTuple):
    """The evidence of several runs at one look.

    Attributes:
        sides: of the limit on which the mean over units is.
        log_e: the logarithm of the e-value of the limit; of hopeless ones only a bound.
    """

    sides: Ints
    log_e: Floats


EvidenceAt = Callable[[int, Ints], Found]
"""The evidence at a look of the runs that are still undecided."""


def _first(runs: int, evidence_at: EvidenceAt, threshold: float) -> Verdicts:
    sides, looks = np.zeros(runs, np.int64), np.zeros(runs, np.int64)
    undecided = np.arange(runs)
    for look in range(len(LOOKS)):
        if not len(undecided):
            break
        found = evidence_at(look, undecided)
        sides[undecided] = np.where(found.log_e >= threshold, found.sides, 0)
        looks[undecided] = look
        undecided = undecided[sides[undecided] == 0]
    return Verdicts(sides, looks)


def _found(weights: Floats, knots: Floats) -> Found:
    """Weigh the evidence of each sample, with all nodes only where it may be enough."""
    log_e = _at_most(weights, knots)
    near = log_e >= THRESHOLD
    if near.any():
        log_e[near] = log_e_values(weights[near], knots, LIMIT)
    return Found(np.sign(weights @ (knots - LIMIT)).astype(np.int64), log_e)


def _at_most(weights: Floats, knots: Floats) -> Floats:
    """Bound the log e-values from above: by the best of a few rates near the limit.

    In the angle of the rate, the logarithm of the wealth of n units is curved by at most 4 n, so
    between two angles it is about n / 2 times their squared distance above the better one at most.
    Infinite where the best rate may be beyond them.
    """
    distance = _ANGLES[1] - _ANGLES[0]
    rates = np.sin(_ANGLES) ** 2
    factors = np.outer(knots, rates / LIMIT) + np.outer(1 - knots, (1 - rates) / (1 - LIMIT))
    exponents = weights @ np.log(factors)
    bound = exponents.max(axis=1) + weights.sum(axis=1) * distance**2 / 2 + _SURELY
    return np.where(exponents.argmax(axis=1) == len(_ANGLES) - 1, np.inf, bound)


def _of_entities(rows: Rows) -> EvidenceAt:
    """Count each entity by its first row, as a gate does on the first day."""
    assert rows.entities is not None
    entities = int(rows.entities.max()) + 1
    seen = np.zeros(len(rows.bad) * entities, np.bool_)
    weights = np.zeros((len(rows.bad), len(_BINARY)))
    entity_of = rows.entities

    def at(look: int, runs: Ints) -> Found:
        batch = slice(look * LOOK_EVERY, (look + 1) * LOOK_EVERY)
        units = (entity_of[runs, batch] + entities * runs[:, np.newaxis]).ravel()
        distinct, first = np.unique(units, return_index=True)
        new = ~seen[distinct]
        distinct, bad = distinct[new], rows.bad[runs, batch].ravel()[first[new]]
        seen[distinct] = True
        np.add.at(weights, (distinct // entities, bad.astype(np.int64)), 1)
        return _found(weights[runs], _BINARY)

    return at


def _of_blocks(rows: Rows, longest_burst: int) -> EvidenceAt:
    values = np.stack([block_values(bad, longest_burst) for bad in rows.bad])

    def at(look: int, runs: Ints) -> Found:
        blocks, rest = divmod(int(LOOKS[look]), longest_burst)
        seen = values[runs, :blocks]
        if rest >= LOOK_EVERY:  # No block was completed since the last look.
            return Found(np.zeros(len(runs), np.int64), np.zeros(len(runs)))
        sides, log_e = np.zeros(len(runs), np.int64), np.zeros(len(runs))
        lengths = block_lengths(seen)
        for length in np.unique(lengths).tolist():
            same = lengths == length
            sides[same], log_e[same] = _found(_counted(merged_blocks(seen[same], length)), _KNOTS)
        return Found(sides, log_e)

    return at


def _of_both(rows: Rows, longest_burst: int) -> EvidenceAt:
    """Combine the evidence by entity and by block, as a gate does that expects bursts."""
    by_entity, by_block = _of_entities(rows), _of_blocks(rows, longest_burst)
    hits = _hits(rows)

    def at(look: int, runs: Ints) -> Found:
        kinds = [by_entity(look, runs), by_block(look, runs)]
        bad = hits[runs, look]
        of_rows = _found(np.stack([LOOKS[look] - bad, bad], axis=1).astype(np.float64), _BINARY)
        same = kinds[0].sides == kinds[1].sides
        evidence = combined_evidence([kind.log_e for kind in kinds], of_rows.log_e)
        return Found(np.where(same, kinds[0].sides, 0), evidence)

    return at


def _counted(values: Floats) -> Floats:
    """How many values of each row are at which knot."""
    lower, upper_part = split_between(values, _KNOTS)
    weights = np.zeros((len(values), len(_KNOTS)))
    run = np.broadcast_to(np.arange(len(values))[:, np.newaxis], lower.shape)
    np.add.at(weights, (run, lower), 1 - upper_part)
    np.add.at(weights, (run, lower + 1), upper_part)
    return weights


def _hits(rows: Rows) -> Ints:
    """Bad rows up to each look, shape (runs, looks)."""
    batches = rows.bad.reshape(len(rows.bad), -1, LOOK_EVERY)
    return np.cumsum(batches.sum(axis=2), axis=1)


def _by_counts(rows: Rows, counts: Counts) -> Verdicts:
    hits = _hits(rows)
    sides = (hits >= counts.fewest_failing).astype(np.int64) - (hits <= counts.most_passing)
    looks = np.where((sides != 0).any(axis=1), (sides != 0).argmax(axis=1), len(LOOKS) - 1)
    return Verdicts(np.take_along_axis(sides, looks[:, np.newaxis], axis=1)[:, 0], looks)


def decided_at(rate: float, runs: int, every: int) -> Ints:
    """Return the number of independent rows after which each run decides, looking that often."""
    looks = np.arange(every, MOST_ROWS + 1, every)
    counts = unit_counts(tuple(looks.tolist()))
    drawn = np.random.default_rng(1).random((runs, MOST_ROWS), np.float32) < rate
    hits = np.cumsum(drawn, axis=1, dtype=np.int64)[:, every - 1 :: every]
    decided = (hits >= counts.fewest_failing) | (hits <= counts.most_passing)
    return np.where(decided.any(axis=1), looks[decided.argmax(axis=1)], MOST_ROWS + 1)


@cache
def unit_counts(looks: tuple[int, ...]) -> Counts:
    """Find the counts with which each look decides where each row is a unit."""
    passes = [_least(n, partial(_is_beyond, n, 0)) for n in looks]
    fails = [_least(n, partial(_is_beyond, n, 1)) for n in looks]
    return Counts(np.array(passes) - 1, np.array(fails))


def _is_beyond(rows: int, least: int, bad: int) -> bool:
    """Return whether so many bad rows are on a side of the limit (-1, 0 or 1) from this one on."""
    wealth = float(log_e_values([rows - bad, bad], _BINARY, LIMIT))
    side = 0 if wealth < THRESHOLD else 1 if bad > LIMIT * rows else -1
    return side >= least


@cache
def _anytime_counts() -> Counts:
    """Find the counts with which each look decides by `rate_interval`."""
    looks = LOOKS.tolist()
    passes = [_least(n, partial(_ends_above, 1, n)) for n in looks]
    fails = [_least(n, partial(_ends_above, 0, n)) for n in looks]
    return Counts(np.array(passes) - 1, np.array(fails))


def _ends_above(end: int, rows: int, hits: int) -> bool:
    return rate_interval(hits, rows, CONFIDENCE)[end] > LIMIT


def fixed_sample_counts(rows: Ints) -> Counts:
    """Find the counts with which the interval of Clopper and Pearson is beyond the limit."""
    tail = (1 - CONFIDENCE) / 2
    under_limit = stats.binom(rows, LIMIT)
    return Counts(
        under_limit.ppf(tail).astype(np.int64) - 1, under_limit.ppf(1 - tail).astype(np.int64) + 1
    )


def _least(most: int, reached: Callable[[int], bool]) -> int:
    """Find the least count for which it is true, if it stays true from there on."""
    return bisect_left(range(most + 1), True, key=reached)
