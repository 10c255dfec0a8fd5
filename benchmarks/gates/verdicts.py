"""What a gate, and two others, decide on many runs, looking after every batch."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from benchmarks.gates.streams import LOOK_EVERY, ROWS, Rows, Unit
from gnomon.compare.block_length import block_lengths, block_values, merged_blocks
from gnomon.compare.mean_interval import log_e_values, split_between
from gnomon.compare.sequential import rate_interval

__all__ = [
    "CONFIDENCE",
    "LIMIT",
    "Verdicts",
    "by_peeking",
    "by_rows",
    "by_units",
    "fixed_sample_counts",
]

LIMIT = 0.05
CONFIDENCE = 0.95
LOOKS = np.arange(LOOK_EVERY, ROWS + 1, LOOK_EVERY)

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_BINARY = np.array([0.0, 1.0])
_KNOTS = np.arange(61) / 60
"""Shares are split between these; for entities of up to 6 rows it changes nothing."""


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
        return _first(len(rows.bad), _row_sides(rows))
    if unit == "block":
        return _first(len(rows.bad), _block_sides(rows, longest_burst))
    return _first(len(rows.bad), _entity_sides(rows, closed=unit == "closed entity"))


def by_rows(rows: Rows) -> Verdicts:
    """Decide with `rate_interval` on rows, as if they were independent."""
    return _by_counts(rows, _anytime_counts())


def by_peeking(rows: Rows) -> Verdicts:
    """Decide with the interval of Clopper and Pearson, which holds for one look, at every look."""
    return _by_counts(rows, fixed_sample_counts(LOOKS))


Sides = Callable[[int, Ints], Ints]
"""Of a look and the runs that are still undecided: the side of each."""


def _first(runs: int, sides_at: Sides) -> Verdicts:
    sides, looks = np.zeros(runs, np.int64), np.zeros(runs, np.int64)
    undecided = np.arange(runs)
    for look in range(len(LOOKS)):
        if not len(undecided):
            break
        sides[undecided] = sides_at(look, undecided)
        looks[undecided] = look
        undecided = undecided[sides[undecided] == 0]
    return Verdicts(sides, looks)


def _sides(weights: Floats, knots: Floats) -> Ints:
    """Which side of the limit the interval of each sample is on."""
    excluded = log_e_values(weights, knots, LIMIT) >= -math.log1p(-CONFIDENCE)
    return np.where(excluded, np.sign(weights @ (knots - LIMIT)), 0).astype(np.int64)


def _row_sides(rows: Rows) -> Sides:
    hits = _hits(rows)

    def at(look: int, runs: Ints) -> Ints:
        bad = hits[runs, look]
        return _sides(np.stack([LOOKS[look] - bad, bad], axis=1).astype(np.float64), _BINARY)

    return at


def _entity_sides(rows: Rows, *, closed: bool) -> Sides:
    """Keep each entity's share up to date, and how many entities have which share."""
    assert rows.entities is not None
    entities = int(rows.entities.max()) + 1
    seen = np.zeros(len(rows.bad) * entities, np.int64)
    bad_seen = np.zeros_like(seen)
    latest = np.zeros_like(seen)
    weights = np.zeros((len(rows.bad), len(_KNOTS)))

    def count(units: Ints, sign: int) -> None:
        lower, upper_part = split_between(bad_seen[units] / seen[units], _KNOTS)
        cells = units // entities * len(_KNOTS) + lower
        np.add.at(weights.reshape(-1), cells, sign * (1 - upper_part))
        np.add.at(weights.reshape(-1), cells + 1, sign * upper_part)

    def at(look: int, runs: Ints) -> Ints:
        batch = slice(look * LOOK_EVERY, (look + 1) * LOOK_EVERY)
        units = (rows.entities[runs, batch] + entities * runs[:, np.newaxis]).ravel()
        bad = rows.bad[runs, batch].ravel()
        if closed:
            new = seen[units] == 0
            units, bad = units[new], bad[new]
        latest[units] = np.arange(len(units))
        distinct = units[latest[units] == np.arange(len(units))]
        count(distinct[seen[distinct] > 0], -1)
        np.add.at(seen, units, 1)
        np.add.at(bad_seen, units[bad], 1)
        count(distinct, 1)
        return _sides(weights[runs], _KNOTS)

    return at


def _block_sides(rows: Rows, longest_burst: int) -> Sides:
    values = np.stack([block_values(bad, longest_burst) for bad in rows.bad])

    def at(look: int, runs: Ints) -> Ints:
        blocks, rest = divmod(int(LOOKS[look]), longest_burst)
        sides = np.zeros(len(runs), np.int64)
        if rest >= LOOK_EVERY or not blocks:  # No block was completed since the last look.
            return sides
        seen = values[runs, :blocks]
        lengths = block_lengths(seen)
        for length in np.unique(lengths).tolist():
            same = lengths == length
            sides[same] = _sides(_counted(merged_blocks(seen[same], length)), _KNOTS)
        return sides

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


@cache
def _anytime_counts() -> Counts:
    """Find the counts with which each look decides by `rate_interval`."""
    looks = LOOKS.tolist()
    passes = [_least(n, lambda h, n=n: rate_interval(h, n, CONFIDENCE).high > LIMIT) for n in looks]
    fails = [_least(n, lambda h, n=n: rate_interval(h, n, CONFIDENCE).low > LIMIT) for n in looks]
    return Counts(np.array(passes) - 1, np.array(fails))


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
