"""Streams of rows of which some are bad, with the structure that real traffic has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from gnomon.compare.block_length import LONGEST_BURST

__all__ = ["LOOK_EVERY", "ROWS", "STREAMS", "Rows", "Stream"]

ROWS = 20_000
LOOK_EVERY = 100
LARGEST_ENTITY = 2_000
WARM_UP_CYCLES = 20
QUANTILES = 1 << 16

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
Unit = Literal["row", "entity", "block", "entity and block"]


@dataclass
class Rows:
    """The rows of several runs, in the order of arrival.

    Attributes:
        bad: shape (runs, rows).
        entities: shape (runs, rows), numbers from 0 in each run; None if rows have no entity.
        rates: the true average rate of the rows up to each look, shape (runs, looks) or (looks,).
    """

    bad: npt.NDArray[np.bool_]
    entities: npt.NDArray[np.int32] | None
    rates: npt.NDArray[np.float64]


@dataclass
class Stream:
    """One kind of stream.

    Attributes:
        unit: what the gate takes as a unit of evidence.
        draw: draws the rows of so many runs with an overall rate.
        longest_burst: of bad rows, as the gate is told, where blocks are units.
        drifts: the rate changes along the stream, so it is drawn only once.
    """

    name: str
    unit: Unit
    draw: Callable[[Rng, int, float], Rows]
    longest_burst: int = LONGEST_BURST
    drifts: bool = False


def independent(rng: Rng, runs: int, rate: float) -> Rows:
    """Draw independent rows."""
    return Rows(rng.random((runs, ROWS), np.float32) < rate, None, _constant(rate))


def changing(rate_of: Callable[[Floats], Floats]) -> Callable[[Rng, int, float], Rows]:
    """Make independent rows whose rate depends on their number, which counts from 0."""
    along = rate_of(np.arange(ROWS, dtype=np.float64))
    averages = np.cumsum(along) / np.arange(1, ROWS + 1)

    def draw(rng: Rng, runs: int, rate: float) -> Rows:
        bad = rng.random((runs, ROWS), np.float32) < along.astype(np.float32)
        return Rows(bad, None, averages[LOOK_EVERY - 1 :: LOOK_EVERY])

    return draw


def ramp(first: float, last: float) -> Callable[[Rng, int, float], Rows]:
    """Make rows whose rate goes from one value to another in a straight line."""
    return changing(lambda row: first + (last - first) * row / (ROWS - 1))


def against_the_past(low: float, high: float, limit: float) -> Callable[[Rng, int, float], Rows]:
    """Make rows whose rate is high while the rows so far are better than the limit, else low.

    The rate follows from the past as an adversary would choose it, batch by batch, so that the
    average rate and the rows so far are on different sides of the limit as often as possible.
    """

    def draw(rng: Rng, runs: int, rate: float) -> Rows:
        bad = np.empty((runs, ROWS), bool)
        expected, found = np.zeros(runs), np.zeros(runs)
        rates = np.empty((runs, ROWS // LOOK_EVERY))
        for look in range(ROWS // LOOK_EVERY):
            now = np.where(found < limit * look * LOOK_EVERY, high, low)
            drawn = rng.random((runs, LOOK_EVERY), np.float32) < now[:, np.newaxis]
            bad[:, look * LOOK_EVERY : (look + 1) * LOOK_EVERY] = drawn
            found += drawn.sum(axis=1)
            expected += now * LOOK_EVERY
            rates[:, look] = expected / ((look + 1) * LOOK_EVERY)
        return Rows(bad, None, rates)

    return draw


Order = Literal["contiguous", "interleaved", "in rounds"]


def clustered(
    sizes: int | None, order: Order, *, correlation: float = 0.5
) -> Callable[[Rng, int, float], Rows]:
    """Make rows of entities, each with its own rate: beta-binomial.

    Args:
        sizes: rows of each entity; None draws them from a Pareto distribution with exponent 1.2,
            cut at 2,000 rows.
        order: the rows of an entity follow each other; or all are in random order, the same for
            the runs that are drawn together; or every entity comes once before any comes again.
        correlation: of two rows of one entity.
    """

    def draw(rng: Rng, runs: int, rate: float) -> Rows:
        if sizes is None:
            entities = np.stack([_heavy_tailed(rng) for _ in range(runs)])
        else:
            entities = np.broadcast_to(np.arange(ROWS, dtype=np.int32) // sizes, (runs, ROWS))
        if order == "interleaved":
            entities = entities[:, rng.permutation(ROWS)]
        if order == "in rounds":
            assert sizes is not None
            entities = entities.reshape(runs, -1, sizes).transpose(0, 2, 1).reshape(runs, ROWS)
        quantiles = rng.integers(QUANTILES, size=(runs, int(entities.max()) + 1), dtype=np.uint16)
        entity_rates = _beta_quantiles(rate, correlation)[quantiles]
        run = np.arange(runs)[:, np.newaxis]
        return Rows(
            rng.random((runs, ROWS), np.float32) < entity_rates[run, entities],
            entities,
            _constant(rate),
        )

    return draw


def bursty(lengths: Sequence[int]) -> Callable[[Rng, int, float], Rows]:
    """Make bursts of bad rows with exponential gaps; each burst has one of the lengths, at random.

    The stream begins at a random time, so it may begin inside a burst.
    """
    mean_length = float(np.mean(lengths))

    def draw(rng: Rng, runs: int, rate: float) -> Rows:
        cycle = mean_length / rate
        before = WARM_UP_CYCLES * cycle
        cycles = int((before + ROWS) / cycle)
        cycles += 8 * int(np.sqrt(cycles)) + 8
        burst = rng.choice(np.asarray(lengths), (runs, cycles))
        gaps = rng.exponential(cycle - mean_length, (runs, cycles)).round().astype(np.int64)
        ends = np.cumsum(gaps + burst, axis=1) - round(before)
        changes = np.zeros((runs, ROWS + 1), np.int16)
        run = np.broadcast_to(np.arange(runs)[:, np.newaxis], ends.shape)
        np.add.at(changes, (run, np.clip(ends - burst, 0, ROWS)), 1)
        np.add.at(changes, (run, np.clip(ends, 0, ROWS)), -1)
        return Rows(np.cumsum(changes[:, :-1], axis=1) > 0, None, _constant(rate))

    return draw


def outages(
    length: int, entities: int, *, correlation: float = 0.0
) -> Callable[[Rng, int, float], Rows]:
    """Make rows of entities that come back at random, with bursts of bad rows of all entities.

    Args:
        length: rows of a burst.
        entities: how many there are.
        correlation: of two rows of one entity outside bursts; then half of the bad rows are not in
            bursts.
    """

    def draw(rng: Rng, runs: int, rate: float) -> Rows:
        of_bursts = rate / 2 if correlation else rate
        rows = bursty([length])(rng, runs, of_bursts)
        drawn = rng.integers(entities, size=(runs, ROWS), dtype=np.int32)
        if correlation:
            own = (rate - of_bursts) / (1 - of_bursts)
            quantiles = rng.integers(QUANTILES, size=(runs, entities), dtype=np.uint16)
            entity_rates = _beta_quantiles(own, correlation)[quantiles]
            run = np.arange(runs)[:, np.newaxis]
            rows.bad |= rng.random((runs, ROWS), np.float32) < entity_rates[run, drawn]
        return Rows(rows.bad, drawn, _constant(rate))

    return draw


@cache
def _beta_quantiles(rate: float, correlation: float) -> npt.NDArray[np.float32]:
    """Return quantiles of the rates of entities: drawing among them is ten times as fast."""
    levels = (np.arange(QUANTILES) + 0.5) / QUANTILES
    rows = 1 / correlation - 1
    quantiles = stats.beta(rate * rows, (1 - rate) * rows).ppf(levels)
    return np.asarray(quantiles, np.float32)


def _heavy_tailed(rng: Rng) -> npt.NDArray[np.int32]:
    drawn = np.minimum(rng.pareto(1.2, ROWS // 2).astype(np.int64) + 1, LARGEST_ENTITY)
    entities = np.arange(ROWS, dtype=np.int32)
    needed = int(np.searchsorted(np.cumsum(drawn), ROWS)) + 1
    return np.repeat(entities[:needed], drawn[:needed])[:ROWS]


def _constant(rate: float) -> npt.NDArray[np.float64]:
    return np.full(ROWS // LOOK_EVERY, rate)


_ORDERS: tuple[Order, ...] = ("contiguous", "interleaved")
_SIZES = {"entities of 2": 2, "entities of 20": 20, "entities, heavy-tailed": None}

STREAMS = [
    Stream("independent", "row", independent),
    *(
        Stream(f"{name}, {order}", "entity", clustered(sizes, order))
        for name, sizes in _SIZES.items()
        for order in _ORDERS
    ),
    Stream("entities of 20, in rounds", "entity", clustered(20, "in rounds")),
    Stream(
        "entities of 20, in rounds, correlation 1%",
        "entity",
        clustered(20, "in rounds", correlation=0.01),
    ),
    Stream("independent, no key", "block", independent),
    Stream("bursts of 5", "block", bursty([5])),
    Stream("bursts of 50", "block", bursty([50])),
    Stream("independent, no key, bursts up to 50", "block", independent, longest_burst=50),
    Stream("bursts of 5, bursts up to 50", "block", bursty([5]), longest_burst=50),
    Stream("bursts of 50, bursts up to 50", "block", bursty([50]), longest_burst=50),
    Stream("bursts of 500", "block", bursty([500])),
    Stream("bursts of 5, 50 or 500", "block", bursty([5, 50, 500])),
    Stream("250 single bad rows a burst of 500", "block", bursty([1] * 250 + [500])),
    Stream(
        "outages of 50, 1,000 entities that come back",
        "entity and block",
        outages(50, 1_000),
        longest_burst=50,
    ),
    Stream(
        "outages of 50 and bad entities",
        "entity and block",
        outages(50, 1_000, correlation=0.3),
        longest_burst=50,
    ),
    Stream("drift from 2% to 8%", "row", ramp(0.02, 0.08), drifts=True),
    Stream("drift from 8% to 2%", "row", ramp(0.08, 0.02), drifts=True),
    Stream("drift from 4% to 6%", "row", ramp(0.04, 0.06), drifts=True),
    Stream("drift from 6% to 4%", "row", ramp(0.06, 0.04), drifts=True),
    Stream(
        "step from 4% to 6%",
        "row",
        changing(lambda row: np.where(row < ROWS / 2, 0.04, 0.06)),
        drifts=True,
    ),
    Stream(
        "season of 2,000 rows, 0% to 10%",
        "row",
        changing(lambda row: 0.05 + 0.05 * np.sin(2 * np.pi * row / 2_000)),
        drifts=True,
    ),
    Stream("rate chosen against the past", "row", against_the_past(0, 0.1, 0.05), drifts=True),
]
